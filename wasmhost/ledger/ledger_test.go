package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

func reopen(t testing.TB, dir string, o Options) *Ledger {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func accept(t testing.TB, l *Ledger, slot, text string, at int64) trust.Digest {
	t.Helper()
	if err := l.Accept(slot, []byte(text), trust.Accepted{Version: text, At: time.Unix(at, 0)}); err != nil {
		t.Fatal(err)
	}
	return trust.Sum([]byte(text))
}

func TestHistory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "policies")
	l := reopen(t, dir, Options{})
	if _, ok := l.Newest("a"); ok || l.Slots() != nil || l.History("a") != nil {
		t.Error("a new ledger is not empty")
	}
	full := trust.Accepted{Version: "1.0.0", Signer: "D38ECC2282D7913B", Source: strings.Repeat("x", 999) + "ü",
		At: time.Date(2026, 5, 4, 3, 2, 1, 5, time.FixedZone("", 7200))}
	if err := l.Accept("b", []byte("b1"), full); err != nil {
		t.Fatal(err)
	}
	for i, v := range []string{"1", "2", "3", "4", "5", "6", "7", "5"} {
		accept(t, l, "a", v, int64(i))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, dir, Options{})
	if got := state(l); got != "a: 5 7 6 4 3 2\nb: 1.0.0\n" {
		t.Errorf("%q", got)
	}
	newest, _ := l.Newest("a")
	previous, ok := l.Previous("a")
	if !ok || newest.Version != "5" || newest.At.Unix() != 7 || previous.Version != "7" {
		t.Errorf("%+v, %+v", newest, previous)
	}
	want := full
	want.Digest, want.At, want.Source = trust.Sum([]byte("b1")), full.At.UTC(), strings.Repeat("x", 999)+"?"
	if got, _ := l.Newest("b"); got.Accepted != want || got.Size != 2 {
		t.Errorf("%+v, want %+v", got, want)
	}
	if b, err := l.Module(previous.Digest); err != nil || string(b) != "7" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := l.Module(trust.Sum([]byte("1"))); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, ok := l.Previous("b"); ok {
		t.Error("b has a previous module")
	}
	for name, err := range map[string]error{"digest": l.Accept("a", nil, trust.Accepted{Digest: want.Digest}),
		"empty": l.Accept("", nil, trust.Accepted{}), "long": l.Accept(strings.Repeat("a", 101), nil, trust.Accepted{}),
		"bytes": l.Accept("\xff", nil, trust.Accepted{})} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	info, err := os.Stat(filepath.Join(dir, fileName(previous.Digest)))
	if err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("%v, %v", info, err)
	}
}

func TestChangedModule(t *testing.T) {
	dir := t.TempDir()
	l := reopen(t, dir, Options{})
	d := accept(t, l, "a", "module", 1)
	file := filepath.Join(dir, fileName(d))
	for name, spoil := range map[string]func() error{
		"changed": func() error { return os.WriteFile(file, []byte("modulE"), 0o600) },
		"longer":  func() error { return os.WriteFile(file, []byte("module+"), 0o600) },
		"shorter": func() error { return os.WriteFile(file, nil, 0o600) },
		"gone":    func() error { return os.Remove(file) },
		"link": func() error {
			return errors.Join(os.Remove(file), os.WriteFile(file+"x", []byte("module"), 0o600), os.Symlink(filepath.Base(file)+"x", file))
		},
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if b, err := l.Module(d); !errors.Is(err, ErrChanged) || b != nil {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		accept(t, l, "a", "module", 2) // which puts it right
		if b, err := l.Module(d); err != nil || string(b) != "module" {
			t.Errorf("%s, accepted again: %q, %v", name, b, err)
		}
	}
}

func TestBounds(t *testing.T) {
	l := reopen(t, t.TempDir(), Options{Previous: 3, MaxBytes: 10})
	accept(t, l, "a", "aa1", 1)
	accept(t, l, "b", "bb1", 2)
	accept(t, l, "a", "aa2", 3)
	accept(t, l, "b", "bb2", 4)  // aa1 goes
	accept(t, l, "b", "aa2", 5)  // shared
	accept(t, l, "b", "bbb3", 6) // bb1 goes
	if got := state(l); got != "a: aa2\nb: bbb3 aa2 bb2\n" {
		t.Errorf("%q", got)
	}
	if err := l.Accept("c", []byte("cccc"), trust.Accepted{}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if err := l.Accept("a", []byte("12345678901"), trust.Accepted{}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if got := state(l); got != "a: aa2\nb: bbb3 aa2 bb2\n" {
		t.Errorf("after a refusal: %q", got)
	}
	none := reopen(t, t.TempDir(), Options{Previous: -1})
	accept(t, none, "a", "1", 1)
	accept(t, none, "a", "2", 2)
	if got := state(none); got != "a: 2\n" {
		t.Errorf("%q", got)
	}
}

func TestCorrupt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	l := reopen(t, dir, Options{})
	d := accept(t, l, "a", "module", 1)
	_ = l.Close()
	path := filepath.Join(dir, indexName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spoil := map[string]string{"empty": "", "cut": string(good[:len(good)/2]), "more": string(good) + "{}", "null": "null",
		"list": "[]", "no slots": `{"format":1}`, "another format": strings.Replace(string(good), `"format": 1`, `"format": 2`, 1),
		"another key": strings.Replace(string(good), `"size"`, `"seize"`, 1), "no digest": `{"format":1,"slots":{"a":[{"size":1,"accepted_at":"2026-01-01T00:00:00Z"}]}}`,
		"path": strings.Replace(string(good), "sha256:", "sha256:../", 1), "size": strings.Replace(string(good), `"size": 6`, `"size": -6`, 1),
		"empty slot": `{"format":1,"slots":{"a":[]}}`, "no name": strings.Replace(string(good), `"a":`, `"":`, 1)}
	for name, text := range spoil {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if l, err := Open(dir, Options{}); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "help:") {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("without an index: %v", err)
	}
	for _, want := range []string{dir + ".bad", dir + ".bad-2"} {
		aside, err := SetAside(dir)
		if err != nil || aside != want {
			t.Fatalf("%q, %v", aside, err)
		}
		_ = reopen(t, dir, Options{}).Close()
	}
	if b, err := os.ReadFile(filepath.Join(dir+".bad", fileName(d))); err != nil || string(b) != "module" {
		t.Errorf("the module is lost: %q, %v", b, err)
	}
}

func TestOpenDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	_ = reopen(t, dir, Options{}).Close()
	stray := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_ = reopen(t, dir, Options{}).Close()
	if _, err := os.Stat(stray); err != nil {
		t.Errorf("a stranger's file was removed: %v", err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); err == nil {
			t.Error("a directory in which all may write was taken")
		}
	}
	if _, err := Open(stray, Options{}); err == nil {
		t.Error("a file was taken for a directory")
	}
}

func TestForget(t *testing.T) {
	dir := t.TempDir()
	l := reopen(t, dir, Options{})
	d := accept(t, l, "a", "1", 1)
	accept(t, l, "b", "2", 1)
	for range 2 {
		if err := l.Forget("a"); err != nil {
			t.Fatal(err)
		}
	}
	if got := state(l); got != "b: 2\n" {
		t.Errorf("%q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, fileName(d))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the module stays: %v", err)
	}
}

func FuzzIndex(f *testing.F) {
	good, err := slots{}.with("a", Entry{Accepted: trust.Accepted{Digest: trust.Sum(nil), Version: "1"}, Size: 3}, 5).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":1,"slots":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := decode(text)
		if err != nil {
			return
		}
		again, err := s.encode()
		if err != nil {
			return // a great text may become a greater one
		}
		if _, err := decode(again); err != nil {
			t.Errorf("%q became %q: %v", text, again, err)
		}
	})
}
