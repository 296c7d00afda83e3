package vfs

import (
	"context"
	"errors"
	"io/fs"
)

// publish gives a complete file its name: its mode and bytes first, then the
// name, then the sync of the folder, which uploads committed at the same time
// share.
func (s *diskStage) publish(ctx context.Context) error {
	again := false
	if s.fresh && s.hidden == "" {
		// That there was no such file is known; whether there is one by now, the kernel
		// says with the name.
		err := s.publishAs(ctx, s.mode(Info{}, false), false)
		if !errors.Is(err, fs.ErrExist) || s.mustBeNew() {
			return s.taken(err)
		}
		again = true // somebody was faster; the last one wins
	}
	old, err := s.folder.lstat(s.path.Base())
	mode := s.mode(old, err == nil)
	if err == nil || again {
		return s.taken(s.publishAs(ctx, mode, true))
	}
	err = s.publishAs(ctx, mode, false)
	if errors.Is(err, fs.ErrExist) && !s.mustBeNew() {
		err = s.publishAs(ctx, mode, true)
	}
	return s.taken(err)
}

// taken says what it means that the name is not free.
func (s *diskStage) taken(err error) error {
	if errors.Is(err, fs.ErrExist) && s.opt.Append {
		return ErrBusy // what it was to be appended to did not exist when it began
	}
	return err
}

// publishAs does it, also over an older file if it replaces one; fs.ErrExist if it does
// not and there is one.
func (s *diskStage) publishAs(ctx context.Context, mode fs.FileMode, replaces bool) error {
	err := s.file.Chmod(mode)
	if err == nil && s.d.cfg.Durability != DurabilityNone {
		err = s.file.Sync()
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	if replaces || s.hidden != "" {
		err = s.replace()
	} else {
		err = s.name()
	}
	if err != nil {
		return err
	}
	if err := s.d.syncOpen(s.folder); err != nil {
		if !replaces {
			_ = s.folder.unlink(s.path.Base())
		}
		return err
	}
	s.published()
	return nil
}

// mode is that of the file to be replaced, or that of a new one.
func (s *diskStage) mode(old Info, replaces bool) fs.FileMode {
	if replaces && old.Mode.IsRegular() {
		return old.Mode.Perm()
	}
	return 0o666 &^ s.d.umask & fs.ModePerm
}

// mustBeNew reports whether no other file may be replaced: one that has come since
// STOU made up the name, or since APPE found nothing, in which bytes may be that
// somebody else was told are kept.
func (s *diskStage) mustBeNew() bool { return s.opt.Unique || s.opt.Append && s.kept == nil }

// name publishes an unnamed file under a name that does not exist.
func (s *diskStage) name() error {
	s.d.tree.RLock()
	defer s.d.tree.RUnlock()
	if err := s.still(); err != nil {
		return err
	}
	return s.folder.linkUnnamed(s.file, s.path.Base())
}

// replace publishes a file by renaming it from its hidden name, which an unnamed
// one is given for this moment.
func (s *diskStage) replace() error {
	hidden := s.hidden
	if hidden == "" {
		var err error
		hidden = hiddenName()
		if s.record, err = s.d.announce(s.folder, s.path.Dir(), hidden); err != nil {
			return err
		}
	}
	s.d.tree.RLock()
	defer s.d.tree.RUnlock()
	if err := s.still(); err != nil {
		return err
	}
	if s.hidden == "" {
		if err := s.folder.linkUnnamed(s.file, hidden); err != nil {
			return err
		}
		s.hidden = hidden
	}
	return s.rename()
}

// rename moves the hidden name over the published one. Only a regular file is
// replaced: a link that was put there meanwhile is not the file that was meant.
func (s *diskStage) rename() error {
	base := s.path.Base()
	old, err := s.folder.lstat(base)
	switch {
	case s.mustBeNew() && err == nil:
		return fs.ErrExist
	case s.mustBeNew():
		if err := s.folder.link(s.hidden, base); err != nil {
			return err
		}
		if s.folder.unlink(s.hidden) != nil {
			s.record = 0 // not over: what could not be removed is when the Disk is next opened
		}
		return nil
	case err == nil && old.IsDir():
		return ErrIsDirectory
	case err == nil && !old.Mode.IsRegular():
		return ErrSpecial
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return s.folder.rename(s.hidden, base)
}

// published forgets what was known of the upload before.
func (s *diskStage) published() {
	if s.d.journal == nil {
		return
	}
	if s.kept != nil {
		s.d.forget(s.kept)
	} else {
		_ = s.d.journal.done(s.record)
	}
	s.d.tree.RLock()
	defer s.d.tree.RUnlock()
	s.d.dropReplaced(s.path)
}
