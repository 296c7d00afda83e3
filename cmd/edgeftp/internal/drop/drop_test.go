package drop

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// module is one of three sections: a custom one, types, and another custom one of
// a great length.
func module(mark byte) []byte {
	m := []byte("\x00asm\x01\x00\x00\x00\x00\x03\x02ab\x01\x04\x01\x60\x00\x00\x00\x85\x01\x01")
	return append(m, bytes.Repeat([]byte{mark}, 132)...)
}

// yard is a directory that is watched in a bubble of time.
type yard struct {
	t    *testing.T
	dir  string
	bell bell
	hung int // how often the bell was hung up again

	mu   sync.Mutex // guards what the watcher writes
	got  []Candidate
	fail error
	log  bytes.Buffer
}

// Write takes a line of the log.
func (y *yard) Write(p []byte) (int, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.log.Write(p)
}

// refuse makes the taker fail from now on, or not, if err is nil.
func (y *yard) refuse(err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.fail = err
}

// in runs a test with a watch on a directory of its own.
func in(t *testing.T, o Options, test func(*yard)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		y := &yard{t: t, dir: dir, bell: silent()}
		y.bell.rung = make(chan struct{}, 1)
		y.bell.again = func() error { y.hung++; return nil }
		o.Log = slog.New(slog.NewTextHandler(y, nil))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		w := newWatcher(dir, o.withDefaults(), func(_ context.Context, c Candidate) error {
			y.mu.Lock()
			defer y.mu.Unlock()
			y.got = append(y.got, c)
			return y.fail
		})
		go func() { defer close(done); w.run(ctx, y.bell) }()
		synctest.Wait()
		test(y)
		cancel()
		<-done
	})
}

// pass lets time pass.
func (y *yard) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (y *yard) ring() {
	select {
	case y.bell.rung <- struct{}{}:
	default:
	}
}

func (y *yard) write(name string, data []byte) {
	y.t.Helper()
	if err := os.WriteFile(filepath.Join(y.dir, name), data, 0o644); err != nil {
		y.t.Fatal(err)
	}
	y.ring()
}

func (y *yard) rename(from, to string) {
	y.t.Helper()
	if err := os.Rename(filepath.Join(y.dir, from), filepath.Join(y.dir, to)); err != nil {
		y.t.Fatal(err)
	}
	y.ring()
}

// took checks what was offered since the last time, and returns the last of it.
func (y *yard) took(want ...[]byte) (last Candidate) {
	y.t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.got) != len(want) {
		y.t.Errorf("%d modules were offered, want %d\n%s", len(y.got), len(want), y.log.String())
	}
	for i, c := range y.got[:min(len(y.got), len(want))] {
		if !bytes.Equal(c.Module, want[i]) {
			y.t.Errorf("module %d has %d bytes, want %d", i, len(c.Module), len(want[i]))
		}
		last = c
	}
	y.got = nil
	return last
}

// said checks how many lines were logged, and that each holds one of the words.
func (y *yard) said(lines int, words ...string) {
	y.t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	text := strings.TrimSpace(y.log.String())
	if n := strings.Count(text+"\n", "\n"); text == "" && lines > 0 || text != "" && n != lines {
		y.t.Errorf("want %d lines:\n%s", lines, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			y.t.Errorf("the log does not say %q:\n%s", w, text)
		}
	}
	y.log.Reset()
}

func TestOffer(t *testing.T) {
	in(t, Options{}, func(y *yard) {
		y.write("edge.wasm.tmp", module('a'))
		y.rename("edge.wasm.tmp", "edge.wasm")
		y.write("lone.wasm.minisig", []byte("x"))
		y.write(".edge.wasm", module('x'))
		y.pass(1900 * time.Millisecond)
		y.took()
		y.pass(200 * time.Millisecond)
		if c := y.took(module('a')); c.Slot != "edge" || c.Path != filepath.Join(y.dir, "edge.wasm") || c.Signature != nil {
			t.Errorf("%+v", c)
		}
		y.pass(time.Hour)
		y.took()
		// Another file takes its place, then its bytes change, and then it goes.
		y.write("x", module('b'))
		y.rename("x", "edge.wasm")
		y.pass(3 * time.Second)
		y.took(module('b'))
		y.write("edge.wasm", module('c'))
		y.write("other.wasm", module('d'))
		y.pass(3 * time.Second)
		y.took(module('c'), module('d'))
		y.said(0)
		if err := os.Remove(filepath.Join(y.dir, "edge.wasm")); err != nil {
			t.Fatal(err)
		}
		y.pass(time.Minute)
		y.took()
		y.said(1, "was removed", "policy=edge")
		y.write("edge.wasm", module('c'))
		y.pass(3 * time.Second)
		y.took(module('c'))
	})
}

// The bell may be silent: the directory is looked at all the same.
func TestSilentBell(t *testing.T) {
	in(t, Options{Settle: time.Second, Poll: 20 * time.Second}, func(y *yard) {
		if err := os.WriteFile(filepath.Join(y.dir, "edge.wasm"), module('a'), 0o644); err != nil {
			t.Fatal(err)
		}
		y.pass(19 * time.Second)
		y.took()
		y.pass(3 * time.Second)
		y.took(module('a'))
	})
}

// A file that grows is never offered, however slowly, until it is whole.
func TestPartial(t *testing.T) {
	in(t, Options{}, func(y *yard) {
		full := module('a')
		y.write("edge.wasm.sha256", fmt.Appendf(nil, "%x  edge.wasm\n", sha256.Sum256(full)))
		for n := range len(full) {
			y.write("edge.wasm", full[:n])
			y.pass(time.Duration(n%3) * 1500 * time.Millisecond)
			y.took()
		}
		y.write("edge.wasm", full)
		y.pass(3 * time.Second)
		y.took(full)
	})
	// Without a digest, the form tells, but for ends of sections.
	in(t, Options{}, func(y *yard) {
		full := module('a')
		ends := map[int]bool{8: true, 13: true, 19: true}
		for n := range len(full) {
			if !ends[n] {
				y.write("edge.wasm", full[:n])
				y.pass(5 * time.Second)
			}
		}
		y.took()
		y.said(len(full)-len(ends), "not complete yet")
		y.write("edge.wasm", full)
		y.pass(3 * time.Second)
		y.took(full)
	})
}

// What is written faster than a file can settle is not even read.
func TestGrowing(t *testing.T) {
	in(t, Options{}, func(y *yard) {
		text := []byte("<html>")
		for range 100 {
			text = append(text, 'x')
			y.write("edge.wasm", text)
			y.pass(700 * time.Millisecond)
		}
		y.took()
		y.said(0)
		y.pass(2 * time.Second)
		y.took(text) // for the loader to say what it is
	})
}

func TestRefusedOnce(t *testing.T) {
	in(t, Options{}, func(y *yard) {
		y.refuse(errors.New("EF2107: not WebAssembly"))
		y.write("edge.wasm", module('a'))
		y.pass(time.Hour)
		y.took(module('a'))
		y.said(1, "EF2107", "policy=edge", "stays")
		y.write("edge.wasm.minisig", []byte("signature")) // one of its files changes
		y.pass(time.Hour)
		y.took(module('a'))
		y.refuse(nil)
		y.write("edge.wasm", module('b'))
		y.pass(time.Hour)
		y.took(module('b'))
		y.said(1)
	})
}

func TestSigned(t *testing.T) {
	in(t, Options{Signed: true}, func(y *yard) {
		y.write("edge.wasm", module('a'))
		y.pass(time.Minute)
		y.took()
		y.said(1, "edge.wasm.minisig")
		y.write("edge.wasm.minisig", nil)
		y.pass(time.Minute)
		y.took()
		y.write("edge.wasm.minisig", []byte("signature"))
		y.pass(time.Minute)
		if c := y.took(module('a')); string(c.Signature) != "signature" {
			t.Errorf("signature %q", c.Signature)
		}
	})
}

func TestDigestFile(t *testing.T) {
	sum := fmt.Sprintf("%x", sha256.Sum256(module('a')))
	for text, word := range map[string]string{
		sum: "", sum + "  edge.wasm\n": "", strings.ToUpper(sum) + " *edge.wasm\r\n": "", "sha256:" + sum + "\n": "",
		"": "is empty", sum[:63]: "sha256sum", "hello": "sha256sum", "sha256:": "is empty",
		strings.Repeat("0", 64): "says 0000", strings.Repeat("0", 2000): "at most 1024",
	} {
		in(t, Options{}, func(y *yard) {
			y.write("edge.wasm", module('a'))
			y.write("edge.wasm.sha256", []byte(text))
			y.pass(time.Hour)
			if word == "" {
				y.took(module('a'))
				return
			}
			y.took()
			y.said(1, word)
			y.write("edge.wasm.sha256", []byte(sum))
			y.pass(3 * time.Second)
			y.took(module('a'))
		})
	}
}

func TestDirectoryChanges(t *testing.T) {
	in(t, Options{}, func(y *yard) {
		mode := func(m os.FileMode) {
			t.Helper()
			if err := os.Chmod(y.dir, m); err != nil {
				t.Fatal(err)
			}
		}
		mode(0o777)
		y.write("edge.wasm", module('a'))
		y.pass(time.Hour)
		y.took()
		y.said(1, "everybody may write")
		mode(0o755)
		y.pass(time.Minute)
		y.took(module('a'))
		// Another directory takes its place.
		if err := errors.Join(os.Rename(y.dir, y.dir+".old"), os.Mkdir(y.dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		y.write("edge.wasm", module('b'))
		y.pass(time.Minute)
		y.took(module('b'))
		if err := os.RemoveAll(y.dir); err != nil {
			t.Fatal(err)
		}
		y.pass(time.Hour)
		y.said(1, "no policy module is taken")
		if err := os.Mkdir(y.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		y.write("edge.wasm", module('c'))
		y.pass(time.Minute)
		y.took(module('c'))
		if y.hung != 3 { // at the start, and for each of the new ones
			t.Errorf("the bell was hung up %d times", y.hung)
		}
	})
}

func TestTooManyFiles(t *testing.T) {
	in(t, Options{}, func(y *yard) {
		for i := range maxNames + 1 {
			y.write(fmt.Sprint(i), nil)
		}
		y.write("edge.wasm", module('a'))
		y.pass(time.Hour)
		y.took()
		y.said(1, "more than 4096 files")
	})
}

func TestWhole(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "\x00": false, "\x00as": false, "\x00asm\x01\x00\x00": false, "\x00asm\x01\x00\x00\x00": true, "\x00asx": true, "<": true,
		"PK\x03\x04 and so on": true, "\x00asm\x01\x00\x00\x00\x00": false, "\x00asm\x01\x00\x00\x00\x00\x80\x80\x80\x80": false,
		"\x00asm\x01\x00\x00\x00\x00\x80\x80\x80\x80\x80": true, "\x00asm\x01\x00\x00\x00\x00\xff\xff\xff\xff\x7f": false,
		"\x00asm\x0d\x00\x01\x00\x00\x02a": false, string(module('a')): true, string(module('a')) + "\x00": false,
	} {
		if got := whole([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
