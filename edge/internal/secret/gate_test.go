package secret

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestFullGate(t *testing.T) {
	hash := params{memory: 64, time: 1, parallelism: 1, salt: make([]byte, 16), key: make([]byte, 16)}
	dear := hash
	dear.memory = largeMemory
	for name, p := range map[string]params{"plain": hash, "large": dear} {
		synctest.Test(t, func(t *testing.T) {
			v := NewVerifier(1)
			v.gate = make(chan struct{}, 1)
			v.large = make(chan struct{}, 1)
			if name == "large" {
				v.large <- struct{}{}
			} else {
				v.gate <- struct{}{}
			}
			ended := errors.New("logged out")
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := v.verify(ctx, p, "x")
				done <- err
			}()
			synctest.Wait()
			select {
			case err := <-done:
				t.Fatalf("%s: the full gate let a verification in: %v", name, err)
			default:
			}
			cancel(ended)
			if err := <-done; !errors.Is(err, ended) {
				t.Errorf("%s: %v", name, err)
			}
			if len(v.gate)+len(v.large) != 1 {
				t.Errorf("%s: a place was taken or lost", name)
			}
		})
	}
}
