package logfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T) (*File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	f, err := Open(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	now := time.Unix(0, 0)
	f.Now = func() time.Time { return now } // the file is never looked for by itself
	return f, path
}

func write(t *testing.T, f *File, line string) {
	t.Helper()
	if n, err := f.Write([]byte(line)); n != len(line) || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	if text, err := os.ReadFile(path); err != nil || string(text) != want {
		t.Errorf("%s holds %q (%v), not %q", filepath.Base(path), text, err, want)
	}
}

// Who moves the file away and says so has the next line in the new one.
func TestReopen(t *testing.T) {
	f, path := open(t)
	write(t, f, "one\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(t, f, "two\n")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	write(t, f, "three\n")
	holds(t, path+".1", "one\ntwo\n")
	holds(t, path, "three\n")
	if f.Path() != path || f.Lost() != 0 {
		t.Errorf("%s, %d", f.Path(), f.Lost())
	}
}

// A file that cannot be opened again is written to where it is.
func TestReopenFails(t *testing.T) {
	f, path := open(t)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a directory was opened: %v", err)
	}
	write(t, f, "one\n")
	holds(t, path+".1", "one\n")
}

// A line that finds no room is lost as a whole, and counted; who asked is told when
// there is room again.
func TestLost(t *testing.T) {
	f, path := open(t)
	write(t, f, "one\n")
	var told []uint64
	f.Regained = func(lost uint64) { told = append(told, lost) }
	whole := f.open
	reader, err := os.Open(path) // which cannot be written to
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	f.open = reader
	for range 3 {
		if _, err := f.Write([]byte("lost\n")); err == nil {
			t.Error("a lost line is not an error")
		}
	}
	f.open = whole
	write(t, f, "two\n")
	write(t, f, "three\n")
	if f.Lost() != 3 || len(told) != 1 || told[0] != 3 {
		t.Errorf("%d, %v", f.Lost(), told)
	}
	holds(t, path, "one\ntwo\nthree\n")
}

// What was written of a line is taken back; where that cannot be done the next one
// begins on a line of its own.
func TestHalfLine(t *testing.T) {
	f, path := open(t)
	write(t, f, "one\nhal")
	if !f.takeBack(3) {
		t.Error("a part of a line stays")
	}
	write(t, f, "two\nhal")
	f.torn = true
	write(t, f, "three\n")
	write(t, f, "four\n")
	holds(t, path, "one\ntwo\nhal\nthree\nfour\n")
	f.torn = true
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	write(t, f, "five\n")
	holds(t, path, "five\n")
	if f.takeBack(100) {
		t.Error("more was taken back than there was")
	}
}
