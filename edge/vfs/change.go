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
	mode := 0o777 &^ d.cfg.Umask & fs.ModePerm
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
	if info, err := d.lstat(p); err == nil && info.IsDir() && info.Mode.Perm() != mode {
		if err := d.chmod(p, mode); err != nil {
			return err
		}
	}
	return d.syncFolder(p.Dir())
}

// syncFolder makes the names in the directory p durable where that was asked
// for.
func (d *Disk) syncFolder(p Path) error {
	if d.cfg.Durability != DurabilityFull {
		return nil
	}
	fo, err := d.openFolder(p)
	if err != nil {
		return err
	}
	defer fo.close()
	return d.syncs.do(fo.id, fo.sync)
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
	fo, err := d.openFolder(p.Dir())
	if err != nil {
		return err
	}
	defer fo.close()
	if err := fo.elsewhere(p.Base()); err != nil {
		return err
	}
	// Some hosts say EPERM for a directory.
	if info, err := fo.lstat(p.Base()); err == nil && info.IsDir() {
		return ErrIsDirectory
	}
	return fo.unlink(p.Base())
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
	where := d.global(p)
	for _, k := range d.partials.find(func(k *partial) bool { return Path(k.path).Dir() == where }) {
		d.forget(k)
	}
	for _, name := range names {
		if err := fo.unlink(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// names returns the names in the directory; of many that are not hidden, the
// first few.
func (fo *folder) names() ([]string, error) {
	var names []string
	for {
		more, err := fo.f.Readdirnames(64)
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

// Rename implements [Writer]. With full durability the new name is on the disk
// when it returns. An upload that runs in a directory that is renamed finds at
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
	d.tree.Lock()
	err := d.move(from, to)
	d.tree.Unlock()
	if err != nil {
		return err
	}
	if err := d.syncFolder(to.Dir()); err != nil || to.Dir() == from.Dir() {
		return err
	}
	return d.syncFolder(from.Dir())
}

// move renames with tree held, and makes the journal follow.
func (d *Disk) move(from, to Path) error {
	info, err := d.lstat(from)
	if err != nil || from == to {
		return err
	}
	if old, err := d.lstat(to); err == nil {
		switch {
		case old.IsDir():
			return fs.ErrExist
		case info.IsDir():
			return ErrNotDirectory
		}
	} else if errors.Is(d.reason(err), ErrCrossDevice) {
		return err
	}
	if err := d.renameBetween(from, to); err != nil {
		return err
	}
	before, now := d.global(from), d.global(to)
	if info.IsDir() {
		d.views.moved(before, now)
		d.partials.moved(before, now)
	}
	if d.journal != nil {
		d.journal.moved(before, now)
		d.dropReplaced(to)
	}
	return nil
}

// Chmod implements [Chmodder]. Set-id and sticky bits that a directory has stay;
// a file loses them.
func (d *Disk) Chmod(p Path, mode fs.FileMode) error {
	return d.fail("chmod", p, d.run(func() error { return d.chmod(p, mode) }))
}
