package vfs

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// A journal is what a Disk would have to know after it was killed: which hidden
// names exist, which files are being written in place and how long they were,
// and which partial uploads are kept for whom. It is a file of its process
// alone, locked as long as the process lives, and a log: the state is what its
// records add up to.
type journal struct {
	gate *gate
	dir  string // the state directory
	root string // the host's name of the served directory
	boot string

	// hold keeps file open while somebody syncs it outside mu.
	hold  sync.RWMutex
	syncs syncs

	mu   sync.Mutex
	file osFile
	line []byte // room for the next one
	live map[uint64]record
	// ghosts are records of what is where it was before a rename, until that is known
	// to be on the disk.
	ghosts map[uint64]struct{}
	last   uint64 // the number of the newest record
	size   int64  // bytes in file
	base   int64  // bytes that file began with
}

const (
	journalPrefix = "journal-"
	unnamedPrefix = "new-" // of one that is being made
	// journalRewrite is the length in bytes from which a journal is rewritten,
	// unless it has not even doubled since the last time.
	journalRewrite = 256 << 10
)

// openJournal begins a journal of this process.
func openJournal(g *gate, dir, root string) (*journal, error) {
	j := &journal{gate: g, dir: dir, root: root, boot: bootID(g), live: make(map[uint64]record), ghosts: make(map[uint64]struct{})}
	f, size, err := j.begin()
	if err != nil {
		return nil, err
	}
	j.file, j.size, j.base = f, size, size
	return j, nil
}

// begin makes a journal file that holds what is live. It appears under its name
// when it is locked, so that no other process takes it for a dead one's.
func (j *journal) begin() (osFile, int64, error) {
	name := strings.ToLower(rand.Text())
	hidden := filepath.Join(j.dir, unnamedPrefix+name)
	f, err := j.gate.openFile(hidden, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return osFile{}, 0, err
	}
	lines := record{kind: recordStart, path: j.root, owner: j.boot}.append(nil)
	for _, r := range j.live {
		lines = r.append(lines)
	}
	_, err = f.lock()
	if err == nil {
		_, err = f.Write(lines)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = j.gate.rename(hidden, filepath.Join(j.dir, journalPrefix+name))
	}
	if err == nil {
		err = j.gate.syncDir(j.dir)
	}
	if err != nil {
		return osFile{}, 0, errors.Join(err, j.scrap(f))
	}
	return f, int64(len(lines)), nil
}

// scrap gets rid of a journal file that is not to be used. What is in it must never
// be played back, so it is emptied first: an empty one does no harm should it stay.
func (j *journal) scrap(f osFile) error {
	err := f.Truncate(0)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	gone := j.gate.remove(j.nameOf(f))
	if errors.Is(gone, fs.ErrNotExist) {
		gone = j.gate.remove(f.Name()) // it had not got its name yet
	}
	return errors.Join(err, gone)
}

// name returns the path of the journal's own file.
func (j *journal) name() string { return j.nameOf(j.file) }

// nameOf returns the path that f, made by begin, has in the end.
func (j *journal) nameOf(f osFile) string {
	base := filepath.Base(f.Name())
	return filepath.Join(j.dir, journalPrefix+strings.TrimPrefix(base, unnamedPrefix))
}

// put writes a record and returns its number: a new one if it has none. The
// record has reached the kernel, but not yet the disk (sync).
func (j *journal) put(r record) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r.id == 0 {
		r.id = j.last + 1
	}
	if err := j.write(r); err != nil {
		return 0, err
	}
	j.last = max(j.last, r.id)
	j.live[r.id] = r
	j.shorten()
	return r.id, nil
}

// stale returns an earlier record of the same file as undo, if one could not be
// ended: it must never be played back now.
func (j *journal) stale(undo record) (record, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.live {
		if r.sameFile(undo) {
			return r, true
		}
	}
	return record{}, false
}

// done says that a record is over. Number 0 never was.
func (j *journal) done(id uint64) error {
	if id == 0 {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	r, found := j.live[id]
	if !found {
		return nil
	}
	if err := j.end(id); err != nil {
		return err
	}
	for other, same := range j.live {
		if same.sameFile(r) {
			if err := j.end(other); err != nil {
				return err
			}
		}
	}
	j.shorten()
	return nil
}

// end takes out one record. The caller holds mu.
func (j *journal) end(id uint64) error {
	err := j.write(record{kind: recordDone, id: id})
	if err == nil {
		delete(j.live, id)
		delete(j.ghosts, id)
	}
	return err
}

// write appends one line; a line that was cut short is taken back.
func (j *journal) write(r record) error {
	j.line = r.append(j.line[:0])
	n, err := j.file.Write(j.line)
	if err != nil {
		if n > 0 {
			_ = j.file.Truncate(j.size)
		}
		return err
	}
	j.size += int64(n)
	return nil
}

// shorten begins a new file when the old one is long. A failure leaves the old
// one in use.
func (j *journal) shorten() {
	if j.size < max(journalRewrite, 2*j.base) {
		return
	}
	// Whoever's upload it is that the record is about, the journal is the server's.
	aside(j.rewrite)
}

func (j *journal) rewrite() {
	f, size, err := j.begin()
	if err != nil {
		return
	}
	j.hold.Lock()
	defer j.hold.Unlock()
	// Of two files with the same records one must be empty, even if it stays or comes
	// back after a power cut: what is over by then would be undone.
	if j.file.Truncate(0) != nil {
		_ = j.scrap(f)
		return
	}
	_ = j.file.Sync()
	_ = j.file.Close()
	_ = j.gate.remove(j.name())
	_ = j.gate.syncDir(j.dir)
	j.file, j.size, j.base = f, size, size
}

// sync makes every record put before durable. Callers share the work.
func (j *journal) sync() error {
	return j.syncs.do(fileID{}, func() error {
		j.hold.RLock()
		defer j.hold.RUnlock()
		return j.file.Sync()
	})
}

// ghost is the number of one, and the record as it was before.
type ghost struct {
	id uint64
	of record
}

// moving writes down that a file or directory is about to be renamed. As long as
// nobody knows whether a power cut would take that back, what is recorded may be in
// either place, and is looked for in both: each record gets the new path, and a
// ghost the old one. It returns the ghosts.
func (j *journal) moving(from, to Path) (ghosts []ghost, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.below(from) {
		j.last++
		old := r
		old.id = j.last
		if err = j.write(old); err != nil {
			return ghosts, err
		}
		j.live[old.id], j.ghosts[old.id] = old, struct{}{}
		ghosts = append(ghosts, ghost{id: old.id, of: r})
		if err = j.follow(r, from, to); err != nil {
			return ghosts, err
		}
	}
	return ghosts, nil
}

// below returns the records of what moves with from. A hidden file moves with its
// folder, not with the name it stands for.
func (j *journal) below(from Path) []record {
	var below []record
	for id, r := range j.live {
		_, ghost := j.ghosts[id]
		if !ghost && Path(r.path).Within(from) && (r.kind != recordPartial || r.path != string(from)) {
			below = append(below, r)
		}
	}
	return below
}

// follow gives r the path that it has after a rename.
func (j *journal) follow(r record, from, to Path) error {
	r.path = string(to) + strings.TrimPrefix(r.path, string(from))
	err := j.write(r)
	if err == nil {
		j.live[r.id] = r
	}
	return err
}

// stay takes back moving.
func (j *journal) stay(ghosts []ghost) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, g := range ghosts {
		if now, found := j.live[g.of.id]; found {
			now.path = g.of.path
			j.live[now.id] = now
			_ = j.write(now)
		} // else what it is about has ended meanwhile, and so must the ghost
		_ = j.end(g.id)
	}
}

// moved follows a file or directory that was renamed.
func (j *journal) moved(from, to Path) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.below(from) {
		_ = j.follow(r, from, to) // its ghost is there as well
	}
}

// settled says that what is on the disk is no longer in doubt.
func (j *journal) settled(ghosts []ghost) error {
	if len(ghosts) == 0 {
		return nil
	}
	if err := j.sync(); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, g := range ghosts {
		if _, found := j.live[g.id]; found {
			if err := j.end(g.id); err != nil {
				return err
			}
		}
	}
	return nil
}

// close ends the journal. If anything in it is live, the file is left to whoever
// opens the state directory next.
func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hold.Lock()
	defer j.hold.Unlock()
	name := j.name()
	err := j.file.Close()
	if len(j.live) == 0 {
		err = errors.Join(err, j.gate.remove(name))
	}
	return err
}
