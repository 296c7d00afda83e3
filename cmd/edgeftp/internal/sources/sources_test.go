package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// put writes a file as a whole, so that it changes once.
func put(t *testing.T, path, text string) {
	t.Helper()
	dir, name := filepath.Split(path)
	tmp := filepath.Join(dir, "."+name+".put")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(tmp, []byte(text), 0o644), os.Rename(tmp, path)); err != nil {
		t.Fatal(err)
	}
}

// rig is a watch of a folder that runs.
type rig struct {
	*Watch
	dir  string
	told chan []string
	log  *lockedLog
	stop func()

	before map[string]bool // names that were wanted
}

type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func watching(t *testing.T, o Options, files ...string) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir(), told: make(chan []string, 1000), log: &lockedLog{}}
	for _, f := range files {
		put(t, filepath.Join(r.dir, f), "first")
	}
	o.Log = slog.New(slog.NewTextHandler(r.log, nil))
	r.Watch = New(r.dir, o)
	r.run(t)
	return r
}

func (r *rig) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx, func(_ context.Context, names []string) { r.told <- names })
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(r.stop)
}

// wants waits for the files to be told, at once or one after the other. Those that
// were wanted before may be told once more: a file that is written in place is empty
// for a moment.
func (r *rig) wants(t *testing.T, names ...string) {
	t.Helper()
	missing := slices.Clone(names)
	for late := time.After(20 * time.Second); len(missing) > 0; {
		select {
		case more := <-r.told:
			for _, name := range more {
				if !slices.Contains(names, name) && !r.before[name] {
					t.Fatalf("told %q, want %q; %s", more, names, r.log)
				}
			}
			missing = slices.DeleteFunc(missing, func(name string) bool { return slices.Contains(more, name) })
		case <-late:
			t.Fatalf("%q of %q are not told; %s", missing, names, r.log)
		}
	}
	if r.before == nil {
		r.before = map[string]bool{}
	}
	for _, name := range names {
		r.before[name] = true
	}
}

// quiet fails if anything is told until a change of a file of its own has been.
func (r *rig) quiet(t *testing.T) {
	t.Helper()
	r.before = nil
	put(t, filepath.Join(r.dir, "mark"), time.Now().String())
	r.wants(t, "mark")
}

// However a file is saved, it is told once.
func TestSaving(t *testing.T) {
	r := watching(t, Options{Poll: time.Minute}, "main.go", "sub/b.go")
	in := func(name string) string { return filepath.Join(r.dir, name) }
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(os.WriteFile(in("main.go"), []byte("in place"), 0o644))
	r.wants(t, "main.go")
	// As vim does: the old one away, a new one in its place, the old one removed.
	put(t, in("4913"), "")
	ok(os.Remove(in("4913")))
	ok(os.Rename(in("main.go"), in("main.go~")))
	put(t, in("main.go"), "renamed away")
	ok(os.Remove(in("main.go~")))
	r.wants(t, "main.go")
	// As others do: written beside and renamed.
	put(t, in(".main.go.tmp"), "renamed here")
	ok(os.Rename(in(".main.go.tmp"), in("main.go")))
	r.wants(t, "main.go")
	put(t, in("sub/b.go"), "below")
	r.wants(t, "sub/b.go")
	put(t, in("new/c.go"), "a new folder")
	r.wants(t, "new/c.go")
	put(t, in("new/c.go"), "again")
	r.wants(t, "new/c.go")
	ok(os.RemoveAll(in("new")))
	r.wants(t, "new/c.go")
	// What is saved as it was, and what is no source, is no change.
	put(t, in("main.go"), "renamed here")
	for _, name := range []string{"policy.wasm", ".git/x", "node_modules/x.ts", "target/x", "main.go.swp", "#main.go#", ".#main.go"} {
		put(t, in(name), "x")
	}
	r.quiet(t)
}

// The folder itself goes away and comes back, of which the system tells nothing.
func TestAnotherFolder(t *testing.T) {
	r := watching(t, Options{}, "main.go", "sub/b.go")
	if err := os.Rename(r.dir, r.dir+".old"); err != nil {
		t.Fatal(err)
	}
	r.wants(t, "main.go", "sub/b.go")
	put(t, filepath.Join(r.dir, "main.go"), "back")
	r.wants(t, "main.go")
}

// A file is told although its size and time are the same.
func TestSameTime(t *testing.T) {
	r := watching(t, Options{}, "main.go")
	r.stop()
	path := filepath.Join(r.dir, "main.go")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, []byte("other"), 0o644), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	r.run(t)
	r.wants(t, "main.go")
}

// Nothing is read twice that has not been touched for a while.
func TestOldFilesAreNotReadAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "main.go")
	put(t, path, "first")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	w := New(dir, Options{})
	// In place, with the size and time of before: that goes unseen.
	if err := errors.Join(os.WriteFile(path, []byte("other"), 0o644), os.Chtimes(path, old, old)); err != nil {
		t.Fatal(err)
	}
	now, err := w.look()
	if err != nil || len(w.differing(now)) != 0 {
		t.Errorf("%v, %v", w.differing(now), err)
	}
}

// What was written between the first look and Run is found.
func TestNothingIsMissed(t *testing.T) {
	r := watching(t, Options{Poll: 10 * time.Millisecond}, "main.go")
	r.stop()
	put(t, filepath.Join(r.dir, "main.go"), "meanwhile")
	r.run(t)
	r.wants(t, "main.go")
}

// 200 writes in a row are told a few times, and the last of them is among them.
func TestStorm(t *testing.T) {
	r := watching(t, Options{Poll: time.Minute}, "main.go")
	for i := range 200 {
		if err := os.WriteFile(filepath.Join(r.dir, "main.go"), []byte(fmt.Sprint("number ", i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(r.dir, "mark"), "the end")
	for n, late := 1, time.After(20*time.Second); ; n++ {
		select {
		case names := <-r.told:
			if n > 5 {
				t.Errorf("told %d times", n)
			}
			if slices.Contains(names, "mark") {
				return
			}
		case <-late:
			t.Fatal("the last write is not told")
		}
	}
}

// Something that never stops does not keep the rest from being told.
func TestNoEnd(t *testing.T) {
	r := watching(t, Options{Poll: time.Minute, Latest: 300 * time.Millisecond}, "main.go")
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = os.WriteFile(filepath.Join(r.dir, "log.txt"), []byte(fmt.Sprint(i)), 0o644)
			}
		}
	}()
	r.wants(t, "log.txt")
	r.wants(t, "log.txt")
	close(stop)
	<-ended
}

// Folders elsewhere belong to it, and those that do not any more are forgotten.
func TestAlso(t *testing.T) {
	r := watching(t, Options{Poll: 20 * time.Millisecond}, "main.go")
	r.stop()
	lib := t.TempDir()
	put(t, filepath.Join(lib, "lib.go"), "x")
	put(t, filepath.Join(lib, "below", "not.go"), "x")
	r.Also([]string{r.dir, filepath.Join(r.dir, "sub"), lib})
	if !slices.Equal(r.more, []string{lib}) {
		t.Errorf("%q", r.more)
	}
	r.run(t)
	r.quiet(t)
	put(t, filepath.Join(lib, "below", "not.go"), "y")
	put(t, filepath.Join(lib, "lib.go"), "y")
	r.wants(t, filepath.Join(lib, "lib.go"))
	r.stop()
	r.Also([]string{r.dir})
	r.run(t)
	put(t, filepath.Join(lib, "lib.go"), "z")
	r.quiet(t)
}

// A link to a folder is that folder, and another one when it leads elsewhere.
func TestLink(t *testing.T) {
	one, two, link := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "link")
	put(t, filepath.Join(one, "main.go"), "one")
	put(t, filepath.Join(two, "main.go"), "two")
	if err := os.Symlink(one, link); err != nil {
		t.Fatal(err)
	}
	r := &rig{dir: link, told: make(chan []string, 10), log: &lockedLog{}}
	r.Watch = New(link, Options{Poll: 20 * time.Millisecond})
	r.Also([]string{one, filepath.Join(one, "sub")})
	if len(r.more) > 0 || len(r.Linked()) > 0 {
		t.Errorf("%q, %q", r.more, r.Linked())
	}
	r.run(t)
	put(t, filepath.Join(one, "main.go"), "again")
	r.wants(t, "main.go")
	if err := errors.Join(os.Symlink(two, link+".new"), os.Rename(link+".new", link)); err != nil {
		t.Fatal(err)
	}
	r.wants(t, "main.go")
}

// A folder that is meant otherwise is not read for minutes, and that is said once.
func TestTooMuch(t *testing.T) {
	dir := t.TempDir()
	for i := range maxDirs {
		if err := os.Mkdir(filepath.Join(dir, fmt.Sprint(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r := &rig{dir: dir, told: make(chan []string, 10), log: &lockedLog{}}
	r.Watch = New(dir, Options{Poll: 5 * time.Millisecond, Log: slog.New(slog.NewTextHandler(r.log, nil))})
	r.run(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(20 * time.Second); !strings.Contains(r.log.String(), "more than 400 folders"); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("nothing is said")
		}
	}
	if err := os.Remove(filepath.Join(dir, "0")); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "1", "a.go"), "x")
	r.wants(t, "1/a.go")
	if n := strings.Count(r.log.String(), "folders"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		r := watching(t, Options{}, "main.go")
		put(t, filepath.Join(r.dir, "main.go"), "x")
		r.wants(t, "main.go")
		r.stop()
	}
	late := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

func TestBrief(t *testing.T) {
	for want, names := range map[string][]string{"a": {"a"}, "a, b, c": {"a", "b", "c"}, "a, b, c and 2 more": {"a", "b", "c", "d", "e"}} {
		if got := Brief(names); got != want {
			t.Errorf("%q: %q", names, got)
		}
	}
}

// What everybody may write to is not built again: neither a file nor a folder, nor one
// elsewhere that belongs to the source.
func TestWhatEverybodyMayWriteTo(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has no such modes
	}
	sdk := t.TempDir()
	put(t, filepath.Join(sdk, "sdk.h"), "first")
	r := watching(t, Options{Poll: 20 * time.Millisecond}, "policy.c", "sub/a.h")
	r.stop()
	for _, path := range []string{filepath.Join(r.dir, "policy.c"), filepath.Join(r.dir, "sub"), sdk} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, info.Mode().Perm()|0o002); err != nil {
			t.Fatal(err)
		}
		w := &Watch{dir: r.dir, more: []string{sdk}}
		if _, err := w.look(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
		if err := os.Chmod(path, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.look(); err != nil {
			t.Error(err)
		}
	}
}

// Files elsewhere are found by the links that lead there, once.
func TestLinked(t *testing.T) {
	far, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := watching(t, Options{Poll: time.Minute}, "main.go")
	r.stop()
	put(t, filepath.Join(far, "words.h"), "x")
	for name, to := range map[string]string{"a.h": filepath.Join(far, "words.h"), "b.h": filepath.Join(far, "words.h"), "c.go": "main.go", "d.h": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(r.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if got := New(r.dir, Options{}).Linked(); !slices.Equal(got, []string{filepath.Join(far, "words.h")}) {
		t.Errorf("%q", got)
	}
	w := New(r.dir, Options{})
	w.Also([]string{far})
	if got := w.Linked(); len(got) > 0 {
		t.Errorf("%q, which is watched", got)
	}
}

// What is refused is told once, with what helps, and anew after it was not.
func TestRefused(t *testing.T) {
	var log lockedLog
	w := New(t.TempDir(), Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Help: func(dir string, _ error) string { return "see " + dir }})
	denied := func() error { return &fs.PathError{Op: "open", Path: "sdk", Err: fs.ErrPermission} }
	refuse := func(all ...refusal) {
		w.refused = all
		w.complain(nil)
	}
	tells := func(times int) {
		t.Helper()
		if n := strings.Count(log.String(), `help="see sdk"`); n != times {
			t.Errorf("told %d times, want %d: %s", n, times, &log)
		}
	}
	refuse(refusal{"sdk", denied()})
	refuse(refusal{"sdk", denied()})
	tells(1)
	refuse()
	refuse(refusal{"sdk", denied()})
	tells(2)
	w.complain(denied()) // the source itself
	w.complain(denied())
	if n := strings.Count(log.String(), "a policy's source is not watched"); n != 1 {
		t.Errorf("told %d times: %s", n, &log)
	}
}
