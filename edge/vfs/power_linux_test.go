package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// The model of a power cut. A recorder is a probe that writes down what a Disk does
// to the host; a platter is what may be left of it.
//
// What is taken for granted:
//
//   - After fsync of a file its bytes and its length are on the disk, but not its
//     name; after fsync of a directory the names in it are.
//   - A rename in one directory is one step: the new name is the old file or the new
//     one, and a file is never lost between two names. Between two directories, the
//     old name may stay when the new one has come, but does not go before.
//   - A page of 4 KiB is written as a whole.
//
// What is not: of everything since the last fsync, each page of a file is as it was
// at any moment, the length is that of any moment, and any of the names were made
// and removed, in the order of events or not.

// event is one thing that was done to the host.
type event struct {
	what  string // make, write, truncate, sync, name, unname, rename
	node  int
	dir   int // in which name is
	name  string
	to    int // the directory in which toName is
	toRaw string
	off   int64
	data  []byte
	size  int64
}

// recorder writes events down, one after the other: no two calls run at once.
type recorder struct {
	mu    sync.Mutex
	log   []event
	nodes map[uint64]int // by number of the host, what has it now
	inode []uint64       // by node, what number it has
	base  *platter
	skip  func(c vfs.Call, folder bool) bool // calls that are left out
	err   error
}

// record begins with what is below top, all of which is on the disk.
func record(top string) (*recorder, error) {
	r := &recorder{nodes: make(map[uint64]int), base: &platter{}}
	_, err := r.scan(top)
	return r, err
}

func (r *recorder) scan(name string) (int, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return 0, err
	}
	ino := info.Sys().(*syscall.Stat_t).Ino
	if known, found := r.nodes[ino]; found {
		return known, nil // another name of the same file
	}
	n := r.add(ino)
	node := r.base.make(n, info.IsDir())
	if !info.IsDir() {
		node.data, err = os.ReadFile(name)
		return n, err
	}
	entries, err := os.ReadDir(name)
	for _, e := range entries {
		var below int
		if below, err = r.scan(filepath.Join(name, e.Name())); err != nil {
			break
		}
		node.names[e.Name()] = below
	}
	return n, err
}

// add gives a new node to a number of the host.
func (r *recorder) add(ino uint64) int {
	r.inode = append(r.inode, ino)
	r.nodes[ino] = len(r.inode) - 1
	return len(r.inode) - 1
}

// at is how many events there are.
func (r *recorder) at() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.log)
}

func (r *recorder) of(info fs.FileInfo, err error) int {
	if err == nil {
		if n, found := r.nodes[info.Sys().(*syscall.Stat_t).Ino]; found {
			return n
		}
		err = fmt.Errorf("%s is not known", info.Name())
	}
	if !errors.Is(err, fs.ErrNotExist) { // else the call will fail
		r.err = errors.Join(r.err, err)
	}
	return 0
}

// place finds the directory in which a call's name is, and a way to look at it.
func (r *recorder) place(c vfs.Call, name string) (dir int, base string, look func() (fs.FileInfo, error)) {
	base = filepath.Base(name)
	switch {
	case c.Root != nil:
		return r.of(c.Root.Stat(filepath.Dir(name))), base, func() (fs.FileInfo, error) { return c.Root.Lstat(name) }
	case c.File != nil:
		host := fmt.Sprintf("/proc/self/fd/%d/%s", c.File.Fd(), name)
		if strings.HasPrefix(name, "/proc/") {
			return 0, "", func() (fs.FileInfo, error) { return os.Stat(name) }
		}
		return r.of(c.File.Stat()), base, func() (fs.FileInfo, error) { return os.Lstat(host) }
	}
	return r.of(os.Stat(filepath.Dir(name))), base, func() (fs.FileInfo, error) { return os.Lstat(name) }
}

func (r *recorder) probe(c vfs.Call) (func(*os.File, error), error) {
	switch c.Op {
	case "create", "write", "truncate", "sync", "mkdir", "link", "rename", "unlink", "rmdir":
	default:
		return nil, nil
	}
	r.mu.Lock()
	var e event
	var look func() (fs.FileInfo, error)
	switch c.Op {
	case "write", "truncate", "sync":
		info, err := c.File.Stat()
		if e.node = r.of(info, err); r.skip != nil && r.skip(c, err == nil && info.IsDir()) {
			r.mu.Unlock()
			return nil, vfs.LeftOut()
		}
	default:
		e.dir, e.name, look = r.place(c, c.Name)
	}
	if c.Op == "link" || c.Op == "rename" {
		e.node = r.of(look())
		e.to, e.toRaw, _ = r.place(c, c.To)
	}
	return func(opened *os.File, err error) {
		defer r.mu.Unlock()
		if err == nil {
			r.done(c, e, opened, look)
		}
	}, nil
}

// done writes down a call that has succeeded.
func (r *recorder) done(c vfs.Call, e event, opened *os.File, look func() (fs.FileInfo, error)) {
	switch c.Op {
	case "create":
		info, err := opened.Stat()
		if err != nil {
			r.err = errors.Join(r.err, err)
			return
		}
		e.node = r.add(info.Sys().(*syscall.Stat_t).Ino)
		r.log = append(r.log, event{what: "make", node: e.node})
		if c.Name == "." {
			return
		}
		e.what = "name"
	case "mkdir":
		info, err := look()
		if err != nil {
			r.err = errors.Join(r.err, err)
			return
		}
		e.node = r.add(info.Sys().(*syscall.Stat_t).Ino)
		r.log = append(r.log, event{what: "make", node: e.node, size: 1})
		e.what = "name"
	case "write":
		end, err := c.File.Seek(0, io.SeekCurrent)
		r.err = errors.Join(r.err, err)
		e.what, e.data, e.off = "write", bytes.Clone(c.Data), end-int64(len(c.Data))
	case "truncate":
		e.what, e.size = "truncate", c.Size
	case "sync":
		e.what = "sync"
	case "link":
		e = event{what: "name", node: e.node, dir: e.to, name: e.toRaw}
	case "rename":
		e.what = "rename"
	case "unlink", "rmdir":
		e.what = "unname"
	}
	r.log = append(r.log, e)
}

// platter is the disk below the filesystem's cache.
type platter struct{ nodes []*node }

// node is a file or directory: what is on the disk for certain, and what was done
// since.
type node struct {
	data  []byte
	names map[string]int // of a directory
	since []event
}

func (p *platter) make(n int, dir bool) *node {
	for len(p.nodes) <= n {
		p.nodes = append(p.nodes, nil)
	}
	p.nodes[n] = &node{}
	if dir {
		p.nodes[n].names = make(map[string]int)
	}
	return p.nodes[n]
}

// clone copies a platter.
func (p *platter) clone() *platter {
	out := &platter{}
	for i, n := range p.nodes {
		if n == nil {
			continue
		}
		copied := out.make(i, n.names != nil)
		copied.data, copied.since = n.data, n.since
		for name, at := range n.names {
			copied.names[name] = at
		}
	}
	return out
}

// apply does one event, number i.
func (p *platter) apply(e event) {
	switch e.what {
	case "make":
		p.make(e.node, e.size == 1)
	case "write", "truncate":
		n := p.nodes[e.node]
		n.since = append(n.since, e)
	case "name", "unname":
		n := p.nodes[e.dir]
		n.since = append(n.since, e)
	case "rename":
		if e.dir != e.to {
			p.nodes[e.dir].since = append(p.nodes[e.dir].since, e)
		}
		p.nodes[e.to].since = append(p.nodes[e.to].since, e)
	case "sync":
		p.sync(e.node)
	}
}

func (p *platter) sync(n int) {
	at := p.nodes[n]
	if at.names == nil {
		at.data = written(at.data, at.since)
		at.since = nil
		return
	}
	pending := at.since
	at.since = nil
	for _, e := range pending {
		if e.what == "rename" && e.dir == n && e.to != n && p.holds(e.to, e) {
			p.sync(e.to) // the old name does not go before the new one has come
		}
		at.renamed(n, e)
	}
}

// holds reports whether e is not certain in the directory n.
func (p *platter) holds(n int, e event) bool {
	for _, other := range p.nodes[n].since {
		if other.what == "rename" && other.node == e.node && other.toRaw == e.toRaw {
			return true
		}
	}
	return false
}

// renamed does what e means for the directory itself, which is number self.
func (n *node) renamed(self int, e event) {
	switch {
	case e.what == "name":
		n.names[e.name] = e.node
	case e.what == "unname":
		delete(n.names, e.name)
	default:
		if e.dir == self {
			delete(n.names, e.name)
		}
		if e.to == self {
			n.names[e.toRaw] = e.node
		}
	}
}

// written is data after some events.
func written(data []byte, events []event) []byte {
	data = bytes.Clone(data)
	for _, e := range events {
		if e.what == "truncate" {
			data = resized(data, int(e.size))
			continue
		}
		data = resized(data, max(len(data), int(e.off)+len(e.data)))
		copy(data[e.off:], e.data)
	}
	return data
}

func resized(data []byte, size int) []byte {
	if size <= len(data) {
		return data[:size:size]
	}
	return append(data, make([]byte, size-len(data))...)
}

// chance says what of that which is not certain happens.
type chance struct {
	*rand.Rand
	kind int
}

// The kinds of power cuts.
const (
	loseAll = iota // nothing that is not certain has happened
	keepAll        // everything has
	inOrder        // what was done to each directory up to some moment
	anyhow         // any of it
	kinds
)

// fall makes up what may be left of a platter.
func (p *platter) fall(c chance) *platter {
	before := p
	p = p.clone()
	came := make(map[string]bool) // renames that have happened
	for i, n := range p.nodes {
		if n != nil && n.names == nil {
			n.data, n.since = c.bytes(n), nil
		} else if n != nil {
			p.names(i, c, before, came)
		}
	}
	for i, n := range p.nodes { // the old names of what was moved to another directory
		if n == nil || n.names == nil {
			continue
		}
		for _, e := range n.since {
			if came[key(e)] && (c.kind == keepAll || c.kind != loseAll && c.IntN(2) == 0) && n.names[e.name] == e.node {
				delete(n.names, e.name)
			}
		}
		p.nodes[i].since = nil
	}
	return p
}

func key(e event) string { return fmt.Sprint(e.node, e.dir, e.name, e.to, e.toRaw) }

// names decides what has become of the names in directory i; the old names of what
// was moved elsewhere stay in since.
func (p *platter) names(i int, c chance, before *platter, came map[string]bool) {
	n := p.nodes[i]
	until := len(n.since)
	if c.kind == loseAll {
		until = 0
	} else if c.kind == inOrder {
		until = c.IntN(len(n.since) + 1)
	}
	var away []event
	for k, e := range n.since {
		if e.what == "rename" && e.dir == i && e.to != i {
			if away = append(away, e); !before.holds(e.to, e) {
				came[key(e)] = true // the other directory has been synced
			}
			continue
		}
		if k >= until || c.kind == anyhow && c.IntN(2) == 0 {
			continue
		}
		n.renamed(i, e)
		came[key(e)] = true
	}
	n.since = away
}

// bytes decides what is in a file.
func (c chance) bytes(n *node) []byte {
	switch c.kind {
	case loseAll:
		return n.data
	case keepAll:
		return written(n.data, n.since)
	}
	const page = 4096
	moment := func() []byte { return written(n.data, n.since[:c.IntN(len(n.since)+1)]) }
	size := len(moment())
	out := make([]byte, size)
	for off := 0; off < size; off += page {
		then := moment()
		if off < len(then) {
			copy(out[off:min(off+page, size)], then[off:])
		}
	}
	return out
}

// restore writes what is left to a directory of the host. Journals are made to fit.
func (p *platter) restore(dir string, r *recorder) error {
	inodes := make(map[uint64]uint64)
	at := make(map[int]string)
	var journals []string
	var restore func(n int, name string) error
	restore = func(n int, name string) error {
		node := p.nodes[n]
		if first, again := at[n]; again && node.names == nil {
			return os.Link(first, name)
		}
		at[n] = name
		var err error
		if node.names == nil {
			err = os.WriteFile(name, node.data, 0o644)
			if strings.HasPrefix(filepath.Base(name), "journal-") {
				journals = append(journals, name)
			}
		} else {
			err = os.MkdirAll(name, 0o755)
		}
		if info, serr := os.Stat(name); serr == nil {
			inodes[r.inode[n]] = info.Sys().(*syscall.Stat_t).Ino
		}
		for below, child := range node.names {
			err = errors.Join(err, restore(child, filepath.Join(name, below)))
		}
		return err
	}
	if err := restore(0, dir); err != nil {
		return err
	}
	for _, name := range journals {
		data, err := os.ReadFile(name)
		if err == nil {
			data = vfs.AfterPowerCut(data, filepath.Join(dir, "root"), inodes)
			err = os.WriteFile(name, data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
