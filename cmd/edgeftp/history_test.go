package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

func kept(t *testing.T, dir string) *history {
	t.Helper()
	h, err := openHistory(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// The last 20 are kept, across restarts, each for the server's user alone; the same text
// twice is one.
func TestHistory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	h := kept(t, dir)
	for i := range 25 {
		for range 2 {
			n, err := h.add(fmt.Append(nil, "text ", i), "start", make([]string, 60), time.Now(), 0)
			if err != nil || n != uint64(i+1) {
				t.Fatalf("number %d, %v", n, err)
			}
		}
		if i%7 == 0 {
			h = kept(t, dir)
		}
	}
	list := kept(t, dir).entries(24)
	if len(list) != historyKept || list[0].Generation != 25 || list[0].Current || !list[1].Current || list[19].Generation != 6 || len(list[0].Changed) != historyChanged {
		t.Errorf("%d entries: %+v", len(list), list)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != historyKept+1 {
		t.Errorf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
	for ask, want := range map[uint64]string{0: "text 22", 25: "text 24", 6: "text 5"} {
		if text, n, err := h.text(ask, 24); err != nil || string(text) != want {
			t.Errorf("%d: %q as %d, %v", ask, text, n, err)
		}
	}
	var no *control.Refusal
	for _, ask := range []uint64{5, 26} {
		if _, _, err := h.text(ask, 24); !errors.As(err, &no) || no.Code != control.CodeConfigNone {
			t.Errorf("%d: %v", ask, err)
		}
	}
	if err := os.WriteFile(h.file(25), []byte("somebody else's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.text(25, 24); err == nil || !strings.Contains(err.Error(), "not what was kept") {
		t.Errorf("a text that was changed: %v", err)
	}
}

// A damaged index is put aside; what cannot be written is an error and changes nothing.
func TestHistoryDamaged(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"", "{", "[{}]", `[{"generation":2},{"generation":1}]`, `[{"generation":18446744073709551615}]`, "null x"} {
		if err := os.WriteFile(filepath.Join(dir, historyIndex), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h := kept(t, dir)
		if got, err := os.ReadFile(filepath.Join(dir, historyIndex+".damaged")); err != nil || string(got) != text || len(h.list) != 0 {
			t.Errorf("%q: %q is put aside, %v", text, got, err)
		}
		if n, err := h.add([]byte(text+"x"), "start", nil, time.Now(), 0); err != nil || n != 1 {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	h := kept(t, dir)
	h.dir = filepath.Join(dir, "gone")
	if _, err := h.add([]byte("new"), "start", nil, time.Now(), 0); err == nil || len(h.list) != 1 {
		t.Errorf("%v, %+v", err, h.list)
	}
}

// Whatever is in the index, it is read or put aside.
func FuzzHistory(f *testing.F) {
	f.Add([]byte(`[{"generation":1,"since":"2026-11-27T03:00:00Z","by":"start","sha256":"00","changed":["a"]}]`))
	f.Add([]byte(`null`))
	f.Add([]byte(`[{"generation":4503599627370496}]`))
	f.Fuzz(func(t *testing.T, index []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, historyIndex), index, 0o600); err != nil {
			t.Fatal(err)
		}
		h := kept(t, dir)
		before := len(h.list)
		n, err := h.add([]byte("text"), "start", nil, time.Now(), 0)
		if err != nil || n == 0 || (n > 1 && len(kept(t, dir).list) != min(before+1, historyKept)) || n == 1 && len(kept(t, dir).list) != 1 {
			t.Errorf("%d, %v", n, err)
		}
	})
}
