package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
)

// diskStage is an upload to a Disk. It is one of three kinds:
//
//   - a new file: without a name, or under a hidden one (hidden) where the
//     filesystem has no unnamed files; seed is the older file if its bytes are
//     to be kept;
//   - a partial upload that goes on (kept), which has a hidden name;
//   - a published file that grows in place (grows), with an undo record.
type diskStage struct {
	d      *Disk
	opt    StageOptions
	path   Path    // published under this path
	folder *folder // held, so that its inode cannot become another directory's
	file   osFile  // positioned where the next byte goes
	at     int64   // offset of the next byte
	size   int64
	ended  bool
	broken atomic.Bool // Interrupt was called

	record uint64 // in the journal, of hidden or grows; 0 if none
	hidden string // the file's name while it is not published
	seed   osFile
	kept   *partial
	grows  bool
	base   int64  // length before, if it grows
	id     fileID // of the file, if it grows
	fresh  bool   // the name did not exist when the upload began
}

// Stage implements [Writer].
//
// An upload that must be complete to be of use (a new file, a replacement, REST
// inside the older bytes) is written beside and published by one rename. One
// that only adds bytes to a published file (APPE, or REST at its end) grows it in
// place, and is taken back if it does not end well. Only one upload at a time may
// do so: a second one could neither be undone alone nor be kept from mixing, and
// waiting would keep its client from an answer for as long as the first one
// takes; it is refused with ErrBusy.
func (d *Disk) Stage(p Path, opt StageOptions) (Stage, error) {
	var s *diskStage
	err := d.run(func() (err error) {
		s, err = d.stage(p, opt)
		return err
	})
	if err != nil {
		return nil, d.fail("store", p, err)
	}
	return s, nil
}

func (d *Disk) stage(p Path, opt StageOptions) (*diskStage, error) {
	positioned := opt.Append || opt.Offset > 0
	if opt.Offset < 0 || opt.Append && opt.Offset > 0 || opt.Unique && positioned {
		return nil, fs.ErrInvalid
	}
	s := &diskStage{d: d, opt: opt}
	var old Info
	var err error
	if opt.Unique {
		s.path, err = d.unique(p)
		s.fresh = err == nil
	} else {
		s.path, s.folder, old, err = d.find(p)
		s.fresh = errors.Is(err, fs.ErrNotExist) && s.path != ""
	}
	switch {
	case s.fresh || err == nil && old.Mode.IsRegular():
		err = nil
	case err == nil && old.IsDir():
		err = ErrIsDirectory
	case err == nil:
		err = ErrSpecial
	}
	if err == nil && s.folder == nil {
		s.folder, err = d.openFolder(s.path.Dir())
	}
	if err != nil {
		s.close()
		return nil, err
	}
	s.folder.keep()
	switch {
	case s.fresh && positioned:
		err = s.resume()
	case !s.fresh && (opt.Append || positioned && opt.Offset == old.Size):
		err = s.grow()
	default:
		err = s.create(old)
	}
	if err != nil {
		if s.record != 0 {
			_ = d.journal.done(s.record)
		}
		s.close()
		return nil, err
	}
	return s, nil
}

// find is resolve, and opens the folder that the path is in, which most of the time
// is all that there is to look up. Where that does not lead to a file or to a free
// name, it says what resolve says, and there may be no folder.
func (d *Disk) find(p Path) (Path, *folder, Info, error) {
	if err := d.checkNew(p); err != nil {
		return "", nil, Info{}, err
	}
	if p != Root {
		if fo, err := d.openFolder(p.Dir()); err == nil {
			info, err := fo.lstat(p.Base())
			if err == nil && info.Mode.IsRegular() || errors.Is(err, fs.ErrNotExist) {
				return p, fo, info, err
			}
			fo.close()
		}
	}
	q, info, err := d.resolve(p)
	return q, nil, info, err
}

// unique makes up a name that does not exist, beginning with p.
func (d *Disk) unique(p Path) (Path, error) {
	if err := d.checkNew(p); err != nil {
		return "", err
	}
	if p == Root {
		return "", ErrRoot
	}
	for range uniqueTries {
		q := p + Path(uniqueSuffix())
		_, err := d.lstat(q)
		if errors.Is(err, fs.ErrNotExist) {
			return q, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", fs.ErrExist
}

// create begins a new file.
func (s *diskStage) create(old Info) error {
	var err error
	if !s.fresh {
		if s.opt.Offset > old.Size {
			return ErrOffset
		}
		if err := s.folder.writable(s.path.Base()); err != nil {
			return err
		}
	}
	if s.opt.Offset > 0 {
		if s.seed, err = s.folder.open(s.path.Base(), os.O_RDONLY); err != nil {
			return err
		}
		s.at, s.size = s.opt.Offset, old.Size
	}
	if s.d.unnamed {
		if s.file, err = s.folder.createUnnamed(); err == nil {
			return nil
		}
		if reason := s.d.reason(err); errors.Is(reason, fs.ErrPermission) && s.folder.removed() {
			return fs.ErrNotExist // the kernel says EPERM
		} else if denied(reason) {
			return err
		}
	}
	hidden := hiddenName()
	if s.record, err = s.d.announce(s.folder, s.path.Dir(), hidden); err != nil {
		return err
	}
	if s.file, err = s.folder.create(hidden); err == nil {
		s.hidden = hidden
	}
	return err
}

// denied tells a refusal that holds for every new file from one that only says
// that there are no unnamed files.
func denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, ErrNoSpace) || errors.Is(err, ErrReadOnly)
}

// announce writes to the journal that a hidden name is about to exist.
func (d *Disk) announce(fo *folder, dir Path, hidden string) (uint64, error) {
	if d.journal == nil {
		return 0, nil
	}
	id, err := d.journal.put(record{kind: recordHidden, path: string(d.global(dir)), hidden: hidden})
	if err == nil && d.cfg.Durability == DurabilityFull {
		err = d.journal.sync()
	}
	return id, err
}

// resume goes on with the owner's partial upload, or begins one where APPE finds
// nothing.
func (s *diskStage) resume() error {
	k, _, err := s.d.partial(s.opt.Owner, s.path)
	if errors.Is(err, fs.ErrNotExist) && s.opt.Append {
		return s.create(Info{})
	}
	if err != nil {
		return err
	}
	if !s.d.partials.claim(k) {
		return ErrBusy
	}
	if err := s.reopen(k); err != nil {
		s.d.partials.release(k)
		return err
	}
	s.kept, s.hidden, s.record = k, k.hidden, k.id
	return nil
}

// reopen opens a partial upload where it is to go on. What is beyond that was
// never confirmed to the client, and goes.
func (s *diskStage) reopen(k *partial) error {
	f, err := s.folder.open(k.hidden, os.O_RDWR)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.at = info.Size()
	if !s.opt.Append {
		if s.opt.Offset > s.at {
			return errors.Join(ErrOffset, f.Close())
		}
		s.at = s.opt.Offset
	}
	if err := s.d.shrinkPartial(k, f, s.at); err != nil {
		return errors.Join(err, f.Close())
	}
	s.file, s.size = f, s.at
	_, err = f.Seek(s.at, io.SeekStart)
	return err
}

// grow begins to add to a published file.
func (s *diskStage) grow() error {
	f, err := s.folder.open(s.path.Base(), os.O_RDWR)
	if errors.Is(err, fs.ErrPermission) {
		f, err = s.folder.open(s.path.Base(), os.O_WRONLY)
	}
	if err != nil {
		return err
	}
	s.file = f
	if err := s.alone(); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if s.base = info.Size(); !s.opt.Append && s.base != s.opt.Offset {
		return ErrBusy // it has changed since it was looked at
	}
	s.at, s.size = s.base, s.base
	if _, err := f.Seek(s.base, io.SeekStart); err != nil {
		return err
	}
	return s.promise(infoOf(info, s.path.Base()))
}

// alone makes sure that nobody else is writing to the file, in this process or
// in one that is ending its last transfers, and that what a killed one left of an
// append is gone.
func (s *diskStage) alone() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	id := idOf(infoOf(info, s.path.Base()), s.path)
	if !s.d.writers.take(id) {
		return ErrBusy
	}
	s.id, s.grows = id, true
	free, err := s.file.lock()
	if err == nil && !free {
		return ErrBusy
	}
	s.d.recoverLate(true)
	return s.takeBack()
}

// promise writes down how long the file was, before it grows.
func (s *diskStage) promise(info Info) error {
	j := s.d.journal
	if j == nil {
		return nil
	}
	undo := record{kind: recordUndo, path: string(s.d.global(s.path)),
		dev: s.d.device(info.Dev), inode: info.Inode, size: s.base}
	if old, stale := j.stale(undo); stale {
		undo.id = old.id // it must never be played back from now on
	}
	var err error
	s.record, err = j.put(undo)
	if err == nil && s.d.cfg.Durability != DurabilityNone {
		err = j.sync()
	}
	return err
}

// takeBack cuts off what an earlier append could not take back itself.
func (s *diskStage) takeBack() error {
	if s.d.journal == nil {
		return nil
	}
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	at := infoOf(info, s.path.Base())
	old, stale := s.d.journal.stale(record{kind: recordUndo, dev: s.d.device(at.Dev), inode: at.Inode})
	if !stale || old.size >= at.Size {
		return nil
	}
	if err = s.file.Truncate(old.size); err == nil && s.d.cfg.Durability != DurabilityNone {
		err = s.file.Sync()
	}
	return err
}

// close lets go of everything that the stage holds, but changes nothing.
func (s *diskStage) close() {
	if s.grows {
		s.d.writers.release(s.id)
	}
	for _, f := range []osFile{s.file, s.seed} {
		if f.open() {
			_ = f.Close()
		}
	}
	if s.folder != nil {
		s.folder.close()
	}
}
