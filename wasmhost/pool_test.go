package wasmhost

import (
	"runtime"
	"testing"
	"time"
)

// A call that waits for an instance is counted when it begins to, and its time when it ends.
func TestPoolCountsWaits(t *testing.T) {
	p := newPool(1)
	if _, ok := p.quick(); !ok {
		t.Fatal("the only place is not free")
	}
	served := make(chan error)
	go func() {
		_, err := p.take(t.Context(), time.Hour)
		served <- err
	}()
	waits := func() uint64 {
		_, _, n := p.counts()
		return n
	}
	for waits() == 0 {
		runtime.Gosched()
	}
	over := func() (n uint64) {
		for i := range p.lengths {
			n += p.lengths[i].Load()
		}
		return n
	}
	if n := over(); n != 0 {
		t.Errorf("%d waits are over", n)
	}
	p.give(nil)
	if err := <-served; err != nil || over() != 1 || waits() != 1 {
		t.Errorf("%v; %d of %d waits are over", err, over(), waits())
	}
}

// The entry of a wait is the one whose bound is the next power of two.
func TestPoolWaitLengths(t *testing.T) {
	for d, entry := range map[time.Duration]int{-1: 0, 0: 0, 63: 0, 64: 1, 127: 1, 128: 2, time.Second: 24, time.Hour: WaitBuckets - 1} {
		p := newPool(1)
		p.hasWaited(d)
		if n := p.lengths[entry].Load(); n != 1 {
			t.Errorf("%v is not in entry %d", d, entry)
		}
	}
}
