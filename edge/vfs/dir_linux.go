package vfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// diskDir reads a directory with few system calls: getdents64 into one buffer,
// and one statx per entry relative to the directory itself, so that no entry's
// description can come from elsewhere. There is no allocation for a name: those of
// one buffer are parts of one string.
type diskDir struct {
	d     *Disk
	p     Path
	f     osFile
	buf   *[dirBuffer]byte
	began bool
	text  string   // the names that are read and not yet returned, one after the other
	ends  []uint16 // where each of them ends in the text
	next  int      // of ends
	start int      // of the next name in the text
	few   []string // of Next
	twin  twin
}

// ReadDir implements [FS]. The Dir is a [NameDir] and a [LookDir] too.
func (d *Disk) ReadDir(p Path) (Dir, error) {
	if err := d.check(p); err != nil {
		return nil, d.fail("list", p, err)
	}
	var f osFile
	err := d.run(func() (err error) {
		f, err = d.mount.admitOr(d.openFile(p, directoryFlags))
		return err
	})
	if err != nil {
		return nil, d.fail("list", p, err)
	}
	return &diskDir{d: d, p: p, f: f}, nil
}

// Close implements [Dir].
func (r *diskDir) Close() error {
	r.release()
	return r.d.fail("list", r.p, errors.Join(r.twin.close(), r.f.Close()))
}

// release gives the memory back.
func (r *diskDir) release() {
	r.d.dirBuffers.put(r.buf)
	r.buf, r.few, r.text, r.ends, r.next = nil, nil, "", nil, 0
}

// fill reads the next names.
func (r *diskDir) fill() error {
	if r.buf == nil {
		r.buf = r.d.dirBuffers.get()
	}
	room := r.buf[:]
	if !r.began {
		room, r.began = room[:firstDirBuffer], true
	}
	var n int
	err := r.f.at(osCall{Op: "getdents"}, func(fd int) (err error) {
		n, err = unix.Getdents(fd, room)
		return err
	})
	switch {
	case err == unix.ENOENT: // the directory has been removed
		n, err = 0, nil
	case err != nil:
		return err
	}
	if n <= 0 {
		r.release()
		return io.EOF
	}
	r.parse(room[:n])
	return nil
}

// What stands before the name of a struct linux_dirent64, and where in it.
const (
	direntLength = 16 // of the entry, a uint16
	direntName   = 19
)

// parse takes the names out of entries. They are moved together where they stand.
func (r *diskDir) parse(entries []byte) {
	names := entries[:0]
	r.ends, r.next, r.start = r.ends[:0], 0, 0
	for len(entries) > direntName {
		length := int(binary.NativeEndian.Uint16(entries[direntLength:]))
		if length <= direntName || length > len(entries) {
			break // no kernel says so
		}
		removed := binary.NativeEndian.Uint64(entries) == 0 // it has no inode
		name := entries[direntName:length]
		entries = entries[length:]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if removed || len(name) == 0 || name[0] == '.' && (string(name) == "." || string(name) == ".." || isHidden(string(name))) {
			continue
		}
		names = append(names, name...)
		r.ends = append(r.ends, uint16(len(names)-1)) // 65,536 does not fit
	}
	r.text = string(names)
}

// name returns the next name that is not hidden.
func (r *diskDir) name() (string, error) {
	for r.next == len(r.ends) {
		if err := r.fill(); err != nil {
			return "", err
		}
	}
	end := int(r.ends[r.next]) + 1
	name := r.text[r.start:end]
	r.start = end
	r.next++
	return name, nil
}

// Candidates implements [LookDir]. The kernel asks for no rights here, since it did
// when the directory was opened.
func (r *diskDir) Candidates(names []string, n int) ([]string, error) {
	return r.some(names, n, func(string) bool { return false })
}

// some appends up to n further names, but those that are to be left out.
func (r *diskDir) some(names []string, n int, out func(name string) bool) ([]string, error) {
	for had := len(names); len(names) < had+max(n, 1); {
		name, err := r.name()
		switch {
		case err != nil && len(names) > had:
			return names, nil // it comes again
		case err != nil:
			return names, r.failed(err)
		case !out(name):
			names = append(names, name)
		}
	}
	return names, nil
}

// AppendNames implements [NameDir]. If one mount alone is served, each name is
// looked at.
func (r *diskDir) AppendNames(names []string, n int) ([]string, error) {
	if r.d.mount == nil {
		return r.Candidates(names, n)
	}
	return r.some(names, n, r.elsewhere)
}

// Next implements [Dir].
func (r *diskDir) Next(n int) ([]Info, error) {
	for {
		few, err := r.Candidates(r.few[:0], n)
		if err != nil {
			return nil, err
		}
		r.few = few
		infos := make([]Info, 0, len(few))
		err = r.Look(few, func(info *Info) { infos = append(infos, *info) })
		if err != nil {
			return nil, err
		}
		if len(infos) > 0 {
			return infos, nil
		}
	}
}

// failed makes an error fit to be seen; the end is not one.
func (r *diskDir) failed(err error) error {
	if err == io.EOF {
		return err
	}
	return r.d.fail("list", r.p, err)
}

// Look implements [LookDir]. What a user may do is done with the user's rights; see
// is called with the server's.
func (r *diskDir) Look(names []string, see func(*Info)) error {
	if r.d.as == nil {
		return r.looked(r.look(names, see))
	}
	infos := make([]Info, 0, len(names))
	err := r.d.run(func() error {
		return r.look(names, func(info *Info) { infos = append(infos, *info) })
	})
	for i := range infos {
		see(&infos[i])
	}
	return r.looked(err)
}

// looked is failed for an error that may be none.
func (r *diskDir) looked(err error) error {
	if err == nil {
		return nil
	}
	return r.failed(err)
}

func (r *diskDir) look(names []string, see func(*Info)) error {
	describe := r.describe
	if r.d.gate.probe == nil && !r.d.plainLooks {
		f, done := r.twin.lend(r.f)
		defer done()
		describe = (&looker{mount: r.d.mount, dir: f, fd: int(f.f.Fd())}).describe
	}
	var info Info
	for _, name := range names {
		if !entryName(name) {
			continue // the directory has given no such name
		}
		err := describe(name, &info)
		if err == unix.ENOENT || err == unix.EXDEV {
			continue
		} else if err != nil {
			return err
		}
		see(&info)
	}
	return nil
}

// entryName reports whether a directory can have given a name.
func entryName(name string) bool {
	if name == "" || name[0] == '.' && (name == "." || name == ".." || isHidden(name)) {
		return false
	}
	return strings.IndexByte(name, '/') < 0 && strings.IndexByte(name, 0) < 0
}

// describe describes one entry without a looker.
func (r *diskDir) describe(name string, info *Info) (err error) {
	*info, err = describeAt(r.d.mount, r.f, name)
	return err
}

// elsewhere reports whether something that is not served is mounted on an entry.
func (r *diskDir) elsewhere(name string) (mounted bool) {
	_ = r.d.run(func() error {
		_, err := describeAt(r.d.mount, r.f, name)
		mounted = err == unix.EXDEV
		return nil
	})
	return mounted
}
