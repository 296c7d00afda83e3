package kv_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// count reads a counter, 0 if it is not there.
func count(t *testing.T, p policy.KV, key string) int64 {
	t.Helper()
	v, ok := p.Get(key)
	if !ok {
		return 0
	}
	if len(v) != 8 {
		t.Fatalf("%s is no counter: %q", key, v)
	}
	return int64(binary.LittleEndian.Uint64(v))
}

// successor is a store that takes over what another hands over to it.
func successor(t *testing.T, old *kv.Store, path string, opt kv.Options) *kv.Store {
	t.Helper()
	var next atomic.Pointer[kv.Store]
	opened := make(chan struct{})
	err := old.HandOver(t.Context(), func(changes []kv.Change) error {
		<-opened
		return next.Load().Take(changes)
	})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, path, opt)
	next.Store(s)
	close(opened)
	return s
}

// TestHandOver has a successor open the file while the old store goes on: it has what was
// there, and learns what comes; what both count is added up.
func TestHandOver(t *testing.T) {
	path, opt := filepath.Join(t.TempDir(), "state.db"), kv.Options{FlushEvery: time.Millisecond}
	old := open(t, path, opt)
	a := space(t, old, "quota", 0)
	set(t, a, "kept", "as it is", 0)
	set(t, a, "changed", "before", 0)
	set(t, a, "gone", "soon", 0)
	for range 5 {
		_, _ = a.Incr("bytes", 100, time.Hour)
	}
	next := successor(t, old, path, opt)
	b := space(t, next, "quota", 0)
	has(t, b, "kept", "as it is")
	if got := count(t, b, "bytes"); got != 500 {
		t.Fatalf("the successor begins with %d", got)
	}
	set(t, a, "changed", "after", 0)
	set(t, a, "empty", "", 0)
	if err := a.Set("gone", nil, 0); err != nil {
		t.Fatal(err)
	}
	_, _ = a.Incr("bytes", 7, 0)
	_, _ = b.Incr("bytes", 30, 0)
	_, _ = a.Incr("of both", 1, time.Hour)
	_, _ = b.Incr("of both", 2, time.Hour)
	set(t, a, "set and counted", "12345678", 0)
	_, _ = a.Incr("set and counted", 1, 0)
	if err := old.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _ = a.Incr("set and counted", 2, 0)
	_, _ = b.Incr("set and counted", 4, 0)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	want := binary.LittleEndian.Uint64([]byte("12345678")) + 7
	if got := count(t, b, "set and counted"); got != int64(want) {
		t.Errorf("what was set and then counted is %d, want %d", got, want)
	}
	has(t, b, "changed", "after")
	has(t, b, "empty", "")
	if _, there := b.Get("gone"); there {
		t.Error("what the old store removed is there")
	}
	if got := count(t, b, "bytes"); got != 537 {
		t.Errorf("both have counted 537, the successor has %d", got)
	}
	if got := count(t, b, "of both"); got != 3 {
		t.Errorf("both have counted 3, the successor has %d", got)
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	last := open(t, path, opt)
	if got := count(t, space(t, last, "quota", 0), "bytes"); got != 537 {
		t.Errorf("the file has %d", got)
	}
	if err := old.HandOver(t.Context(), nil); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("a closed store is handed over: %v", err)
	}
}

// TestHandOverUnderLoad counts in both stores, from many sides, before, during and after
// the handing over, twice in a row: no count is lost and none is counted twice.
func TestHandOverUnderLoad(t *testing.T) {
	path, opt := filepath.Join(t.TempDir(), "state.db"), kv.Options{FlushEvery: time.Millisecond, FlushAt: 8}
	stores := []*kv.Store{open(t, path, opt)}
	var sum [24]atomic.Int64
	var counting sync.WaitGroup
	stop := make(chan struct{})
	use := func(s *kv.Store) {
		p := space(t, s, "counters", 0)
		for seed := range uint64(3) {
			counting.Go(func() {
				r := rand.New(rand.NewPCG(seed, 1))
				for {
					select {
					case <-stop:
						return
					default:
					}
					n, delta := r.IntN(len(sum)), r.Int64N(9)-2
					if _, err := p.Incr(fmt.Sprint(n), delta, 0); err == nil {
						sum[n].Add(delta)
					}
				}
			})
		}
	}
	use(stores[0])
	for range 2 {
		next := successor(t, stores[len(stores)-1], path, opt)
		stores = append(stores, next)
		use(next)
		p := space(t, next, "counters", 0)
		before, _ := p.Incr("0", 0, 0)
		for range 200 { // until something came from elsewhere
			if now, _ := p.Incr("0", 0, 0); now != before {
				break
			}
			<-time.After(time.Millisecond)
		}
	}
	close(stop)
	counting.Wait()
	for _, s := range stores[:2] { // the oldest first: its changes go through the next
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p := space(t, stores[2], "counters", 0)
	for n := range sum {
		if got := count(t, p, fmt.Sprint(n)); got != sum[n].Load() {
			t.Errorf("counter %d is %d, %d were counted", n, got, sum[n].Load())
		}
	}
}

// TestTakeBack has a successor that fails: the file is the old store's again, and has all.
func TestTakeBack(t *testing.T) {
	path, opt := filepath.Join(t.TempDir(), "state.db"), kv.Options{FlushEvery: time.Millisecond}
	s := open(t, path, opt)
	a := space(t, s, "a", 0)
	set(t, a, "removed meanwhile", "x", 0)
	set(t, a, "changed meanwhile", "x", 0)
	dead := errors.New("the successor is gone")
	if err := s.HandOver(t.Context(), func([]kv.Change) error { return dead }); err != nil {
		t.Fatal(err)
	}
	_, _ = a.Incr("counter", 3, 0)
	set(t, a, "changed meanwhile", "y", 0)
	if err := a.Set("removed meanwhile", nil, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); !errors.Is(err, dead) {
		t.Errorf("what the successor did not take is said to be safe: %v", err)
	}
	other := open(t, path, opt)
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.TakeBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _ = a.Incr("counter", 4, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p := space(t, open(t, path, opt), "a", 0)
	has(t, p, "changed meanwhile", "y")
	if _, there := p.Get("removed meanwhile"); there {
		t.Error("what was removed while there was no file is there again")
	}
	if got := count(t, p, "counter"); got != 7 {
		t.Errorf("the counter is %d, want 7", got)
	}
}

// TestTakeBackTold has a successor that fails after it was told of changes: the file, which
// it has not written, gets them all the same.
func TestTakeBackTold(t *testing.T) {
	path, opt := filepath.Join(t.TempDir(), "state.db"), kv.Options{FlushEvery: time.Millisecond}
	s := open(t, path, opt)
	a := space(t, s, "a", 0)
	set(t, a, "removed", "x", 0)
	set(t, a, "changed", "x", 0)
	if err := s.HandOver(t.Context(), func([]kv.Change) error { return nil }); err != nil {
		t.Fatal(err)
	}
	set(t, a, "changed", "y", 0)
	if err := errors.Join(a.Set("removed", nil, 0), s.Sync(t.Context()), s.TakeBack(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
	p := space(t, open(t, path, opt), "a", 0)
	has(t, p, "changed", "y")
	if _, there := p.Get("removed"); there {
		t.Error("what was removed while there was no file is there again")
	}
}

// TestHandOverExpired has a counter whose time is over in both stores: that the old one
// sweeps it takes nothing from what the successor has begun.
func TestHandOverExpired(t *testing.T) {
	path, clock := filepath.Join(t.TempDir(), "state.db"), newClock()
	old := open(t, path, clock.options())
	a := space(t, old, "a", 0)
	_, _ = a.Incr("window", 5, time.Second)
	if err := old.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := successor(t, old, path, clock.options())
	b := space(t, next, "a", 0)
	clock.pass(2 * time.Second)
	_, _ = b.Incr("window", 1, time.Second)
	old.Sweep()
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if got := count(t, b, "window"); got != 1 {
		t.Errorf("the successor's window is %d, want 1", got)
	}
}

func TestTakeHostile(t *testing.T) {
	s := open(t, "", kv.Options{})
	for _, c := range []kv.Change{{}, {Space: "a"}, {Key: "a"}, {Space: "a", Key: "a", Value: make([]byte, policy.MaxKVValue+1)}} {
		if err := s.Take([]kv.Change{c}); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	if err := s.HandOver(t.Context(), nil); !errors.Is(err, kv.ErrNoFile) {
		t.Errorf("a store in memory is handed over: %v", err)
	}
	space(t, s, "full", 200)
	if err := s.Take([]kv.Change{{Space: "full", Key: "a", Value: make([]byte, 100)}, {Space: "full", Key: "b"}}); err == nil {
		t.Error("what has no room was taken without a word")
	}
}
