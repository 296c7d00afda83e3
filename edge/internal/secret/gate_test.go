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

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		parallel, want  int
		bytes           int64
		largeFrom, most uint32 // MiB
	}{
		{2, 2, 256 << 20, 32, 128},
		{64, 3, 256 << 20, 21, 128},
		{64, 64, 16 << 30, 64, 256},
		{8, 1, 32 << 20, 19, 19}, // less than one needs: one at a time, and no larger
		{1, 1, 1 << 40, 64, 256},
	} {
		v := NewVerifier(c.parallel)
		got := v.Within(c.bytes)
		if got != int64(c.want)*newMemory<<10 || cap(v.gate) != c.want || v.largeFrom>>10 != c.largeFrom || v.most>>10 != c.most {
			t.Errorf("%d in %d MiB: %d at once, large from %d KiB, at most %d KiB, %d bytes", c.parallel, c.bytes>>20, cap(v.gate), v.largeFrom, v.most, got)
		}
		if v.largeFrom <= newMemory {
			t.Error("our own hashes count as large")
		}
	}
	v := NewVerifier(1)
	v.Within(64 << 20)
	dear := params{memory: 33 << 10, time: 1, parallelism: 1, salt: make([]byte, 16), key: make([]byte, 16)}
	if ok, err := v.verify(t.Context(), dear, "x"); ok || !errors.Is(err, ErrHash) {
		t.Errorf("a hash of more than the half: %v, %v", ok, err)
	}
}
