package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Durability says how much of a committed upload survives a power cut, or a kernel
// that stops. Whatever it is, a killed process leaves whole files: that takes no
// disk, since the kernel goes on.
type Durability int

// The durabilities. The zero value is the strictest.
const (
	// DurabilityFull: what was committed is there, whole and under its name, and so
	// are directories and links that were made and names that were changed. Of an
	// upload that was not committed nothing can be seen: the file is the one before.
	// What was removed may come back.
	DurabilityFull Durability = iota
	// DurabilityFile: every file that is there is whole, as it was after some commit,
	// and what was renamed bears its new name. The last uploads may be missing, or
	// the files that they replaced be there in their place, and so may directories
	// that were made be missing with all that is in them. An append is there if its
	// file is. Hidden files of uploads that were not committed may be left behind.
	DurabilityFile
	// DurabilityNone: files that were written shortly before, half a minute by the
	// habit of Linux, may be missing, empty, torn or longer than they should be.
	DurabilityNone
)

// DiskConfig says what a [Disk] serves. Only Root must be set.
type DiskConfig struct {
	// Root is the host's directory that is served as "/".
	Root string
	// State is a directory of the host, outside Root, for the journal and the
	// index of partial uploads; it is made with mode 0700. Several Disks, also
	// of several processes, may share it. Empty: partial uploads are discarded,
	// and a killed process may leave half an append and, on filesystems without
	// unnamed files, hidden files behind.
	State string
	// Umask is taken from the mode of new files (0666) and directories (0777).
	// Zero means 022. The process's own umask has no effect.
	Umask fs.FileMode
	// PartialFor is how long a partial upload is kept after it was last written
	// to. Zero means 24 hours.
	PartialFor time.Duration
	// Durability of a committed upload; zero is full.
	Durability Durability
	// Mounts says whether other filesystems below Root are served; zero is yes.
	Mounts Mounts
}

// Disk serves a directory of the host. It implements [FS], [Writer], [Chmodder],
// [Chtimer], [Symlinker], [Spacer], [Partials], [Subber] and [Impersonator], and
// is safe for concurrent use. It is no [Birther]: no host lets anybody choose
// when a file was made.
//
// Every access goes through one os.Root, or on Linux by openat2(2) with the same rules
// where that is shorter, so no symbolic link leads out, whoever swaps it and whenever. Hard links inside the root are served, and so are mounts
// unless [DiskConfig].Mounts says otherwise.
// Absolute symbolic links count as leading out, as they do for os.Root.
//
// The errors of a File that Open returned are those of package os.
type Disk struct {
	*shared
	root  osRoot
	below *below      // the short way into root; nil if there is none
	base  *place      // where root lies in the tree
	as    *rights     // whose rights every access has; nil: the process's own
	umask fs.FileMode // taken from the mode of what is new
	lent  bool        // root belongs to the Disk that this one was made of
}

// shared is what all views of one tree have in common: whatever view an upload
// came through, there is one journal, one index of partial uploads, and one lock
// on the tree. Paths in them are those below the top.
type shared struct {
	top     *Disk
	gate    *gate
	host    string // the host's name of the top
	dev     uint64 // the top's device, 0 where unknown
	cfg     DiskConfig
	escapes error  // what os.Root says of a path that leads out
	unnamed bool   // uploads are staged without a name where the filesystem can
	mount   *mount // the only one that is served; nil serves them all
	// plainLooks has listings describe entries without the fast path (looker).
	plainLooks bool
	dirBuffers dirBuffers
	views      views

	// tree is held for reading while an upload is published, and for writing
	// while a directory is moved or removed.
	tree     sync.RWMutex
	syncs    syncs
	writers  inodeSet // files that are being written in place
	journal  *journal // nil without State
	partials partialIndex
	late     lateJournals
	work     sync.WaitGroup // files being synced in the background
}

// OpenDisk opens a directory for serving. It first tidies up what killed
// processes have left: appends that were not committed are undone, staged files
// removed, partial uploads taken over. It does not touch what belongs to
// processes that still live.
func OpenDisk(cfg DiskConfig) (*Disk, error) { return openDisk(cfg, &gate{}) }

func openDisk(cfg DiskConfig, g *gate) (*Disk, error) {
	if cfg.Umask == 0 {
		cfg.Umask = 0o022
	}
	if cfg.PartialFor == 0 {
		cfg.PartialFor = 24 * time.Hour
	}
	root, err := g.openRoot(cfg.Root)
	if err != nil {
		return nil, fmt.Errorf("open the served directory: %w", err)
	}
	d := &Disk{root: root, base: newPlace(Root), umask: cfg.Umask, shared: &shared{gate: g, cfg: cfg, unnamed: canNameLater(g)}}
	d.top = d
	// The error has no name in package os, so it is asked for once.
	if _, err = root.Lstat(".."); err == nil {
		_ = root.Close()
		return nil, errors.New("open the served directory: the host does not confine paths")
	}
	d.escapes = errors.Unwrap(err)
	if info, err := d.lstat(Root); err == nil {
		d.dev = info.Dev
	}
	if d.host, err = g.realPath(cfg.Root); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("open the served directory: %w", err)
	}
	if cfg.State != "" {
		if err := d.openState(); err != nil {
			_ = root.Close()
			return nil, fmt.Errorf("open the state directory: %w", err)
		}
	}
	// From here on files bear names that tell nothing of the host.
	d.root = anonymous(root)
	d.below = openBelow(d.root)
	// Only now, so that what a killed process has left is tidied up on every mount.
	if err := d.confine(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// openState makes the state directory and the journal, and tidies up.
func (d *Disk) openState() error {
	if err := d.gate.mkdirAll(d.cfg.State, 0o700); err != nil {
		return err
	}
	state, err := d.gate.realPath(d.cfg.State)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(d.host, state); err == nil && rel != ".." &&
		!strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return errors.New("it lies inside the served directory")
	}
	if d.journal, err = openJournal(d.gate, state, d.host); err != nil {
		return err
	}
	if err := d.recover(); err != nil {
		_ = d.journal.close()
		return err
	}
	return nil
}

// check refuses what no client may look at.
func (d *Disk) check(p Path) error {
	if p == "" || p[0] != '/' || path.Clean(string(p)) != string(p) {
		return fs.ErrInvalid // nothing that Clean made
	}
	if isReserved(p) {
		return fs.ErrNotExist
	}
	return nil
}

// checkNew refuses what no client may make.
func (d *Disk) checkNew(p Path) error {
	if err := d.check(p); errors.Is(err, fs.ErrNotExist) {
		return fs.ErrPermission
	} else if err != nil {
		return err
	}
	return nil
}

// Open implements [FS]. The File is the *os.File itself, at offset 0.
func (d *Disk) Open(p Path) (File, error) {
	f, err := with(d, p, func(d *Disk, p Path) (osFile, error) { return d.open(p, os.O_RDONLY, false) })
	if err != nil {
		return nil, d.fail("open", p, err)
	}
	return f.bare(), nil
}

// open opens a regular file, or a directory too if dirs is set. It never waits
// for anybody: a FIFO without a writer is opened at once, seen and closed.
func (d *Disk) open(p Path, flag int, dirs bool) (osFile, error) {
	if err := d.check(p); err != nil {
		return osFile{}, err
	}
	if f, found := d.openBelow(p, flag, dirs); found {
		return f, nil
	}
	f, err := d.openFile(p, flag|openFlags)
	if f, err = d.mount.admitOr(f, err); err != nil {
		return osFile{}, err
	}
	if err := admit(f, dirs); err != nil {
		_ = f.Close()
		return osFile{}, err
	}
	return f, nil
}

// admit checks the type of an open file and makes it an ordinary blocking one
// again, as splice(2) and sendfile(2) want it.
func admit(f osFile, dirs bool) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch {
	case info.IsDir() && !dirs:
		return ErrIsDirectory
	case !info.IsDir() && !info.Mode().IsRegular():
		return ErrSpecial
	}
	return setBlocking(f.f)
}

// Stat implements [FS]. It does not ask for the time of birth, because every
// command looks at its file and that would take three times as long.
func (d *Disk) Stat(p Path) (Info, error) {
	info, err := with(d, p, (*Disk).stat)
	if err != nil {
		return Info{}, d.fail("stat", p, err)
	}
	info.Birth = time.Time{}
	return info, nil
}

func (d *Disk) stat(p Path) (Info, error) {
	if err := d.check(p); err != nil {
		return Info{}, err
	}
	if info, err := d.describeBelow(p, 0); err != errUnsure {
		return info, err
	}
	if d.mount != nil {
		return d.statHere(p)
	}
	fi, err := d.root.Stat(p.Rel())
	if err != nil {
		return Info{}, err
	}
	return infoOf(fi, p.Base()), nil
}

// Lstat implements [FS].
func (d *Disk) Lstat(p Path) (Info, error) {
	info, err := with(d, p, func(d *Disk, p Path) (Info, error) {
		if err := d.check(p); err != nil {
			return Info{}, err
		}
		return d.lstatBirth(p)
	})
	if err != nil {
		return Info{}, d.fail("lstat", p, err)
	}
	return info, nil
}

// lstat is Lstat without its checks, with the host's errors, and without the time
// of birth.
func (d *Disk) lstat(p Path) (Info, error) {
	if info, err := d.describeBelow(p, noFollow); err != errUnsure {
		return info, err
	}
	if d.mount != nil {
		return d.lstatBirth(p)
	}
	fi, err := d.root.Lstat(p.Rel())
	if err != nil {
		return Info{}, err
	}
	info := infoOf(fi, p.Base())
	if info.Mode&fs.ModeSymlink != 0 {
		info.Target, err = d.root.Readlink(p.Rel())
	}
	return info, err
}

// resolve returns the path that p leads to when its last component is a link, so
// that the target is written and the link stays. The other components are left
// to os.Root. A missing last component is fs.ErrNotExist beside its path.
func (d *Disk) resolve(p Path) (Path, Info, error) {
	if err := d.checkNew(p); err != nil {
		return "", Info{}, err
	}
	info, err := d.lstat(p)
	if err != nil || info.Mode&fs.ModeSymlink == 0 {
		return p, info, err
	}
	p, info, err = follow(p, d.lstat)
	if isReserved(p) {
		return "", Info{}, fs.ErrPermission
	}
	return p, info, err
}
