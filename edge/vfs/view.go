package vfs

import (
	"errors"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// place is where a view lies below the top of its tree. Renaming a directory
// above it changes that.
type place struct{ path atomic.Pointer[Path] }

func newPlace(p Path) *place {
	l := new(place)
	l.path.Store(&p)
	return l
}

// views are the Disks that Sub has made and that are not closed. The zero value
// is empty.
type views struct {
	mu     sync.Mutex
	open   map[*Disk]struct{}
	closed bool // the top is closed, and so is everything
}

// add reports false if the tree is closed.
func (v *views) add(d *Disk) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return false
	}
	if v.open == nil {
		v.open = make(map[*Disk]struct{})
	}
	v.open[d] = struct{}{}
	return true
}

// remove reports whether d was open.
func (v *views) remove(d *Disk) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, open := v.open[d]
	delete(v.open, d)
	return open
}

// close returns what is open, which is the caller's to close, and false if that
// was done before.
func (v *views) close() (open map[*Disk]struct{}, first bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	open, first = v.open, !v.closed
	v.open, v.closed = nil, true
	return open, first
}

// moved follows a directory that was renamed.
func (v *views) moved(from, to Path) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for d := range v.open {
		if at := *d.base.path.Load(); at.Within(from) {
			at = to + at[len(from):]
			d.base.path.Store(&at)
		}
	}
}

// Sub implements [Subber]; the FS is a *Disk. It has a root of its own, opened at
// dir, so that no link in it leads out of dir, and shares all else with d: what
// was interrupted in one view is gone on with in another, and the start sweep
// knows one tree. dir is looked up with the rights of d, and may lead through
// links that stay inside d. A view keeps two file descriptors, one where the host is
// not Linux.
//
// A view follows its directory when that is renamed, and is empty when it is
// removed. Closing the view ends it alone; closing the Disk that OpenDisk returned
// ends every view.
func (d *Disk) Sub(dir Path) (FS, error) {
	var view *Disk
	err := d.run(func() (err error) {
		view, err = d.sub(dir)
		return err
	})
	if err != nil {
		return nil, d.fail("open", dir, err)
	}
	return view, nil
}

func (d *Disk) sub(dir Path) (*Disk, error) {
	if err := d.check(dir); err != nil {
		return nil, err
	}
	p, info, err := follow(dir, d.lstat)
	switch {
	case err != nil:
		return nil, err
	case isReserved(p):
		return nil, fs.ErrNotExist
	case !info.IsDir():
		return nil, ErrNotDirectory
	}
	// A directory that is renamed from here on is noticed only after add.
	d.tree.RLock()
	defer d.tree.RUnlock()
	root, err := d.root.OpenRoot(p.Rel())
	if err != nil {
		return nil, err
	}
	if err := d.admitRoot(root); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	view := &Disk{shared: d.shared, root: root, base: newPlace(d.global(p)), as: d.as, umask: d.umask}
	if d.below != nil {
		view.below = openBelow(root)
	}
	if !d.views.add(view) {
		return nil, errors.Join(fs.ErrClosed, view.closeRoot())
	}
	return view, nil
}

// Close ends the Disk; closing it again does nothing. Stages that have not ended
// are then unable to commit; what they left in place is undone when the directory
// is next opened, what they left beside is removed when they are discarded.
//
// Closing a view that Sub made touches no other; closing one that AsUser made does
// nothing, because it lives on the Disk that it was made of.
func (d *Disk) Close() error {
	if d.lent {
		return nil
	}
	if d != d.top {
		if d.views.remove(d) {
			return d.closeRoot()
		}
		return nil
	}
	open, first := d.views.close()
	if !first {
		return nil
	}
	d.work.Wait()
	err := d.closeRoot()
	for view := range open {
		err = errors.Join(err, view.closeRoot())
	}
	if d.journal != nil {
		err = errors.Join(err, d.journal.close())
	}
	return err
}

// closeRoot lets go of the directory.
func (d *Disk) closeRoot() error {
	d.below.close()
	return d.root.Close()
}

// global returns the path below the top of what is p in this view.
func (d *Disk) global(p Path) Path {
	base := *d.base.path.Load()
	switch {
	case base == Root:
		return p
	case p == Root:
		return base
	}
	return base + p
}

// local returns the path in this view of what is p below the top; false if it is
// not in this view.
func (d *Disk) local(p Path) (Path, bool) {
	base := *d.base.path.Load()
	switch {
	case base == Root:
		return p, true
	case !p.Within(base):
		return "", false
	case p == base:
		return Root, true
	}
	return p[len(base):], true
}

// HostPath returns the absolute name that p has on the host, for messages and for
// programs that run beside the server. It is made of names alone: nothing is
// looked up, and p need not exist. It must never be opened in place of p: between
// the two anybody may put a symbolic link there that leads out of the root, and
// nothing would notice.
func (d *Disk) HostPath(p Path) string {
	return filepath.Join(d.host, filepath.FromSlash(d.global(p).Rel()))
}

// removeHidden removes a hidden file, at a path below the top, for certain. It is
// nobody's but the Disk's, so what the user of this view may not remove, the server
// removes.
func (d *Disk) removeHidden(p Path) error {
	removed := false
	if q, inside := d.local(p); inside {
		removed = d.root.Remove(q.Rel()) == nil
	}
	var err error
	d.own(func() {
		if !removed {
			err = d.top.root.Remove(p.Rel())
		}
		if err == nil {
			err = d.top.syncFolder(p.Dir())
		}
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
