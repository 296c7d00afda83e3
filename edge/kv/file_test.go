package kv_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/kv"
)

func TestMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("no modes here")
		return
	}
	path := filepath.Join(t.TempDir(), "kv")
	open(t, path, kv.Options{})
	mode := func() fs.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	if mode() != 0o600 {
		t.Error(mode())
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, goodFile(t), 0o644); err != nil {
		t.Fatal(err)
	}
	path = other
	if open(t, path, kv.Options{}); mode() != 0o600 {
		t.Error(mode())
	}
}

// A file that another store has is an error, soon; and is free after its Close.
func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	s := open(t, path, kv.Options{})
	set(t, space(t, s, "p", 0), "a", "1", 0)
	for range 2 {
		began := time.Now()
		if _, err := kv.Open(path, kv.Options{LockWait: 100 * time.Millisecond}); !errors.Is(err, kv.ErrInUse) || !strings.Contains(err.Error(), path) {
			t.Error(err)
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("after %v", d)
		}
		if err := s.Sync(t.Context()); err != nil {
			t.Error(err)
		}
	}
	// Whoever waits gets it.
	opened := make(chan error, 1)
	go func() {
		next, err := kv.Open(path, kv.Options{LockWait: time.Minute})
		if err == nil {
			err = next.Close()
		}
		opened <- err
	}()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "none", "kv"), os.DevNull} {
		if s, err := kv.Open(path, kv.Options{}); err == nil || errors.Is(err, kv.ErrDamaged) || errors.Is(err, kv.ErrInUse) {
			t.Errorf("%s: %v, %v", path, s, err)
		}
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	set(t, space(t, open(t, empty, kv.Options{}), "p", 0), "a", "1", 0)
}

// A damaged file is refused with what to do, stays as it is, and is not kept open.
func TestDamaged(t *testing.T) {
	good := goodFile(t)
	value := bytes.Repeat([]byte{3}, 60)
	if !bytes.Contains(good, value) {
		t.Fatal("where is the value?")
	}
	// A store that wrote twice has left a copy in a page that is free again.
	flip := func(b []byte) []byte {
		return bytes.ReplaceAll(b, value, append([]byte{0x13}, value[1:]...))
	}
	for name, change := range map[string]func([]byte) []byte{
		"text":          func([]byte) []byte { return []byte("this is no key-value file\n") },
		"long text":     func([]byte) []byte { return bytes.Repeat([]byte("this is no key-value file\n"), 4000) },
		"nothing":       func(b []byte) []byte { return make([]byte, len(b)) },
		"cut":           func(b []byte) []byte { return b[:2*4096+100] },
		"cut early":     func(b []byte) []byte { return b[:100] },
		"a value":       flip,
		"page after it": func(b []byte) []byte { return append(b[:4*4096], make([]byte, len(b)-4*4096)...) },
	} {
		t.Run(name, func(t *testing.T) {
			bad, path := change(bytes.Clone(good)), filepath.Join(t.TempDir(), "kv")
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time it is not in use by the first
				_, err := kv.Open(path, kv.Options{LockWait: 100 * time.Millisecond})
				if !errors.Is(err, kv.ErrDamaged) || !strings.Contains(err.Error(), "move it away") || !strings.Contains(err.Error(), path) {
					t.Errorf("%v", err)
				}
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, bad) {
				t.Errorf("changed (%v)", err)
			}
		})
	}
}

// After many changes of all sizes the pages are what our reader takes them for.
func TestManyPages(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "kv"), newClock()
	s := reopen(t, nil, path, now)
	for round := range 3 {
		for n := range 40 {
			p := space(t, s, fmt.Sprint("space", n), 64<<20)
			for i := range 30 * n {
				val := value(i, 0)
				if (i+round)%3 != 0 {
					val = value(i, (i*i*37+round)%4097)
				}
				if err := p.Set(strings.Repeat(fmt.Sprint("k", i), 1+i%50), val, 0); err != nil {
					t.Fatal(err)
				}
				if (i+round)%7 == 0 {
					set(t, p, fmt.Sprint("k", i), "", time.Second)
				}
			}
		}
		now.pass(time.Minute)
		before := s.Stats().Spaces
		s.Sweep()
		s = reopen(t, s, path, now)
		for i, after := range s.Stats().Spaces {
			if i == 0 && len(s.Stats().Spaces) > 40 || after.Bytes > before[i+40-len(s.Stats().Spaces)].Bytes {
				t.Errorf("%+v, before %+v", after, before[i])
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A store whose file is taken from under it goes on in memory, and says so.
func TestCutWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	s, err := kv.Open(path, kv.Options{FlushEvery: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	p := space(t, s, "p", 1<<20)
	for i := range 100 {
		set(t, p, fmt.Sprint("key", i), strings.Repeat("v", 1000), 0)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	set(t, p, "key 1", "more", 0)
	set(t, p, "key1", "more", 0)
	first := s.Sync(t.Context())
	set(t, p, "after", "1", 0)
	second := s.Sync(t.Context())
	has(t, p, "key1", "more")
	has(t, p, "after", "1")
	closed := s.Close()
	if runtime.GOOS == "linux" && (first == nil || second == nil || closed == nil) {
		t.Errorf("no error: %v, %v, %v", first, second, closed)
	}
	if st := s.Stats(); (first != nil) != (st.Failures > 0) {
		t.Errorf("%+v", st)
	}
	t.Log(first)
	next, err := kv.Open(path, kv.Options{LockWait: 100 * time.Millisecond})
	switch {
	case errors.Is(err, kv.ErrInUse):
		t.Error("the file was not released")
	case err == nil:
		if err := next.Close(); err != nil {
			t.Error(err)
		}
	}
}
