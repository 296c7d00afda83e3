package kv

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A copy is a store that has all that was there, and the original goes on.
func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(filepath.Join(dir, "a.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	space, err := s.Space("x", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := space.Set("k", []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	var copied bytes.Buffer
	if err := s.Snapshot(t.Context(), &copied); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no room for it")
	if err := s.Snapshot(t.Context(), failing{full}); err == nil || !strings.Contains(err.Error(), "no room for it") {
		t.Errorf("a writer that fails: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Snapshot(ended, &bytes.Buffer{}); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := space.Set("k", []byte("w"), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Snapshot(t.Context(), &bytes.Buffer{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	path := filepath.Join(dir, "b.db")
	if err := os.WriteFile(path, copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if space, err = s.Space("x", 0); err != nil {
		t.Fatal(err)
	}
	if v, ok := space.Get("k"); !ok || string(v) != "v" {
		t.Errorf("%q, %v", v, ok)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
