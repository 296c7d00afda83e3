package vfs

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"
)

// partial is one kept upload. Path, size, at and busy are guarded by the index
// that holds it; the rest does not change.
type partial struct {
	record
	busy bool // somebody goes on with it
	turn int  // how often somebody did
}

// maxPartials bounds what is kept for one owner; the oldest goes first.
const maxPartials = 1024

// partialIndex finds partial uploads by owner and canonical path. The zero value
// is empty.
type partialIndex struct {
	mu    sync.Mutex
	owned map[string]map[Path]*partial
}

// get returns what is kept, or nil.
func (x *partialIndex) get(owner string, p Path) *partial {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.owned[owner][p]
}

// add keeps a partial upload. It returns the one that it takes the place of, which
// nobody can find any more, and false if somebody goes on with that one.
func (x *partialIndex) add(k *partial) (old *partial, added bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if old = x.owned[k.owner][Path(k.path)]; old != nil && old.busy {
		return nil, false
	}
	if x.owned == nil {
		x.owned = make(map[string]map[Path]*partial)
	}
	if x.owned[k.owner] == nil {
		x.owned[k.owner] = make(map[Path]*partial)
	}
	x.owned[k.owner][Path(k.path)] = k
	return old, true
}

// holds reports whether k still is kept. The caller holds mu.
func (x *partialIndex) holds(k *partial) bool { return x.owned[k.owner][Path(k.path)] == k }

// remove takes out k if it still is there, and reports whether it was.
func (x *partialIndex) remove(k *partial) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	paths := x.owned[k.owner]
	if paths[Path(k.path)] != k {
		return false
	}
	delete(paths, Path(k.path))
	if len(paths) == 0 {
		delete(x.owned, k.owner)
	}
	return true
}

// claim gives k to one upload that goes on with it.
func (x *partialIndex) claim(k *partial) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if k.busy || !x.holds(k) {
		return false
	}
	k.busy = true
	k.turn++
	return true
}

// taken reports whether somebody goes on with k.
func (x *partialIndex) taken(k *partial) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return k.busy
}

// release ends a claim.
func (x *partialIndex) release(k *partial) {
	x.mu.Lock()
	defer x.mu.Unlock()
	k.busy = false
}

// find returns those for which match is true.
func (x *partialIndex) find(match func(*partial) bool) []*partial {
	x.mu.Lock()
	defer x.mu.Unlock()
	var found []*partial
	for _, paths := range x.owned {
		for _, k := range paths {
			if match(k) {
				found = append(found, k)
			}
		}
	}
	return found
}

// of returns owner's, in the directory dir.
func (x *partialIndex) of(owner string, dir Path) []*partial {
	x.mu.Lock()
	defer x.mu.Unlock()
	var found []*partial
	for p, k := range x.owned[owner] {
		if p.Dir() == dir {
			found = append(found, k)
		}
	}
	return found
}

// at returns what is kept of uploads of p for anybody.
func (x *partialIndex) at(p Path) []*partial {
	x.mu.Lock()
	defer x.mu.Unlock()
	var found []*partial
	for _, paths := range x.owned {
		if k := paths[p]; k != nil {
			found = append(found, k)
		}
	}
	return found
}

// crowd returns owner's oldest idle one if there are too many, else nil.
func (x *partialIndex) crowd(owner string) *partial {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.owned[owner]) <= maxPartials {
		return nil
	}
	var oldest *partial
	for _, k := range x.owned[owner] {
		if !k.busy && (oldest == nil || k.at < oldest.at) {
			oldest = k
		}
	}
	return oldest
}

// moved follows a directory that was renamed.
func (x *partialIndex) moved(from, to Path) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, paths := range x.owned {
		var below []*partial
		for p, k := range paths {
			if p != from && p.Within(from) {
				below = append(below, k)
				delete(paths, p)
			}
		}
		for _, k := range below {
			k.path = string(to) + k.path[len(from):]
			paths[Path(k.path)] = k
		}
	}
}

// now returns what is known of k at this moment.
func (x *partialIndex) now(k *partial) record {
	x.mu.Lock()
	defer x.mu.Unlock()
	return k.record
}

// file returns the path of k's hidden file.
func (r record) file() Path { return Path(r.path).Dir().Join(r.hidden) }

// Partial implements [Partials].
func (d *Disk) Partial(owner string, p Path) (info Info, err error) {
	err = d.run(func() (err error) {
		_, info, err = d.partial(owner, p)
		return err
	})
	if err != nil {
		return Info{}, d.fail("stat", p, err)
	}
	info.Name = p.Base()
	return info, nil
}

// partial finds what is kept of an upload of p, and describes its file. A
// published file of that name ends it.
func (d *Disk) partial(owner string, p Path) (*partial, Info, error) {
	if owner == "" || d.journal == nil {
		return nil, Info{}, fs.ErrNotExist
	}
	d.recoverLate(false)
	d.tree.RLock()
	defer d.tree.RUnlock()
	p, _, err := d.resolve(p)
	if err == nil {
		if k := d.partials.get(owner, d.global(p)); k != nil {
			d.dropIdle(k)
		}
		return nil, Info{}, fs.ErrNotExist
	}
	if !errors.Is(err, fs.ErrNotExist) || p == "" {
		return nil, Info{}, err
	}
	k := d.partials.get(owner, d.global(p))
	if k == nil {
		return nil, Info{}, fs.ErrNotExist
	}
	info, err := d.describe(k)
	return k, info, err
}

// describe returns the facts of a partial upload under the name that it will
// have. One that is too old, or gone, is dropped. The caller holds tree.
func (d *Disk) describe(k *partial) (Info, error) {
	now := d.partials.now(k)
	p, inside := d.local(now.file())
	if !inside {
		return Info{}, fs.ErrNotExist // its directory was renamed
	}
	info, err := d.lstat(p)
	if errors.Is(err, fs.ErrNotExist) || err == nil && d.expired(now) {
		if d.dropIdle(k) {
			return Info{}, fs.ErrNotExist
		}
	}
	if err != nil {
		return Info{}, err
	}
	info.Name = Path(now.path).Base()
	info.Mode = 0o666 &^ d.umask & fs.ModePerm
	info.Links = 1
	return info, nil
}

// expired reports whether r is older than partial uploads may be.
func (d *Disk) expired(r record) bool {
	return time.Since(time.Unix(r.at, 0)) >= d.cfg.PartialFor
}

// Partials implements [Partials].
func (d *Disk) Partials(owner string, p Path) (infos []Info, err error) {
	if err := d.check(p); err != nil {
		return nil, d.fail("list", p, err)
	}
	if owner == "" || d.journal == nil {
		return nil, nil
	}
	d.recoverLate(false)
	kept := d.partials.of(owner, d.global(p))
	if len(kept) == 0 {
		return nil, nil
	}
	err = d.run(func() error {
		infos = d.describeAll(p, kept)
		return nil
	})
	return infos, d.fail("list", p, err)
}

// describeAll describes what is kept in the directory p and is not published
// meanwhile.
func (d *Disk) describeAll(p Path, kept []*partial) []Info {
	d.tree.RLock()
	defer d.tree.RUnlock()
	var infos []Info
	for _, k := range kept {
		if _, err := d.lstat(p.Join(Path(d.partials.now(k).path).Base())); err == nil {
			d.dropIdle(k)
			continue
		}
		if info, err := d.describe(k); err == nil {
			infos = append(infos, info)
		}
	}
	return infos
}

// OpenPartial implements [Partials].
func (d *Disk) OpenPartial(owner string, p Path) (File, error) {
	var f osFile
	err := d.run(func() error {
		k, _, err := d.partial(owner, p)
		if err != nil {
			return err
		}
		if d.partials.taken(k) {
			return ErrBusy
		}
		d.tree.RLock()
		defer d.tree.RUnlock()
		at, inside := d.local(d.partials.now(k).file())
		if !inside {
			return fs.ErrNotExist // its directory was renamed
		}
		fo, err := d.openFolder(at.Dir())
		if err != nil {
			return err
		}
		defer fo.close()
		f, err = fo.open(at.Base(), os.O_RDONLY)
		return err
	})
	if err != nil {
		return nil, d.fail("open", p, err)
	}
	return f.bare(), nil
}

// DropPartial implements [Partials].
func (d *Disk) DropPartial(owner string, p Path) error {
	return d.fail("delete", p, d.run(func() error {
		k, _, err := d.partial(owner, p)
		if err != nil {
			return err
		}
		d.tree.RLock()
		defer d.tree.RUnlock()
		if !d.dropIdle(k) {
			return ErrBusy
		}
		return nil
	}))
}

// dropIdle drops k unless somebody goes on with it, and reports whether it did.
// The caller holds tree: a directory that is renamed between the look at where the
// file is and its removal would keep it for ever.
func (d *Disk) dropIdle(k *partial) bool {
	if !d.partials.claim(k) {
		return false
	}
	d.dropPartial(k)
	return true
}

// dropPartial removes the file of a partial upload that the caller has claimed,
// and forgets it.
func (d *Disk) dropPartial(k *partial) {
	d.dropFile(k)
	d.partials.remove(k)
}

// dropFile removes the file of a partial upload and its record. What cannot be
// removed stays in the journal, to be tried again when the Disk is opened.
func (d *Disk) dropFile(k *partial) {
	if d.removeHidden(d.partials.now(k).file()) == nil {
		_ = d.journal.done(k.id)
	}
}

// forget takes k out of the index and the journal; its file is gone or has
// another name.
func (d *Disk) forget(k *partial) {
	if d.partials.remove(k) {
		_ = d.journal.done(k.id)
	}
}

// dropReplaced drops what is kept of uploads of p for anybody, now that p is
// published. The caller holds tree.
func (d *Disk) dropReplaced(p Path) {
	for _, k := range d.partials.at(d.global(p)) {
		d.dropIdle(k)
	}
}

// dropOld drops what is too old, and the oldest of an owner who has too many. The
// caller holds tree.
func (d *Disk) dropOld(owner string) {
	for _, k := range d.partials.find(func(k *partial) bool { return !k.busy && d.expired(k.record) }) {
		d.dropIdle(k)
	}
	if k := d.partials.crowd(owner); k != nil {
		d.dropIdle(k)
	}
}
