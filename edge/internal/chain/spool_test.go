package chain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// shelf is a spool in memory.
type shelf struct {
	mu     sync.Mutex
	events []*policy.Event
	room   int // 0: as much as is wanted
	closed int
}

func (s *shelf) open() (chain.Spool, error) { return s, nil }

func (s *shelf) Append(events []*policy.Event) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range events {
		if s.room > 0 && len(s.events) == s.room {
			return i, errors.New("full")
		}
		s.events = append(s.events, e)
	}
	return len(events), nil
}

func (s *shelf) Next(limit int) ([]*policy.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*policy.Event(nil), s.events[:min(limit, len(s.events))]...), nil
}

func (s *shelf) Done(n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = s.events[n:]
	return nil
}

func (s *shelf) Counts() (uint64, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(len(s.events)), 0
}

func (s *shelf) Close() error { s.closed++; return nil }

// batcher takes events by the batch: as many as it is told, and then fails.
type batcher struct {
	*fake
	take  func(n int) (int, error)
	calls []int
	got   []uint64
}

func (b *batcher) Hooks() policy.Hooks { return policy.Hooks{Observer: b} }

func (b *batcher) Observe(context.Context, *policy.Event) error { return errTrap }

func (b *batcher) ObserveAll(_ context.Context, events []*policy.Event) (int, error) {
	defer b.called()()
	b.calls = append(b.calls, len(events))
	n, err := b.take(len(events))
	for _, e := range events[:max(0, min(n, len(events)))] {
		b.got = append(b.got, e.Request)
	}
	return n, err
}

func durable(s *shelf, p policy.Policy) chain.Slot {
	return chain.Slot{Name: "a", Policy: p, Options: chain.Options{Spool: s.open}}
}

// TestSpool has a policy fail for a while: no event is lost, their order is kept, and
// what it did not take before the chain is closed stays in the spool.
func TestSpool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		s := &shelf{}
		p := &batcher{fake: &fake{}}
		some := 3 // that are taken before it fails; the first one may come alone
		p.take = func(n int) (int, error) {
			if !broken.Load() {
				return n, nil
			}
			n = min(n, some)
			if some -= n; some > 0 {
				return n, nil
			}
			some = 3
			return n, errTrap
		}
		c := with(t, chain.Config{}, durable(s, p))
		l := c.Lease(1)
		for n := range uint64(200) {
			l.Observe(event(n))
		}
		synctest.Wait()
		first := len(p.got) // three, or fewer where it was called before more had come
		if st := c.Status()[0].Events; first == 0 || first > 3 || st.Stored != 200 || st.Delivered != uint64(first) || st.Waiting != 200-uint64(first) || st.Queued != 0 || st.Lost != 0 {
			t.Errorf("%+v", st)
		}
		<-time.After(time.Second)
		synctest.Wait()
		if len(p.got) != first+3 {
			t.Errorf("%d events after the first pause, %d before", len(p.got), first)
		}
		broken.Store(false)
		<-time.After(2 * time.Second)
		synctest.Wait()
		if len(p.got) != 200 {
			t.Fatalf("%d events", len(p.got))
		}
		for i, n := range p.got {
			if n != uint64(i) {
				t.Fatalf("event %d came as number %d", n, i)
			}
		}
		broken.Store(true)
		for n := range uint64(10) {
			l.Observe(event(n))
		}
		synctest.Wait()
		l.Release()
		c.Close()
		if len(s.events) != 7 || s.closed != 1 || p.closed.Load() != 1 || p.late.Load() != 0 {
			t.Errorf("%d events are left, closed %d times", len(s.events), s.closed)
		}
	})
}

// TestSpoolSlow holds that events reach the spool while the policy is in a call, which
// may last as long as it likes: a process that is killed meanwhile has lost none.
func TestSpoolSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		s, p := &shelf{}, &fake{observe: func(context.Context, *policy.Event) error { <-goOn; return nil }}
		c := with(t, chain.Config{}, durable(s, p))
		l := c.Lease(1)
		l.Observe(event(0))
		synctest.Wait() // it is in the call
		for n := range uint64(10_000) {
			l.Observe(event(n))
			synctest.Wait()
		}
		if st := c.Status()[0].Events; st.Stored != 10_001 || st.Dropped != 0 || st.Queued != 0 {
			t.Errorf("%+v", st)
		}
		close(goOn)
		synctest.Wait()
		if st := c.Status()[0].Events; st.Delivered != 10_001 || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
		l.Release()
	})
}

// TestSpoolLater holds that a policy says itself when it is to be handed events again,
// and that this is no failure of it.
func TestSpoolLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var asked []time.Duration
		s, p := &shelf{}, &fake{}
		p.observe = func(context.Context, *policy.Event) error {
			asked = append(asked, time.Since(began))
			if len(asked) == 3 {
				return nil
			}
			return fmt.Errorf("no: %w", &policy.Later{After: time.Duration(len(asked)) * time.Hour, Err: errTrap})
		}
		c := with(t, chain.Config{}, durable(s, p))
		l := c.Lease(1)
		l.Observe(event(0))
		l.Release()
		<-time.After(4 * time.Hour)
		synctest.Wait()
		if want := []time.Duration{0, time.Hour, 3 * time.Hour}; !slices.Equal(asked, want) {
			t.Errorf("asked after %v, want %v", asked, want)
		}
		if st := c.Status()[0]; st.Events.Delivered != 1 || st.Failed != 0 || st.Events.Waiting != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestSpoolSwap holds that a swap hands the spool over, and that a candidate gets
// none of it before it is in force.
func TestSpoolSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, got := &shelf{}, map[string]int{}
		logger := func(name string, err error) *fake {
			return &fake{observe: func(context.Context, *policy.Event) error { got[name]++; return err }}
		}
		c := with(t, chain.Config{}, durable(s, logger("1", errTrap)))
		tell := func() {
			l := c.Lease(1)
			l.Observe(event(1))
			l.Release()
			synctest.Wait()
		}
		tell()
		swap(t, c, "a", logger("2", nil))
		<-time.After(time.Second)
		synctest.Wait()
		tell()
		if got["1"] != 1 || got["2"] != 2 {
			t.Errorf("%v", got)
		}
		canary(t, c, logger("3", nil), chain.Trial{})
		tell()
		if _, err := c.Promote("a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		tell()
		if got["2"] != 3 || got["3"] != 1 || s.closed != 0 {
			t.Errorf("%v", got)
		}
		if err := c.Replace(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s.closed != 1 {
			t.Error("a slot that is given up keeps its spool")
		}
	})
}

func TestSpoolFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		none := func() (chain.Spool, error) { return nil, errors.New("no disk") }
		s, p := &shelf{room: 5}, &fake{observe: func(context.Context, *policy.Event) error { return errTrap }}
		other := &shelf{}
		if _, err := chain.New(chain.Config{Clean: clean}, durable(other, &fake{}),
			chain.Slot{Name: "b", Policy: &fake{}, Options: chain.Options{Spool: none}}); err == nil || other.closed != 1 {
			t.Errorf("New: %v, closed %d times", err, other.closed)
		}
		c := with(t, chain.Config{}, durable(s, p))
		if err := c.Replace(durable(s, p), chain.Slot{Name: "b", Policy: &fake{}, Options: chain.Options{Spool: none}}); err == nil || len(c.Status()) != 1 {
			t.Errorf("Replace: %v", err)
		}
		l := c.Lease(1)
		for n := range uint64(8) {
			l.Observe(event(n))
		}
		l.Release()
		synctest.Wait()
		if st := c.Status()[0].Events; st.Added != 8 || st.Stored != 5 || st.Dropped != 3 {
			t.Errorf("%+v", st)
		}
	})
}

// TestBatches holds that events which wait are handed over 64 at a time, and that
// the one that a batcher fails at is lost, and none of those after it.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		p := &batcher{fake: &fake{}}
		p.take = func(n int) (int, error) {
			switch <-goOn; len(p.calls) {
			case 2:
				return 10, errTrap
			case 3:
				return 99, nil // more than there were
			case 4:
				return 0, nil // nothing, without a reason
			}
			return n, nil
		}
		c := start(t, p)
		l := c.Lease(1)
		defer l.Release()
		l.Observe(event(0))
		synctest.Wait()
		for n := uint64(1); n <= 200; n++ {
			l.Observe(event(n))
		}
		close(goOn)
		synctest.Wait()
		if want := []int{1, 64, 53, 64, 63, 64, 8}; !slices.Equal(p.calls, want) {
			t.Errorf("batches of %v, want %v", p.calls, want)
		}
		if st := c.Status()[0]; st.Events.Delivered != 199 || st.Events.Lost != 2 || st.Events.Added != 201 || st.Failed != 2 || st.Calls != 7 {
			t.Errorf("%+v", st)
		}
	})
}

// TestEventCounts reads the counters under full use: at every moment their sum is
// exact.
func TestEventCounts(t *testing.T) {
	p := &fake{}
	p.observe = func(_ context.Context, e *policy.Event) error {
		if e.Request%3 == 0 {
			return errTrap
		}
		return nil
	}
	c := start(t, p)
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			l := c.Lease(1)
			defer l.Release()
			for n := range uint64(20_000) {
				l.Observe(event(n))
			}
		})
	}
	done := make(chan struct{})
	go func() { users.Wait(); close(done) }()
	for busy := true; busy; {
		select {
		case <-done:
			busy = false
		default:
		}
		if st := c.Status()[0].Events; st.Added != st.Delivered+st.Lost+st.Dropped+uint64(st.Queued) {
			t.Fatalf("%+v", st)
		}
	}
	c.Close()
	st := c.Status()[0].Events
	if st.Added != 80_000 || st.Added != st.Delivered+st.Lost+st.Dropped || uint64(p.asked.Load()) > st.Delivered+st.Lost {
		t.Errorf("%+v, asked %d times", st, p.asked.Load())
	}
}

// BenchmarkObserve is what a session pays for an event whose observer is stuck, and
// for one whose observer keeps up.
func BenchmarkObserve(b *testing.B) {
	for _, stuck := range []bool{true, false} {
		b.Run(map[bool]string{true: "stuck", false: "batches"}[stuck], func(b *testing.B) {
			goOn := make(chan struct{})
			p := &batcher{fake: &fake{}}
			p.take = func(n int) (int, error) {
				if p.calls, p.got = p.calls[:0], p.got[:0]; stuck {
					<-goOn
				}
				return n, nil
			}
			c := start(b, p)
			l := c.Lease(1)
			e, times := event(1), newSpread()
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				l.Observe(e)
				times.add(time.Since(began))
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(times.p99()), "p99-ns")
			close(goOn)
			l.Release()
		})
	}
}
