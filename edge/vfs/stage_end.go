package vfs

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// Commit implements [Stage]. Should the very last step fail, the sync of the
// folder, then a new name is taken back, but a file that was replaced is not
// brought back.
func (s *diskStage) Commit(ctx context.Context) error {
	if s.ended {
		return s.d.fail("store", s.path, fs.ErrClosed)
	}
	err := ctx.Err()
	if err == nil {
		err = s.ready()
	}
	s.ended = true
	defer s.close()
	if err == nil {
		err = s.d.run(func() error {
			if s.grows {
				return s.keepGrowth()
			}
			return s.publish(ctx)
		})
	}
	if err != nil {
		_ = s.abandon()
	}
	return s.d.fail("store", s.path, err)
}

// Discard implements [Stage].
func (s *diskStage) Discard(keep bool) error {
	if s.ended {
		return s.d.fail("store", s.path, fs.ErrClosed)
	}
	s.ended = true
	defer s.close()
	if keep && s.fresh && s.opt.Owner != "" && s.d.journal != nil && s.size > 0 {
		if s.d.run(s.keep) == nil {
			return nil
		}
	}
	return s.d.fail("store", s.path, s.abandon())
}

// abandon is drop with the rights of whose upload it is. Should they not be had
// any more, the server's must do: nothing may stay behind.
func (s *diskStage) abandon() error {
	err := s.d.run(s.drop)
	if errors.Is(err, ErrNoAsUser) {
		return s.drop()
	}
	return err
}

// drop removes every trace of the upload.
func (s *diskStage) drop() error {
	var err error
	switch {
	case s.grows:
		if err = s.file.Truncate(s.base); err == nil && s.d.cfg.Durability != DurabilityNone {
			err = s.file.Sync()
		}
		if err != nil {
			return err // the record stays, and is played back later
		}
		return s.over()
	case s.kept != nil:
		if err = s.unhide(); err == nil {
			s.d.forget(s.kept)
			return nil
		}
		s.d.partials.release(s.kept)
	case s.hidden != "":
		err = s.unhide()
	}
	if err == nil && s.record != 0 {
		err = s.d.journal.done(s.record)
	}
	return err
}

// unhide removes the hidden name, and makes sure of it before the journal forgets
// it: after a power cut nobody would know it any more.
func (s *diskStage) unhide() error {
	if err := s.folder.unlink(s.hidden); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.d.journal == nil {
		return nil
	}
	return s.d.syncOpen(s.folder)
}

// over says that the undo record is no longer to be played back, and makes sure
// of it: after a power cut it would take back what came later.
func (s *diskStage) over() error {
	if s.record == 0 {
		return nil
	}
	err := s.d.journal.done(s.record)
	if err == nil && s.d.cfg.Durability != DurabilityNone {
		err = s.d.journal.sync()
	}
	return err
}

// keepGrowth commits what was added to a published file, if it still is
// published.
func (s *diskStage) keepGrowth() error {
	if s.d.cfg.Durability != DurabilityNone {
		if err := s.file.Sync(); err != nil {
			return err
		}
	}
	s.d.tree.RLock()
	defer s.d.tree.RUnlock()
	info, err := s.d.lstat(s.path)
	if err != nil {
		return err
	}
	if idOf(info, s.path) != s.id {
		return ErrBusy // another upload has replaced it
	}
	return s.over()
}

// still checks, with tree held, that the folder is where it was when the upload
// began. A folder that was renamed may be anywhere by now.
func (s *diskStage) still() error {
	now, err := s.d.openFolder(s.path.Dir())
	if err != nil {
		return err
	}
	defer now.close()
	if !now.same(s.folder) {
		return fs.ErrNotExist
	}
	return nil
}

// keep makes the upload a partial one of its owner.
func (s *diskStage) keep() error {
	d := s.d
	d.tree.RLock()
	defer d.tree.RUnlock()
	if err := s.still(); err != nil {
		return err
	}
	if _, err := s.folder.lstat(s.path.Base()); !errors.Is(err, fs.ErrNotExist) {
		return fs.ErrExist // the published file wins
	}
	now := time.Now().Unix()
	if s.kept != nil {
		turn, err := d.touchPartial(s.kept, now)
		if err == nil {
			s.settleLater(s.kept, turn)
		}
		return err
	}
	where := d.global(s.path)
	if old := d.partials.get(s.opt.Owner, where); old != nil && !d.dropIdle(old) {
		return ErrBusy
	}
	k := &partial{record: record{kind: recordPartial, id: s.record, path: string(where),
		hidden: s.hidden, owner: s.opt.Owner, at: now}}
	if k.hidden == "" {
		k.hidden = hiddenName()
	}
	if err := d.writePartial(k); err != nil {
		return err
	}
	if s.hidden == "" {
		if err := s.folder.linkUnnamed(s.file, k.hidden); err != nil {
			return errors.Join(err, d.journal.done(k.id))
		}
	}
	old, added := d.partials.add(k)
	if !added {
		s.hidden, s.record = k.hidden, k.id // to be dropped
		return ErrBusy
	}
	if old != nil { // of an upload that was interrupted at the same time
		d.dropFile(old)
	}
	d.dropOld(k.owner)
	s.settleLater(k, 0)
	return nil
}

// settleLater brings a partial upload to the disk without keeping the client
// waiting for it. Until that is done, it does not count after a power cut.
func (s *diskStage) settleLater(k *partial, turn int) {
	if s.d.cfg.Durability == DurabilityNone {
		return
	}
	d, file, folder, size := s.d, s.file, s.folder, s.size
	s.file, s.folder = osFile{}, nil // now the background's to close
	d.work.Go(func() {
		defer folder.close()
		defer file.Close()
		if file.Sync() == nil && folder.sync() == nil {
			d.settlePartial(k, turn, size)
		}
	})
}

// writePartial writes k to the journal before its name exists.
func (d *Disk) writePartial(k *partial) error {
	var err error
	if k.id, err = d.journal.put(k.record); err == nil && d.cfg.Durability == DurabilityFull {
		err = d.journal.sync()
	}
	return err
}

// touchPartial ends a claim and notes when the partial upload was last written
// to. It returns the turn that ends, or fs.ErrNotExist if the directory has been
// removed meanwhile, and what was kept in it forgotten.
func (d *Disk) touchPartial(k *partial, now int64) (turn int, err error) {
	d.partials.mu.Lock()
	defer d.partials.mu.Unlock()
	k.busy = false
	if !d.partials.holds(k) {
		return 0, fs.ErrNotExist
	}
	k.at = now
	_, _ = d.journal.put(k.record)
	return k.turn, nil
}

// settlePartial notes that the first size bytes of a partial upload are on the
// disk, unless somebody has gone on with it meanwhile.
func (d *Disk) settlePartial(k *partial, turn int, size int64) {
	d.partials.mu.Lock()
	current := d.partials.holds(k) && k.turn == turn
	if current {
		k.size = size
		_, _ = d.journal.put(k.record)
	}
	d.partials.mu.Unlock()
	if current {
		_ = d.journal.sync()
	}
}

// shrinkPartial cuts a partial upload that the caller has claimed. The journal
// is told first, so that it never promises more than there is.
func (d *Disk) shrinkPartial(k *partial, f osFile, size int64) error {
	d.partials.mu.Lock()
	var err error
	shorter := k.size > size
	switch {
	case !d.partials.holds(k):
		err = fs.ErrNotExist
	case shorter:
		k.size = size
		_, err = d.journal.put(k.record)
	}
	d.partials.mu.Unlock()
	if err == nil && shorter {
		err = d.journal.sync()
	}
	if err != nil {
		return err
	}
	return f.Truncate(size)
}
