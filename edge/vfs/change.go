package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// Mkdir implements [Writer]. With full durability the new name is on the disk
// when it returns, so that uploads into the directory are too.
func (d *Disk) Mkdir(p Path) error {
	return d.fail("mkdir", p, d.run(func() error { return d.mkdir(p) }))
}

func (d *Disk) mkdir(p Path) error {
	if err := d.checkNew(p); err != nil {
		return err
	}
	if p == Root {
		return fs.ErrExist
	}
	mode := 0o777 &^ d.umask & fs.ModePerm
	fo, err := d.openFolder(p.Dir())
	if err != nil {
		return err
	}
	defer fo.close()
	if err := fo.mkdir(p.Base(), mode); err != nil {
		return err
	}
	// The process's umask and the parent's access list have had their say; only
	// what the Disk's umask says counts.
	info, err := d.lstat(p)
	if err == nil && info.IsDir() && info.Mode.Perm() != mode {
		err = d.chmod(p, mode)
	}
	if err == nil {
		err = d.syncOpen(fo)
	}
	if err != nil { // taken back; should somebody have filled it, it stays
		_ = fo.rmdir(p.Base())
	}
	return err
}

// folderSync is a directory whose names are to be made durable, opened before one
// of them is changed: from then on nothing but the sync itself may fail. The zero
// value is one that need not be.
type folderSync struct {
	d  *Disk
	fo *folder
}

// toSync opens the directory p, if d is at least as durable as that.
func (d *Disk) toSync(p Path, least Durability) (folderSync, error) {
	if d.cfg.Durability > least {
		return folderSync{}, nil
	}
	fo, err := d.openFolder(p)
	return folderSync{d, fo}, err
}

// syncFolder makes the names in the directory p durable where that was asked for.
func (d *Disk) syncFolder(p Path) error {
	f, err := d.toSync(p, DurabilityFull)
	if err != nil {
		return err
	}
	defer f.close()
	return f.sync()
}

// syncOpen is syncFolder for a directory that is open.
func (d *Disk) syncOpen(fo *folder) error {
	if d.cfg.Durability != DurabilityFull {
		return nil
	}
	return folderSync{d, fo}.sync()
}

// sync shares the work with uploads that are committed at the same time.
func (f folderSync) sync() error {
	if f.fo == nil {
		return nil
	}
	return f.d.syncs.do(f.fo.id, f.fo.sync)
}

func (f folderSync) close() {
	if f.fo != nil {
		f.fo.close()
	}
}

// Remove implements [Writer].
func (d *Disk) Remove(p Path) error {
	return d.fail("remove", p, d.run(func() error { return d.remove(p) }))
}

func (d *Disk) remove(p Path) error {
	if err := d.check(p); err != nil {
		return err
	}
	if p == Root {
		return ErrIsDirectory
	}
	fo, err := d.enterFolder(p.Dir())
	if err != nil {
		return err
	}
	defer fo.close()
	if err := fo.elsewhere(p.Base()); err != nil {
		return err
	}
	err = fo.unlink(p.Base())
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Some hosts say EPERM for a directory, and others whatever comes first.
	if info, lerr := fo.lstat(p.Base()); lerr == nil && info.IsDir() {
		return ErrIsDirectory
	}
	return err
}

// Rmdir implements [Writer]. Hidden files do not keep a directory from being
// empty: they go with it, and so do the partial uploads in it. An upload that
// runs in it finds at its commit that the directory is gone.
func (d *Disk) Rmdir(p Path) error {
	return d.fail("rmdir", p, d.run(func() error { return d.rmdir(p) }))
}

func (d *Disk) rmdir(p Path) error {
	if err := d.check(p); err != nil {
		return err
	}
	if p == Root {
		return ErrRoot
	}
	d.tree.Lock()
	defer d.tree.Unlock()
	fo, err := d.openFolder(p.Dir())
	if err != nil {
		return err
	}
	defer fo.close()
	if err := fo.elsewhere(p.Base()); err != nil {
		return err
	}
	err = fo.rmdir(p.Base())
	// Some hosts say EEXIST for a directory that is not empty.
	if !errors.Is(d.reason(err), ErrNotEmpty) && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := d.clear(p); err != nil {
		return err
	}
	if err := fo.rmdir(p.Base()); errors.Is(err, fs.ErrExist) {
		return ErrNotEmpty
	} else if err != nil {
		return err
	}
	return nil
}

// clear removes the hidden files in the directory p, if it holds nothing else.
// The caller holds tree, so no upload publishes or keeps anything meanwhile.
func (d *Disk) clear(p Path) error {
	fo, err := d.openFolder(p)
	if err != nil {
		return err
	}
	defer fo.close()
	names, err := fo.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !isHidden(name) {
			return ErrNotEmpty
		}
	}
	for _, name := range names {
		if err := fo.unlink(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := d.syncOpen(fo); err != nil {
		return err
	}
	where := d.global(p)
	for _, k := range d.partials.find(func(k *partial) bool { return Path(k.path).Dir() == where }) {
		d.forget(k)
	}
	return nil
}

// names returns the names in the directory; of many that are not hidden, the
// first few.
func (fo *folder) names() ([]string, error) {
	var names []string
	for {
		more, err := fo.some(64)
		names = append(names, more...)
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		for _, name := range more {
			if !isHidden(name) {
				return names, nil
			}
		}
	}
}

// Rename implements [Writer]. Unless there is no durability, the new name is on the
// disk when it returns: an append that is cut short later must be found under the
// name that it knows. Should the very last step fail, the sync of a directory, then
// the new name stands all the same. An upload that runs in a directory that is renamed finds at
// its commit that the directory is gone.
func (d *Disk) Rename(from, to Path) error {
	err := d.fail("rename", from, d.run(func() error { return d.rename(from, to) }))
	if err != nil && d.mount != nil && errors.Is(d.veil(to, d.reason(err)), ErrCrossDevice) {
		return d.fail("rename", from, ErrCrossDevice)
	}
	return err
}

func (d *Disk) rename(from, to Path) error {
	if err := d.check(from); err != nil {
		return err
	}
	if err := d.checkNew(to); err != nil {
		return err
	}
	switch {
	case from == Root || to == Root:
		return ErrRoot
	case from != to && to.Within(from):
		return fs.ErrInvalid
	}
	new, err := d.toSync(to.Dir(), DurabilityFile)
	if err != nil {
		return err
	}
	defer new.close()
	old, err := d.toSync(from.Dir(), DurabilityFile)
	if err != nil {
		return err
	}
	defer old.close()
	d.tree.Lock()
	ghosts, err := d.move(from, to)
	d.tree.Unlock()
	if err != nil {
		return err
	}
	if err = new.sync(); err == nil && to.Dir() != from.Dir() {
		err = old.sync()
	}
	if err == nil && len(ghosts) > 0 {
		_ = d.journal.settled(ghosts) // those that stay find nothing
	}
	return err
}

// move renames with tree held, and makes the journal follow. It returns the records
// that are in doubt until the names are on the disk.
func (d *Disk) move(from, to Path) (ghosts []ghost, err error) {
	info, err := d.lstat(from)
	if err != nil || from == to {
		return nil, err
	}
	if old, err := d.lstat(to); err == nil {
		switch {
		case old.IsDir():
			return nil, fs.ErrExist
		case info.IsDir():
			return nil, ErrNotDirectory
		}
	} else if errors.Is(d.reason(err), ErrCrossDevice) {
		return nil, err
	}
	before, now := d.global(from), d.global(to)
	if d.journal != nil {
		ghosts, err = d.journal.moving(before, now)
		if err == nil && len(ghosts) > 0 && d.cfg.Durability != DurabilityNone {
			err = d.journal.sync()
		}
	}
	if err == nil {
		err = d.renameBetween(from, to)
	}
	if err != nil {
		if len(ghosts) > 0 {
			d.journal.stay(ghosts)
		}
		return nil, err
	}
	if info.IsDir() {
		d.views.moved(before, now)
		d.partials.moved(before, now)
	}
	if d.journal != nil {
		d.journal.moved(before, now) // what was written down meanwhile
		d.dropReplaced(to)
	}
	return ghosts, nil
}

// Chmod implements [Chmodder]. Set-id and sticky bits that a directory has stay;
// a file loses them.
func (d *Disk) Chmod(p Path, mode fs.FileMode) error {
	return d.fail("chmod", p, d.run(func() error { return d.chmod(p, mode) }))
}
