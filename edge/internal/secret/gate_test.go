package secret

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
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
			v.gate, v.large = newTurns(1, mostWaiting), newTurns(1, mostWaiting)
			full := v.gate
			if name == "large" {
				full = v.large
			}
			full.free = 0
			ended := errors.New("logged out")
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := v.verify(ctx, p, "", "x")
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
			if v.gate.free+v.large.free != 1 || full.waiting != 0 {
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
		v.gate = newTurns(0, mostWaiting)
		began := time.Now()
		var all sync.WaitGroup
		var mu sync.Mutex
		busy := map[time.Duration]int{}
		served := 0
		for range mostWaiting + 50 {
			all.Go(func() {
				_, err := v.verify(t.Context(), cheap, "", "x")
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
		if n := v.gate.queued(); n != mostWaiting {
			t.Errorf("%d wait", n)
		}
		all.Wait()
		if n := v.gate.queued(); busy[0] != 50 || busy[longestWait] != mostWaiting || served != 0 || n != 0 {
			t.Errorf("turned away: %v; served: %d; waiting still: %d", busy, served, n)
		}
		go func() {
			<-time.After(longestWait - 1)
			v.gate.leave()
		}()
		if _, err := v.verify(t.Context(), cheap, "", "x"); err != nil {
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
		if got != int64(c.want)*newMemory<<10 || v.gate.places != c.want || v.largeFrom>>10 != c.largeFrom || v.most>>10 != c.most {
			t.Errorf("%d in %d MiB: %d at once, large from %d KiB, at most %d KiB, %d bytes", c.parallel, c.bytes>>20, v.gate.places, v.largeFrom, v.most, got)
		}
		if v.largeFrom <= newMemory {
			t.Error("our own hashes count as large")
		}
	}
	v := NewVerifier(1)
	v.Within(64 << 20)
	dear := params{memory: 33 << 10, time: 1, parallelism: 1, salt: make([]byte, 16), key: make([]byte, 16)}
	if ok, err := v.verify(t.Context(), dear, "", "x"); ok || !errors.Is(err, ErrHash) {
		t.Errorf("a hash of more than the half: %v, %v", ok, err)
	}
}

// queued is how many wait.
func (t *turns) queued() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waiting
}

// Networks take turns, and in them addresses: who sends many logins waits behind itself.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := newTurns(0, 100)
		served := make(chan string, 20)
		enter := func(who string, n int) {
			for range n {
				go func() {
					if gate.enter(t.Context(), netip.MustParseAddr(who), time.Now().Add(time.Hour)) == nil {
						served <- who
					}
				}()
				synctest.Wait()
			}
		}
		enter("192.0.2.1", 4)
		enter("2001:db8::1", 1)
		enter("2001:db8::2", 1) // of the same /64
		enter("192.0.2.2", 1)
		enter("::ffff:192.0.2.1", 1)
		enter("198.51.100.1", 1)
		var order []string
		for range 9 {
			gate.leave()
			order = append(order, <-served)
		}
		if got := strings.Join(order, " "); got != "192.0.2.1 2001:db8::1 198.51.100.1 192.0.2.2 2001:db8::2 192.0.2.1 192.0.2.1 192.0.2.1 ::ffff:192.0.2.1" {
			t.Errorf("the order is %s", got)
		}
		if gate.leave(); gate.free != 1 || len(gate.networks)+len(gate.round)+gate.waiting != 0 {
			t.Errorf("something is left: %+v", gate)
		}
	})
}

// Where too many wait, it is the last of the longest line that has to go.
func TestTurnsWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := newTurns(0, 10)
		crowd, one := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		away := make(chan int, 20)
		for i := range 10 {
			go func() {
				if err := gate.enter(t.Context(), crowd, time.Now().Add(time.Hour)); errors.Is(err, ErrBusy) {
					away <- i
				}
			}()
			synctest.Wait()
		}
		done := make(chan error, 1)
		go func() { done <- gate.enter(t.Context(), one, time.Now().Add(time.Hour)) }()
		if i := <-away; i != 9 {
			t.Errorf("number %d of the crowd had to go", i)
		}
		if err := gate.enter(t.Context(), crowd, time.Now().Add(time.Hour)); !errors.Is(err, ErrBusy) {
			t.Errorf("one more of the crowd: %v", err)
		}
		synctest.Wait()
		gate.leave()
		gate.leave()
		if err := <-done; err != nil {
			t.Errorf("somebody else: %v", err)
		}
		for range 8 {
			gate.leave()
		}
	})
}

// Whatever comes and gives up, no place is lost and no more than there are are taken.
func TestTurnsStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places = 3
		gate := newTurns(places, 40)
		random := rand.New(rand.NewPCG(1, 2))
		var all sync.WaitGroup
		var inside, most, served atomic.Int64
		for range 2000 {
			who := netip.AddrFrom4([4]byte{192, 0, byte(random.IntN(5)), byte(random.IntN(5))})
			comes, patience, works := time.Duration(random.IntN(1000)), time.Duration(random.IntN(20)), time.Duration(random.IntN(5))
			all.Go(func() {
				<-time.After(comes)
				ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
				defer cancel()
				if gate.enter(ctx, who, time.Now().Add(patience)) != nil {
					return
				}
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				<-time.After(works)
				inside.Add(-1)
				served.Add(1)
				gate.leave()
			})
		}
		all.Wait()
		if gate.free != places || gate.waiting != 0 || len(gate.networks)+len(gate.round) != 0 {
			t.Errorf("something is left: %+v", gate)
		}
		if most.Load() > places || served.Load() < 500 {
			t.Errorf("%d were in at once, %d in all", most.Load(), served.Load())
		}
	})
}
