package crash

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// file is what a path leads to; a nil one is nothing.
type file struct {
	data []byte
	dir  bool
}

func (f *file) same(g *file) bool {
	if f == nil || g == nil {
		return f == g
	}
	return f.dir == g.dir && bytes.Equal(f.data, g.data)
}

// effect is what a command does: what is then at each of its paths.
type effect map[string]*file

// The moments at which a server is killed, as its client sees them.
const (
	phaseBetween = "between commands"
	phaseLogin   = "login"
	phaseMark    = "before the mark of a transfer"
	phaseBytes   = "bytes under way"
	phaseEnd     = "before the 226"
	phaseOther   = "another command"
)

// writer is one client, with a directory of its own in which it knows what there is.
type writer struct {
	id        int
	protected bool
	rng       *rand.Rand
	seq       int
	shared    *shared
	tell      func(phase string) // may kill the server

	c     *userpi.Client
	phase atomic.Value   // a string
	acks  map[string]int // acknowledged effects, by command

	known   effect
	pending effect            // of the command that is not answered; nil if none
	kept    map[string]*keep  // interrupted uploads, by path
	flying  map[string][]byte // an upload that is being interrupted
}

// keep is an interrupted upload.
type keep struct {
	data []byte // of the whole
	size int64  // that the server has said it keeps
}

func newWriter(id int, rng *rand.Rand, sh *shared) *writer {
	return &writer{id: id, protected: id%2 == 1, rng: rng, shared: sh, acks: map[string]int{}, known: effect{},
		kept: map[string]*keep{}, flying: map[string][]byte{}}
}

func (w *writer) dir() string             { return fmt.Sprintf("/w%02d", w.id) }
func (w *writer) path(name string) string { return w.dir() + "/" + name }

// fresh is a name that was never used.
func (w *writer) fresh(kind string) string {
	w.seq++
	return w.path(kind + strconv.Itoa(w.seq))
}

func (w *writer) at(phase string) {
	w.phase.Store(phase)
	w.tell(phase)
}

// bytes makes new ones: mostly few, at times some MiB.
func (w *writer) bytes() []byte {
	n := 1 + w.rng.IntN(20_000)
	if w.rng.IntN(10) == 0 {
		n = 1<<20 + w.rng.IntN(3<<20)
	}
	data := make([]byte, n)
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(w.rng.Uint32())
	}
	_, _ = rand.NewChaCha8(seed).Read(data)
	return data
}

// done notes that what was pending is acknowledged.
func (w *writer) done(command string) {
	maps.Copy(w.known, w.pending)
	maps.DeleteFunc(w.known, func(_ string, f *file) bool { return f == nil })
	w.pending = nil
	w.acks[command]++
	w.at(phaseBetween)
}

// files returns the own regular files, in order.
func (w *writer) files() []string {
	var names []string
	for path, f := range w.known {
		if !f.dir {
			names = append(names, path)
		}
	}
	slices.Sort(names)
	return names
}

func (w *writer) one(names []string) string { return names[w.rng.IntN(len(names))] }

// work logs in and does one thing after another until the connection breaks.
func (w *writer) work(s *server) error {
	w.at(phaseLogin)
	c, err := s.login(w.protected)
	if err != nil {
		return err
	}
	defer c.Close()
	w.c = c
	w.at(phaseBetween)
	for {
		if err := w.step(); err != nil {
			return err
		}
	}
}

// step is one command or a few that belong together.
func (w *writer) step() error {
	files := w.files()
	if len(files) > 20 {
		return w.remove(files)
	}
	switch w.rng.IntN(14) {
	case 0:
		return w.store("STOR", w.fresh("n"), nil)
	case 1, 2:
		return w.store("STOR", w.path(w.one([]string{"a", "b"})), nil)
	case 3, 4:
		return w.extend()
	case 5:
		return w.middle()
	case 6:
		return w.unique()
	case 7, 8:
		return w.rename(files)
	case 9:
		return w.remove(files)
	case 10:
		return w.folder()
	case 11:
		return w.shared.put(w)
	case 12:
		return w.shared.extend(w)
	}
	return w.partial()
}

// upload sends data by a command, and reads the last reply. It calls marked, unless
// that is nil, with the mark, before a byte is sent.
func (w *writer) upload(line string, data []byte, marked func(userpi.Reply)) error {
	w.at(phaseMark)
	port, err := w.c.Prepare(userpi.EPSV)
	if err != nil {
		return err
	}
	mark, err := w.c.Must(line, 125, 150)
	if err != nil {
		return err
	}
	if marked != nil {
		marked(mark)
	}
	conn, err := port.Open()
	if err != nil {
		return err
	}
	defer conn.Close()
	if w.c.Protected {
		if conn, err = w.c.Seal(conn); err != nil {
			return err
		}
	}
	w.at(phaseBytes)
	for _, part := range [][]byte{data[:len(data)/2], data[len(data)/2:]} {
		if _, err = conn.Write(part); err != nil {
			return err
		}
		w.at(phaseBytes)
		if w.rng.IntN(3) == 0 { // the kill is to find some of them here
			<-time.After(time.Duration(w.rng.IntN(30)) * time.Millisecond)
		}
	}
	w.phase.Store(phaseEnd)
	if err = userpi.End(conn); err != nil {
		return err
	}
	w.at(phaseEnd)
	_, err = w.c.Expect(line, 226)
	return err
}

// store makes or replaces a file; before are the bytes that stay in front.
func (w *writer) store(command, path string, before []byte) error {
	data := w.bytes()
	name := command
	if w.known[path] != nil && command == "STOR" {
		name = "STOR over another"
	}
	w.pending = effect{path: {data: slices.Concat(before, data)}}
	if err := w.upload(command+" "+path, data, nil); err != nil {
		return err
	}
	w.done(name)
	return nil
}

// extend appends to a file.
func (w *writer) extend() error {
	path := w.path("log")
	var before []byte
	if f := w.known[path]; f != nil {
		before = f.data
	}
	if len(before) > 4<<20 {
		return w.remove([]string{path})
	}
	return w.store("APPE", path, before)
}

// middle writes from the middle of a file or from its end on.
func (w *writer) middle() error {
	path := w.path("at")
	old := w.known[path]
	if old == nil || len(old.data) > 4<<20 {
		return w.store("STOR", path, nil)
	}
	at := len(old.data)
	if w.rng.IntN(2) == 0 {
		at = 1 + w.rng.IntN(at)
	}
	data := w.bytes()
	all := slices.Concat(old.data[:at], data)
	if len(all) < len(old.data) {
		all = append(all, old.data[len(all):]...)
	}
	w.at(phaseOther)
	if _, err := w.c.Must("REST "+strconv.Itoa(at), 350); err != nil {
		return err
	}
	w.pending = effect{path: {data: all}}
	if err := w.upload("STOR "+path, data, nil); err != nil {
		return err
	}
	w.done("REST, STOR")
	return nil
}

// unique lets the server make up a name. What it is, is known by the mark, before
// there is anything that could be published.
func (w *writer) unique() error {
	data := w.bytes()
	err := w.upload("STOU "+w.path("u"), data, func(mark userpi.Reply) {
		_, name, _ := strings.Cut(mark.Text(), "FILE: ")
		w.pending = effect{w.path(name): {data: data}}
	})
	if err != nil {
		return err
	}
	w.done("STOU")
	return nil
}

// rename moves a file to a new name or over another one.
func (w *writer) rename(files []string) error {
	if len(files) < 2 {
		return w.store("STOR", w.fresh("n"), nil)
	}
	from, to, name := w.one(files), w.fresh("n"), "RNTO"
	if other := w.one(files); w.rng.IntN(2) == 0 && other != from {
		to, name = other, "RNTO over another"
	}
	return w.move(name, from, to, effect{from: nil, to: w.known[from]})
}

func (w *writer) move(name, from, to string, e effect) error {
	w.at(phaseOther)
	if _, err := w.c.Must("RNFR "+from, 350); err != nil {
		return err
	}
	w.pending = e
	return w.plain(name, "RNTO "+to, 250)
}

// plain sends a command without a data connection, whose effect is pending.
func (w *writer) plain(name, line string, code int) error {
	if err := w.c.Send(line); err != nil {
		return err
	}
	w.at(phaseOther)
	if _, err := w.c.Expect(line, code); err != nil {
		return err
	}
	w.done(name)
	return nil
}

func (w *writer) remove(files []string) error {
	if len(files) == 0 {
		return w.store("STOR", w.fresh("n"), nil)
	}
	path := w.one(files)
	w.pending = effect{path: nil}
	return w.plain("DELE", "DELE "+path, 250)
}

// folder makes a directory, and later renames or removes it.
func (w *writer) folder() error {
	var dirs []string
	for path, f := range w.known {
		if f.dir {
			dirs = append(dirs, path)
		}
	}
	slices.Sort(dirs)
	if len(dirs) < 3 {
		path := w.fresh("d")
		w.pending = effect{path: {dir: true}}
		return w.plain("MKD", "MKD "+path, 257)
	}
	path := w.one(dirs)
	if w.rng.IntN(2) == 0 {
		w.pending = effect{path: nil}
		return w.plain("RMD", "RMD "+path, 250)
	}
	to := w.fresh("d")
	return w.move("RNTO of a folder", path, to, effect{path: nil, to: {dir: true}})
}

// partial interrupts an upload, or goes on with one or drops it.
func (w *writer) partial() error {
	paths := slices.Sorted(maps.Keys(w.kept))
	if len(paths) < 2 {
		return w.interrupt()
	}
	path := w.one(paths)
	if w.rng.IntN(4) > 0 {
		return w.resume(path)
	}
	w.at(phaseOther)
	w.flying[path] = w.kept[path].data // it may be there or not
	delete(w.kept, path)
	if _, err := w.c.Must("DELE "+path, 250); err != nil {
		return err
	}
	delete(w.flying, path)
	w.acks["DELE of what is kept"]++
	w.at(phaseBetween)
	return nil
}

// interrupt breaks an upload off and asks how much of it is kept.
func (w *writer) interrupt() error {
	path, data := w.fresh("k"), w.bytes()
	w.flying[path] = data
	w.at(phaseMark)
	conn, err := w.c.Begin(userpi.EPSV, "STOR "+path)
	if err != nil {
		return err
	}
	w.at(phaseBytes)
	if _, err := conn.Write(data[:len(data)/2]); err != nil {
		return errors.Join(err, conn.Close())
	}
	w.at(phaseBytes)
	if err := userpi.Reset(conn); err != nil {
		return err
	}
	w.at(phaseEnd)
	if _, err := w.c.Expect("the cut", 426, 451); err != nil {
		return err
	}
	size, err := sizeOf(w.c, path)
	if err != nil {
		return err
	}
	delete(w.flying, path)
	if size >= 0 {
		w.kept[path] = &keep{data, size}
		w.acks["an upload kept"]++
	}
	w.at(phaseBetween)
	return nil
}

// resume goes on with an interrupted upload, as curl or as lftp does.
func (w *writer) resume(path string) error {
	k := w.kept[path]
	w.at(phaseOther)
	size, err := sizeOf(w.c, path)
	if err != nil {
		return err
	}
	if size < k.size || size > int64(len(k.data)) {
		return &violation{fmt.Sprintf("%s: %d bytes are kept, not %d", path, size, k.size)}
	}
	line := "APPE " + path
	if w.rng.IntN(2) == 0 {
		line = "STOR " + path
		if _, err := w.c.Must(fmt.Sprint("REST ", size), 350); err != nil {
			return err
		}
	}
	w.pending = effect{path: {data: k.data}}
	if err := w.upload(line, k.data[size:], nil); err != nil {
		return err
	}
	delete(w.kept, path)
	w.done("an upload resumed")
	return nil
}

// sizeOf returns what SIZE says, -1 for nothing.
func sizeOf(c *userpi.Client, path string) (int64, error) {
	r, err := c.Must("SIZE "+path, 213, 550)
	if err != nil || r.Code == 550 {
		return -1, err
	}
	return strconv.ParseInt(strings.TrimSpace(r.Text()), 10, 64)
}

// violation is what must not happen, kill or no kill.
type violation struct{ what string }

func (v *violation) Error() string { return v.what }
