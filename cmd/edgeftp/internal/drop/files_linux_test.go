package drop

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// What is no plain file of the owner's is refused, said once, and hangs nothing.
func TestStrangeFiles(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, module('x'), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		make func(path string) error
		word string
	}{
		"link":         {func(p string) error { return os.Symlink(outside, p) }, "symbolic link"},
		"inner link":   {func(p string) error { return os.Symlink("good.wasm", p) }, "symbolic link"},
		"dead link":    {func(p string) error { return os.Symlink("nowhere", p) }, "symbolic link"},
		"pipe":         {func(p string) error { return syscall.Mkfifo(p, 0o600) }, "not a regular file"},
		"directory":    {func(p string) error { return os.Mkdir(p, 0o700) }, "not a regular file"},
		"large":        {func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o600), os.Truncate(p, 200<<20)) }, "at most 8388608"},
		"everybody's":  {func(p string) error { return errors.Join(os.WriteFile(p, module('x'), 0o600), os.Chmod(p, 0o666)) }, "everybody may write to it"},
		"end of limit": {func(p string) error { return errors.Join(os.WriteFile(p, nil, 0o600), os.Truncate(p, 8<<20+1)) }, "8388609 bytes"},
	} {
		for _, suffix := range []string{".wasm", ".wasm.minisig", ".wasm.sha256"} {
			if suffix != ".wasm" && (name == "large" || name == "end of limit") {
				continue
			}
			t.Run(name+suffix, func(t *testing.T) {
				in(t, Options{}, func(y *yard) {
					y.write("good.wasm", module('g'))
					if suffix != ".wasm" {
						y.write("edge.wasm", module('a'))
					}
					if err := c.make(filepath.Join(y.dir, "edge"+suffix)); err != nil {
						t.Fatal(err)
					}
					y.pass(time.Hour)
					y.took(module('g'))
					y.said(1, c.word, "edge"+suffix)
					if err := os.Remove(filepath.Join(y.dir, "edge"+suffix)); err != nil {
						t.Fatal(err)
					}
					y.write("edge.wasm", module('b'))
					y.pass(3 * time.Second)
					y.took(module('b'))
				})
			})
		}
	}
}

// A file that is replaced between the look and the reading is left for later,
// whatever has taken its place.
func TestReplacedWhileRead(t *testing.T) {
	for name, replace := range map[string]func(path string) error{
		"file": func(p string) error { return os.WriteFile(p, module('b'), 0o600) },
		"pipe": func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"link": func(p string) error {
			return errors.Join(os.WriteFile(p+"2", module('b'), 0o600), os.Symlink("edge.wasm2", p))
		},
		"escape": func(p string) error { return os.Symlink("/etc/hostname", p) },
		"none":   func(string) error { return nil },
		"pipe with a writer": func(p string) error {
			if err := syscall.Mkfifo(p, 0o600); err != nil {
				return err
			}
			f, err := os.OpenFile(p, os.O_RDWR, 0)
			if err == nil {
				t.Cleanup(func() { _ = f.Close() })
			}
			return err
		},
		"hidden link": func(p string) error { // the same file by another way
			return errors.Join(os.Rename(p+".old", p+"2"), os.Symlink("edge.wasm2", p))
		},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "edge.wasm")
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, module('a'), 0o600); err != nil {
			t.Fatal(err)
		}
		before, err := root.Lstat("edge.wasm")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Rename(path, path+".old"), replace(path)); err != nil {
			t.Fatal(err)
		}
		data, err := readFile(root, "edge.wasm", before, 8<<20)
		// A link that leads out cannot be opened at all.
		if data != nil || !errors.Is(err, errMoved) && name != "escape" || err == nil {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
		if err := root.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A file that changes while it is read is not taken, be it in its bytes, its length
// or its name.
func TestChangedWhileRead(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"bytes":  func(p string) error { return os.WriteFile(p, module('b'), 0o600) },
		"longer": func(p string) error { return os.WriteFile(p, append(module('a'), 0), 0o600) },
		"cut":    func(p string) error { return os.Truncate(p, 9) },
		"name":   func(p string) error { return os.Rename(p, p+".old") },
		"file":   func(p string) error { return errors.Join(os.Rename(p, p+".old"), os.WriteFile(p, module('a'), 0o600)) },
		"":       func(string) error { return nil },
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "edge.wasm")
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-time.Minute) // as it is after two looks
		if err := errors.Join(os.WriteFile(path, module('a'), 0o600), os.Chtimes(path, long, long)); err != nil {
			t.Fatal(err)
		}
		f, err := root.Open("edge.wasm")
		if err != nil {
			t.Fatal(err)
		}
		before, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		data, err := readOpen(root, f, "edge.wasm", before)
		if name == "" && !bytes.Equal(data, module('a')) || name != "" && (data != nil || !errors.Is(err, errMoved)) {
			t.Errorf("%q: %d bytes, %v", name, len(data), err)
		}
		if err := errors.Join(f.Close(), root.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// A mode that is set right is a change.
func TestModeSetRight(t *testing.T) {
	in(t, Options{}, func(y *yard) {
		y.write("edge.wasm", module('a'))
		path := filepath.Join(y.dir, "edge.wasm")
		if err := os.Chmod(path, 0o646); err != nil {
			t.Fatal(err)
		}
		y.pass(time.Minute)
		y.took()
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		y.pass(time.Minute)
		y.took(module('a'))
	})
}

// A file that may not be read is taken as soon as it may, also if nothing else
// changes: here the reader changes.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "edge.wasm")
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.WriteFile(path, module('a'), 0o600)); err != nil {
		t.Fatal(err)
	}
	taken := 0
	var log lines
	w := newWatcher(dir, Options{Log: slog.New(&log)}.withDefaults(), func(context.Context, Candidate) error { taken++; return nil })
	b := silent()
	w.look(t.Context(), b)
	asStranger(t, path, func() {
		for range 3 {
			w.look(t.Context(), b)
		}
	})
	if taken != 0 || len(log.said) != 1 {
		t.Errorf("taken %d times, %q", taken, log.said)
	}
	w.look(t.Context(), b)
	if w.look(t.Context(), b); taken != 1 {
		t.Errorf("taken %d times, %q", taken, log.said)
	}
}

// lines is a slog.Handler that keeps the messages.
type lines struct{ said []string }

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.said = append(l.said, r.Message)
	return nil
}
func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *lines) WithGroup(string) slog.Handler      { return l }

func TestWatchRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	open := filepath.Join(dir, "open")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Mkdir(open, 0o777), os.Chmod(open, fs.ModeSticky|0o777)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, open, filepath.Join(dir, "none")} {
		if err := Watch(t.Context(), path, Options{}, nil); err == nil {
			t.Errorf("%s is watched", path)
		}
	}
}
