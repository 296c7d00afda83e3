package ledger

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// inode is the content of a file, and whether it was synced.
type inode struct {
	data   []byte
	synced bool
}

// change is a change of names that may or may not have reached the disk.
type change struct {
	step
	file *inode
}

// model knows what a disk may hold after a crash: of the names, those that were
// synced and any choice of the later changes; of files that were not synced, all,
// half or nothing. A killed process, after which the machine runs on, is the case
// of all changes.
type model struct {
	names   map[string]*inode // now
	durable map[string]*inode
	pending []change
}

func newModel() *model { return &model{names: map[string]*inode{}, durable: map[string]*inode{}} }

func applyTo(names map[string]*inode, c change) {
	switch c.op {
	case "write":
		names[c.name] = c.file
	case "rename":
		delete(names, c.name)
		names[c.to] = c.file
	case "remove":
		delete(names, c.name)
	}
}

func (m *model) apply(s step) {
	switch s.op {
	case "sync":
		m.names[s.name].synced = true
	case "syncdir":
		for _, c := range m.pending {
			applyTo(m.durable, c)
		}
		m.pending = nil
	default:
		c := change{step: s, file: m.names[s.name]}
		if s.op == "write" {
			c.file = &inode{data: slices.Clone(s.data)}
		}
		applyTo(m.names, c)
		m.pending = append(m.pending, c)
	}
}

// crashes calls visit with every content that the directory may have.
func (m *model) crashes(visit func(files map[string][]byte)) {
	for choice := range 1 << len(m.pending) {
		names := maps.Clone(m.durable)
		for i, c := range m.pending {
			if choice>>i&1 == 1 {
				applyTo(names, c)
			}
		}
		for part := range 3 {
			files := map[string][]byte{}
			for name, f := range names {
				files[name] = f.data
				if !f.synced {
					files[name] = f.data[:len(f.data)*part/2]
				}
			}
			visit(files)
		}
	}
}

// state is what a ledger says.
func state(l *Ledger) string {
	s := ""
	for _, name := range l.Slots() {
		s += name + ":"
		for _, e := range l.History(name) {
			s += " " + e.Version
		}
		s += "\n"
	}
	return s
}

// crasher checks every crash state of a run once.
type crasher struct {
	t     *testing.T
	seen  map[[32]byte]bool
	texts map[trust.Digest][]byte
}

// check opens what a crash left, which must say one of the states, have all of
// its modules, and go on.
func (c *crasher) check(files map[string][]byte, where string, states ...string) {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%q %q\n", name, files[name])
	}
	fmt.Fprintf(sum, "%q", states)
	key := [32]byte(sum.Sum(nil))
	if c.seen[key] {
		return
	}
	c.seen[key] = true
	dir := c.t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	l, err := Open(dir, Options{Previous: 1})
	if err != nil {
		c.t.Errorf("%s: %q: %v", where, slices.Sorted(maps.Keys(files)), err)
		return
	}
	defer l.Close()
	if got := state(l); !slices.Contains(states, got) {
		c.t.Errorf("%s: the ledger says %q, not one of %q", where, got, states)
	}
	for _, name := range l.Slots() {
		for _, e := range l.History(name) {
			if b, err := l.Module(e.Digest); err != nil || string(b) != string(c.texts[e.Digest]) {
				c.t.Errorf("%s: %s %s: %v", where, name, e.Version, err)
			}
		}
	}
	if err := l.Accept("after", []byte("after"), trust.Accepted{Version: "after"}); err != nil {
		c.t.Errorf("%s: %v", where, err)
	}
	if modules, leftovers, err := l.disk.list(); err != nil || len(leftovers) > 0 || len(modules) != len(l.slots.sizes()) {
		c.t.Errorf("%s: files %q %q stay, %v", where, modules, leftovers, err)
	}
}

func openAt(t *testing.T, dir string, before func(step) error) (*Ledger, error) {
	t.Helper()
	d, err := openDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.root.Close() })
	d.before = before
	return open(d, Options{Previous: 1})
}

// A server that is killed, or a machine that loses power, between any two changes
// leaves a ledger that says what it said before or after, and has the modules.
func TestCrash(t *testing.T) {
	m := newModel()
	c := &crasher{t: t, seen: map[[32]byte]bool{}, texts: map[trust.Digest][]byte{}}
	var reached []step
	var l *Ledger
	run := func(what, after string, work func(before func(step) error) error) {
		was := ""
		if l != nil {
			was = state(l)
		}
		before := func(s step) error {
			m.crashes(func(files map[string][]byte) {
				c.check(files, fmt.Sprintf("%s, before %s %s", what, s.op, s.name), was, after)
			})
			m.apply(s)
			reached = append(reached, s)
			return nil
		}
		if err := work(before); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := state(l); got != after {
			t.Fatalf("%s: %q, want %q", what, got, after)
		}
		m.crashes(func(files map[string][]byte) { c.check(files, "after "+what, after) })
	}
	dir := t.TempDir()
	run("open", "", func(before func(step) error) (err error) {
		l, err = openAt(t, dir, before)
		return err
	})
	accept := func(slot, version, after string) {
		t.Helper()
		run("accept "+slot+" "+version, after, func(before func(step) error) error {
			l.disk.before = before
			text := []byte("module " + version)
			c.texts[trust.Sum(text)] = text
			return l.Accept(slot, text, trust.Accepted{Version: version})
		})
	}
	accept("a", "1", "a: 1\n")
	accept("a", "2", "a: 2 1\n")
	accept("a", "3", "a: 3 2\n") // 1 goes
	accept("a", "2", "a: 2 3\n") // back
	accept("b", "3", "a: 2 3\nb: 3\n")
	run("forget", "b: 3\n", func(before func(step) error) error {
		l.disk.before = before
		return l.Forget("a")
	})
	if ops := len(reached); ops < 40 || len(c.seen) < 50 {
		t.Errorf("only %d changes and %d states were seen", ops, len(c.seen))
	}
	t.Logf("%d changes, %d states", len(reached), len(c.seen))
}

// A server is killed before its new index is durable; its successor cleans up, and
// then the machine loses power.
func TestCrashTwice(t *testing.T) {
	m := newModel()
	dir := t.TempDir()
	killed := errors.New("killed")
	renamed := 0
	dying := func(s step) error {
		if s.op == "syncdir" && renamed == 4 { // the index of the third module
			return killed
		}
		if s.op == "rename" && s.to == indexName {
			renamed++
		}
		m.apply(s)
		return nil
	}
	l, err := openAt(t, dir, dying)
	if err != nil {
		t.Fatal(err)
	}
	c := &crasher{t: t, seen: map[[32]byte]bool{}, texts: map[trust.Digest][]byte{}}
	for _, v := range []string{"1", "2", "3"} {
		c.texts[trust.Sum([]byte(v))] = []byte(v)
		if err := l.Accept("a", []byte(v), trust.Accepted{Version: v}); (err != nil) != (v == "3") || err != nil && !errors.Is(err, killed) {
			t.Fatalf("%s: %v", v, err)
		}
	}
	if got := state(l); got != "a: 2 1\n" {
		t.Errorf("after the failure: %q", got)
	}
	check := func(where string) {
		m.crashes(func(files map[string][]byte) { c.check(files, where, "a: 2 1\n", "a: 3 2\n") })
	}
	check("killed")
	l, err = openAt(t, dir, func(s step) error {
		check("in the second life, before " + s.op)
		m.apply(s)
		return nil
	})
	if err != nil || state(l) != "a: 3 2\n" {
		t.Fatalf("%q, %v", state(l), err)
	}
	check("after the second start")
}

// Whatever call fails, the ledger says what it said, and the next call succeeds.
func TestFailure(t *testing.T) {
	full := errors.New("no space left")
	for fail := 0; ; fail++ {
		n, failed := 0, false
		before := func(step) error {
			n++
			if !failed && n > fail {
				failed = true
				return full
			}
			return nil
		}
		l, err := openAt(t, t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []string{"1", "2"} {
			if err := l.Accept("a", []byte(v), trust.Accepted{Version: v}); err != nil {
				t.Fatal(err)
			}
		}
		l.disk.before = before
		err = l.Accept("a", []byte("3"), trust.Accepted{Version: "3"})
		if !failed {
			if fail < 8 {
				t.Fatalf("only %d calls", fail)
			}
			return
		}
		// Only the sweep may fail without a word.
		if got := state(l); err == nil && got != "a: 3 2\n" || err != nil && (got != "a: 2 1\n" || !errors.Is(err, full)) {
			t.Errorf("call %d failed: %q, %v", fail, got, err)
		}
		if err := l.Accept("a", []byte("4"), trust.Accepted{Version: "4"}); err != nil {
			t.Errorf("after call %d failed: %v", fail, err)
		}
		for _, e := range l.History("a") {
			if _, err := l.Module(e.Digest); err != nil {
				t.Errorf("after call %d failed: %v", fail, err)
			}
		}
		if modules, leftovers, err := l.disk.list(); err != nil || len(modules) != 2 || len(leftovers) > 0 {
			t.Errorf("after call %d failed: %q %q %v", fail, modules, leftovers, err)
		}
	}
}

// The sync of a module's name fails, and the module is accepted once more.
func TestAcceptAgain(t *testing.T) {
	m := newModel()
	full := errors.New("input/output error")
	c := &crasher{t: t, seen: map[[32]byte]bool{}, texts: map[trust.Digest][]byte{trust.Sum([]byte("1")): []byte("1")}}
	l, err := openAt(t, t.TempDir(), func(s step) error { m.apply(s); return nil })
	if err != nil {
		t.Fatal(err)
	}
	l.disk.before = func(s step) error {
		if s.op == "syncdir" {
			return full
		}
		m.apply(s)
		return nil
	}
	if err := l.Accept("a", []byte("1"), trust.Accepted{Version: "1"}); !errors.Is(err, full) {
		t.Fatal(err)
	}
	check := func(where string) {
		m.crashes(func(files map[string][]byte) { c.check(files, where, "", "a: 1\n") })
	}
	l.disk.before = func(s step) error {
		check("before " + s.op)
		m.apply(s)
		return nil
	}
	if err := l.Accept("a", []byte("1"), trust.Accepted{Version: "1"}); err != nil {
		t.Fatal(err)
	}
	check("at the end")
}
