package kv

import (
	"path/filepath"
	"testing"
	"time"
)

// A write that fails and may be in the file all the same is made again, and so is a
// removal; one that is not in the file leaves nothing behind.
func TestUncertain(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "kv"), Options{FlushEvery: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.Sync(t.Context()); err != nil { // the writer has begun, and waits
		t.Fatal(err)
	}
	kv, err := s.Space("p", 0)
	if err != nil {
		t.Fatal(err)
	}
	sp, sh := kv.(*space), kv.(*space).shard("a")
	attempt := func(landed bool, meanwhile func()) {
		t.Helper()
		var b batch
		if b.collect(sp, sh, 1); len(b.ops) != 1 {
			t.Fatalf("%d to write", len(b.ops))
		}
		meanwhile()
		s.settle(&b.ops[0], landed, true)
	}
	want := func(entries, dirty int) {
		t.Helper()
		if n := s.queue.unwritten.Load(); len(sh.entries) != entries || sh.dirty.len() != dirty || int(n) != dirty {
			t.Errorf("%d entries, %d dirty, %d unwritten; want %d, %d", len(sh.entries), sh.dirty.len(), n, entries, dirty)
		}
	}
	change := func(value []byte) func() {
		return func() {
			if err := kv.Set("a", value, 0); err != nil {
				t.Error(err)
			}
		}
	}
	change([]byte("1"))()
	attempt(false, func() {})
	want(1, 1)
	attempt(false, change([]byte("2")))
	want(1, 1)
	attempt(false, change(nil)) // never in the file: there is nothing to remove
	want(0, 0)
	change([]byte("1"))()
	attempt(true, change(nil))
	want(1, 1)
	attempt(true, func() {})
	want(1, 1)
	attempt(false, change([]byte("3")))
	want(1, 1)
	change(nil)()
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(0, 0)
}
