package drop

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The real thing: the system tells of the file, and of one in a directory that
// took the first one's place.
func TestWatch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "watched")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(mark byte) {
		t.Helper()
		path := filepath.Join(dir, "edge.wasm")
		if err := errors.Join(os.WriteFile(path+".tmp", module(mark), 0o600), os.Rename(path+".tmp", path)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got, done := make(chan Candidate), make(chan error, 1)
	// No look comes by itself while the test runs.
	o := Options{Settle: 10 * time.Millisecond, Poll: time.Hour}
	go func() {
		done <- Watch(ctx, dir, o, func(_ context.Context, c Candidate) error { got <- c; return nil })
	}()
	next := func(mark byte) {
		t.Helper()
		select {
		case c := <-got:
			if !bytes.Equal(c.Module, module(mark)) {
				t.Errorf("another module than %q", mark)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("module %q was not offered", mark)
		}
	}
	for _, mark := range []byte("abc") {
		put(mark)
		next(mark)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The bell is hung up again where another directory took the place.
func TestBellAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "watched")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := newBell(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	rung := func() {
		t.Helper()
		select {
		case <-b.rung:
		case <-time.After(30 * time.Second):
			t.Fatal("the bell does not ring")
		}
	}
	for _, away := range []func() error{func() error { return os.Remove(dir) }, func() error { return os.Rename(dir, dir+".old") }} {
		if err := away(); err != nil {
			t.Fatal(err)
		}
		rung()
		if err := errors.Join(os.Mkdir(dir, 0o755), b.again()); err != nil {
			t.Fatal(err)
		}
		for empty := false; !empty; { // the rings of what has been
			select {
			case <-b.rung:
			case <-time.After(50 * time.Millisecond):
				empty = true
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "x"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		rung()
		if err := os.Remove(filepath.Join(dir, "x")); err != nil {
			t.Fatal(err)
		}
		rung()
	}
}
