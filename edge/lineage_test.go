package edge

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// inLine opens the events of a slot as a process would.
func inLine(t *testing.T, dir string) *lineage {
	t.Helper()
	s, err := openLineage(dir)()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // twice, mostly
	return s.(*lineage)
}

// said are the texts of the events that wait, which are acknowledged.
func (l *lineage) said(t *testing.T) (texts []string) {
	t.Helper()
	l.tried = time.Time{} // a second has passed
	for {
		events, err := l.Next(10)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return texts
		}
		for _, e := range events {
			texts = append(texts, e.Text)
		}
		if err := l.Done(len(events)); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *lineage) tell(t *testing.T, text string) {
	t.Helper()
	if n, err := l.Append([]*policy.Event{sample("/", text, "ann")}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

func wants(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}

// Processes that serve side by side have events of their own, and what one leaves behind
// is the next one's, once.
func TestLineage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hook")
	first := inLine(t, dir)
	second := inLine(t, dir)
	third := inLine(t, dir)
	first.tell(t, "1")
	second.tell(t, "2")
	third.tell(t, "3")
	wants(t, second.said(t), "2")
	second.tell(t, "2 again")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	wants(t, third.said(t), "1", "3")
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if waiting, _ := third.Counts(); waiting != 0 {
		t.Errorf("%d wait before anybody has looked", waiting)
	}
	third.tell(t, "3 again")
	wants(t, third.said(t), "2 again", "3 again")
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(entries) != 1 { // the last one's own
		t.Errorf("%v, %v", entries, err)
	}
	last := inLine(t, dir)
	wants(t, last.said(t))
	if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// What a process leaves behind is handed over when it has ended, though nothing happens then.
func TestLineageQuiet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hook")
	old := inLine(t, dir)
	old.tell(t, "the last words")
	c := &collector{got: make(chan policy.Event, 1)}
	srv, err := New(Config{FS: vfs.NewMem(), Listeners: []Listener{{Name: "l"}},
		Policies: []Slot{{Name: "log", Policy: c, Options: Options{Spool: dir}}}})
	if err != nil {
		t.Fatal(err)
	}
	srv.Tell(policy.Event{Kind: policy.EventDraining, Text: "first"})
	if e := <-c.got; e.Text != "first" {
		t.Fatalf("%+v", e)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-c.got:
		if e.Text != "the last words" {
			t.Errorf("%+v", e)
		}
	case <-time.After(userpi.Timeout):
		t.Error("nobody was told")
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// What is no process's is left alone, also what has nearly the name.
func TestLineageNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hook")
	for _, name := range []string{"hook~", "hook~x", "hook~1", "hook2~2", "other"} {
		if err := os.MkdirAll(filepath.Join(filepath.Dir(dir), name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l := inLine(t, dir)
	if len(l.left) != 0 {
		t.Errorf("it has taken %v", l.left)
	}
	wants(t, l.said(t))
	if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 6 {
		t.Errorf("%v, %v", entries, err)
	}
}
