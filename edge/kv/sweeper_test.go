package kv

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// What the sweeper has freed while a Set looked for room is room for it.
func TestRoomOfTheSweeper(t *testing.T) {
	began := time.Now()
	var late atomic.Bool
	var meanwhile func()
	now := func() time.Time {
		if !late.Load() {
			return began
		}
		if do := meanwhile; do != nil { // the Set looks for what has vanished, and somebody else was faster
			meanwhile = nil
			do()
		}
		return began.Add(time.Hour)
	}
	s, err := Open(filepath.Join(t.TempDir(), "kv"), Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	kv, err := s.Space("a", 4096)
	if err != nil {
		t.Fatal(err)
	}
	if err := kv.Set("old", make([]byte, 3000), time.Minute); err != nil {
		t.Fatal(err)
	}
	meanwhile = func() { s.sweepOnce() }
	late.Store(true)
	if err := kv.Set("new", make([]byte, 3000), 0); err != nil {
		t.Errorf("Set: %v", err)
	}
}
