package secret

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
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

// Threat 33: of a storm of logins so many wait, and each so long; the others are told
// to come back. A place that gets free in time is taken.
func TestQueue(t *testing.T) {
	cheap := params{memory: 64, time: 1, parallelism: 1, salt: make([]byte, 16), key: make([]byte, 16)}
	synctest.Test(t, func(t *testing.T) {
		v := NewVerifier(1)
		v.gate = make(chan struct{}, 1)
		v.gate <- struct{}{}
		began := time.Now()
		var all sync.WaitGroup
		var mu sync.Mutex
		busy := map[time.Duration]int{}
		served := 0
		for range mostWaiting + 50 {
			all.Go(func() {
				_, err := v.verify(t.Context(), cheap, "x")
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, ErrBusy) {
					busy[time.Since(began)]++
				} else if err == nil {
					served++
				}
			})
		}
		synctest.Wait()
		if n := v.waiting.Load(); n != mostWaiting {
			t.Errorf("%d wait", n)
		}
		all.Wait()
		if busy[0] != 50 || busy[longestWait] != mostWaiting || served != 0 || v.waiting.Load() != 0 {
			t.Errorf("turned away: %v; served: %d; waiting still: %d", busy, served, v.waiting.Load())
		}
		go func() {
			<-time.After(longestWait - 1)
			<-v.gate
		}()
		if _, err := v.verify(t.Context(), cheap, "x"); err != nil {
			t.Errorf("in time: %v", err)
		}
	})
}
