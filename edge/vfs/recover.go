package vfs

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// lateJournals are journals of processes that still lived when the Disk was
// opened: a predecessor that is ending its last transfers. When it is gone, its
// partial uploads are taken over.
type lateJournals struct {
	mu    sync.Mutex
	names []string
	tried time.Time
}

// lateEvery is how often the Disk looks whether a predecessor is gone.
const lateEvery = time.Second

// recover tidies up after every journal whose process is gone.
func (d *Disk) recover() error {
	names, err := d.journal.others()
	if err != nil {
		return err
	}
	for _, name := range names {
		alive, err := d.takeOver(name)
		if err != nil {
			return err
		}
		if alive {
			d.late.names = append(d.late.names, name)
		}
	}
	return nil
}

// others returns the paths of the journals that are not this one.
func (j *journal) others() ([]string, error) {
	dir, err := j.gate.openFile(j.dir, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var others []string
	for _, name := range names {
		path := filepath.Join(j.dir, name)
		if strings.HasPrefix(name, unnamedPrefix) {
			j.sweep(path)
		}
		if strings.HasPrefix(name, journalPrefix) && path != j.name() {
			others = append(others, path)
		}
	}
	return others, nil
}

// sweep removes what a process that was killed meanwhile had begun to make a journal
// of. It never was one. Another process may be about to make one now.
func (j *journal) sweep(path string) {
	if info, err := j.gate.stat(path); err == nil && time.Since(info.ModTime()) > time.Hour {
		_ = j.gate.remove(path)
	}
}

// recoverLate looks again at journals that were locked before, at once or as
// often as lateEvery says.
func (d *Disk) recoverLate(atOnce bool) {
	if d.journal == nil {
		return
	}
	d.late.mu.Lock()
	defer d.late.mu.Unlock()
	if len(d.late.names) == 0 || !atOnce && time.Since(d.late.tried) < lateEvery {
		return
	}
	d.late.tried = time.Now()
	d.tree.RLock()
	defer d.tree.RUnlock()
	d.own(func() {
		d.late.names = slices.DeleteFunc(d.late.names, func(name string) bool {
			alive, err := d.top.takeOver(name)
			return err == nil && !alive
		})
	})
}

// takeOver does what one journal asks for, and removes it. It reports true if the
// process of the journal lives.
func (d *Disk) takeOver(name string) (alive bool, err error) {
	f, err := d.gate.openFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer f.Close()
	if free, err := f.lock(); err != nil || !free {
		return err == nil, err
	}
	start, live, err := readJournal(f)
	if err != nil {
		return false, err
	}
	if start.kind == recordStart && start.path != d.journal.root {
		return false, nil // of a Disk that serves another directory
	}
	cleaned := make(map[Path]struct{})
	for _, r := range live {
		if err := d.settle(start, r, cleaned); err != nil {
			return false, err
		}
	}
	for p := range cleaned {
		if err := d.syncFolder(p); err != nil && !gone(d.reason(err)) {
			return false, err
		}
	}
	if err := d.journal.sync(); err != nil {
		return false, err
	}
	if err := d.gate.remove(name); err != nil {
		return false, err
	}
	// Should it come back after a power cut, it would undo what came later.
	return false, d.gate.syncDir(d.journal.dir)
}

// readJournal returns the first record and what the others add up to, in the
// order of their numbers. Lines that are torn are left out: what they were about
// had not begun.
func readJournal(r io.Reader) (record, []record, error) {
	var start record
	live := make(map[uint64]record)
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil && err != io.EOF {
			return start, nil, err
		}
		if got, bad := parseRecord(strings.TrimSuffix(line, "\n")); bad == nil {
			switch got.kind {
			case recordStart:
				start = got
			case recordDone:
				delete(live, got.id)
			default:
				live[got.id] = got
			}
		}
		if err == io.EOF {
			break
		}
	}
	all := make([]record, 0, len(live))
	for _, got := range live {
		all = append(all, got)
	}
	slices.SortFunc(all, func(a, b record) int { return int(int64(a.id) - int64(b.id)) })
	return start, all, nil
}

// settle does what one record of a dead process asks for. It adds to cleaned the
// directory in which it has removed something.
func (d *Disk) settle(start, r record, cleaned map[Path]struct{}) error {
	if r.hidden != "" && !isHidden(r.hidden) {
		return nil // a journal never names a file that a client could see
	}
	p, err := Clean(Root, r.path)
	if err != nil || string(p) != r.path {
		return nil
	}
	switch r.kind {
	case recordHidden:
		if err = d.root.Remove(p.Join(r.hidden).Rel()); err == nil {
			cleaned[p] = struct{}{}
		}
	case recordUndo:
		err = d.undo(p, r)
	case recordPartial:
		err = d.adopt(start, p, r, cleaned)
	}
	if gone(d.reason(err)) {
		return nil // its directory is, or is another one
	}
	return err
}

// gone says that what was at a path is elsewhere, or nowhere.
func gone(reason error) bool {
	return errors.Is(reason, fs.ErrNotExist) || errors.Is(reason, ErrNotDirectory) ||
		errors.Is(reason, ErrEscapes) || errors.Is(reason, ErrLoop)
}

// undo takes back an append that was not committed. A file that is not the one
// that was appended to is left alone.
func (d *Disk) undo(p Path, r record) error {
	fo, err := d.openFolderOn(nil, p.Dir())
	if err != nil {
		return err
	}
	defer fo.close()
	info, err := fo.lstat(p.Base())
	if err != nil {
		return err
	}
	if !info.Mode.IsRegular() || info.Inode != r.inode || info.Size <= r.size || d.device(info.Dev) != r.dev {
		return nil
	}
	f, err := fo.open(p.Base(), os.O_WRONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || infoOf(fi, "").Inode != r.inode {
		return err
	}
	if err := f.Truncate(r.size); err != nil {
		return err
	}
	return f.Sync()
}

// device numbers a device for the journal: 0 for that of the root, because the
// host may number its devices anew when it starts.
func (d *Disk) device(dev uint64) uint64 {
	if dev == d.dev {
		return 0
	}
	return dev
}

// adopt takes over a partial upload. What was not known to be on the disk is cut
// off if the host was started anew since.
func (d *Disk) adopt(start record, p Path, r record, cleaned map[Path]struct{}) error {
	fo, err := d.openFolderOn(nil, p.Dir())
	if err != nil {
		return err
	}
	defer fo.close()
	info, err := fo.lstat(r.hidden)
	if err != nil {
		return err
	}
	kept := d.partials.get(r.owner, p)
	if kept != nil && kept.hidden == r.hidden {
		return nil // taken over before, by a process that was killed meanwhile
	}
	rebooted := start.owner == "" || start.owner != d.journal.boot
	if rebooted && info.Size > r.size && r.size > 0 {
		f, err := fo.open(r.hidden, os.O_WRONLY)
		if err != nil {
			return err
		}
		err = errors.Join(f.Truncate(r.size), f.Sync(), f.Close())
		if err != nil {
			return err
		}
		info.Size = r.size
	}
	lost := rebooted && (r.size == 0 || info.Size < r.size)
	expired := time.Since(time.Unix(r.at, 0)) > d.cfg.PartialFor
	if !info.Mode.IsRegular() || lost || expired || kept != nil {
		cleaned[p.Dir()] = struct{}{}
		return fo.unlink(r.hidden)
	}
	r.id = 0
	if r.id, err = d.journal.put(r); err == nil {
		d.partials.add(&partial{record: r})
	}
	return err
}
