package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// gate is a Disk's only way to the operating system: every call goes through do or
// open, by way of osRoot, osFile and the functions below. Tests put a probe there
// that sees each call and can let it fail or leave it out; without one a call costs
// a comparison more. It says again what the kernel interrupted (EINTR), which
// filesystems in user space and over a network may do to any call.
//
// The exception is what Open returns: without a probe it is the *os.File, so that
// the kernel can move its bytes.
type gate struct {
	probe probe // nil but in tests
	// byProc is set where linkat(2) takes no bare descriptor: see folder.linkUnnamed.
	byProc atomic.Bool
}

// A probe is told of a call before it is made. An error takes its place: the call
// is not made, and fails with it, or seems to succeed if that is errLeftOut.
// Otherwise the function that it returns, if any, is told how the call ended and
// what it opened.
type probe func(c osCall) (after func(opened *os.File, err error), err error)

// errLeftOut makes a call that a probe leaves out seem to succeed.
var errLeftOut = errors.New("left out")

// osCall is a call as a probe sees it.
type osCall struct {
	Op   string   // what is done, in the words of the kernel
	Root *os.Root // Name and To are below it, if it is set
	File *os.File // what is open, or the directory in which Name and To are
	Name string
	To   string // the new name; what a symbolic link says
	Data []byte // what is written
	Size int64  // of a truncation
	Mode fs.FileMode
}

// do makes one call that opens nothing.
func (g *gate) do(c osCall, fn func() error) error {
	for {
		var err error
		if g.probe == nil {
			err = fn()
		} else {
			err = g.probed(c, fn)
		}
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func (g *gate) probed(c osCall, fn func() error) error {
	after, err := g.probe(c)
	if err == nil {
		err = fn()
	}
	if errors.Is(err, errLeftOut) {
		return nil
	}
	if after != nil {
		after(nil, err)
	}
	return err
}

// open makes one call that opens something.
func (g *gate) open(c osCall, fn func() (*os.File, error)) (osFile, error) {
	var f *os.File
	var after func(*os.File, error)
	for {
		var err error
		if g.probe != nil {
			after, err = g.probe(c)
		}
		if err == nil {
			f, err = fn()
		}
		if after != nil {
			after(f, err)
		}
		if !errors.Is(err, syscall.EINTR) {
			return osFile{f, g}, err
		}
	}
}

// The calls with names of the host, for the state directory.

// openFile is os.OpenFile.
func (g *gate) openFile(name string, flag int, mode fs.FileMode) (osFile, error) {
	return g.open(osCall{Op: opening(flag), Name: name, Mode: mode}, func() (*os.File, error) {
		return os.OpenFile(name, flag, mode)
	})
}

// opening says whether flag makes a file.
func opening(flag int) string {
	if flag&os.O_CREATE != 0 {
		return "create"
	}
	return "open"
}

func (g *gate) mkdir(name string, mode fs.FileMode) error {
	return g.do(osCall{Op: "mkdir", Name: name, Mode: mode}, func() error { return os.Mkdir(name, mode) })
}

// mkdirAll makes a directory and those above it, durably: what is made in it could
// otherwise be lost with it. A directory that may not be opened is not synced.
func (g *gate) mkdirAll(dir string, mode fs.FileMode) error {
	if info, err := g.stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := g.mkdirAll(parent, mode); err != nil {
			return err
		}
	}
	if err := g.mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := g.syncDir(parent); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

func (g *gate) rename(from, to string) error {
	return g.do(osCall{Op: "rename", Name: from, To: to}, func() error { return os.Rename(from, to) })
}

func (g *gate) remove(name string) error {
	return g.do(osCall{Op: "unlink", Name: name}, func() error { return os.Remove(name) })
}

func (g *gate) stat(name string) (fi fs.FileInfo, err error) {
	err = g.do(osCall{Op: "stat", Name: name}, func() error {
		fi, err = os.Stat(name)
		return err
	})
	return fi, err
}

// realPath returns the one absolute name of a directory.
func (g *gate) realPath(name string) (path string, err error) {
	err = g.do(osCall{Op: "realpath", Name: name}, func() error {
		if path, err = filepath.Abs(name); err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		return err
	})
	return path, err
}

// syncDir makes the names in a directory durable, where the host can.
func (g *gate) syncDir(dir string) error {
	f, err := g.openFile(dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && openFlags != 0 {
		return err
	}
	return nil
}

// openRoot is os.OpenRoot.
func (g *gate) openRoot(name string) (osRoot, error) {
	var r *os.Root
	err := g.do(osCall{Op: "open", Name: name}, func() (err error) {
		r, err = os.OpenRoot(name)
		return err
	})
	return osRoot{r, g}, err
}

// osRoot is an os.Root behind the gate.
type osRoot struct {
	r *os.Root
	g *gate
}

func (r osRoot) OpenRoot(name string) (osRoot, error) {
	var sub *os.Root
	err := r.g.do(osCall{Op: "open", Root: r.r, Name: name}, func() (err error) {
		sub, err = r.r.OpenRoot(name)
		return err
	})
	return osRoot{sub, r.g}, err
}

func (r osRoot) OpenFile(name string, flag int, mode fs.FileMode) (osFile, error) {
	return r.g.open(osCall{Op: opening(flag), Root: r.r, Name: name, Mode: mode}, func() (*os.File, error) {
		return r.r.OpenFile(name, flag, mode)
	})
}

func (r osRoot) Stat(name string) (fi fs.FileInfo, err error) {
	err = r.g.do(osCall{Op: "stat", Root: r.r, Name: name}, func() error {
		fi, err = r.r.Stat(name)
		return err
	})
	return fi, err
}

func (r osRoot) Lstat(name string) (fi fs.FileInfo, err error) {
	err = r.g.do(osCall{Op: "stat", Root: r.r, Name: name}, func() error {
		fi, err = r.r.Lstat(name)
		return err
	})
	return fi, err
}

func (r osRoot) Readlink(name string) (text string, err error) {
	err = r.g.do(osCall{Op: "readlink", Root: r.r, Name: name}, func() error {
		text, err = r.r.Readlink(name)
		return err
	})
	return text, err
}

func (r osRoot) Mkdir(name string, mode fs.FileMode) error {
	return r.g.do(osCall{Op: "mkdir", Root: r.r, Name: name, Mode: mode}, func() error { return r.r.Mkdir(name, mode) })
}

func (r osRoot) Symlink(text, name string) error {
	return r.g.do(osCall{Op: "symlink", Root: r.r, Name: name, To: text}, func() error { return r.r.Symlink(text, name) })
}

func (r osRoot) Link(from, to string) error {
	return r.g.do(osCall{Op: "link", Root: r.r, Name: from, To: to}, func() error { return r.r.Link(from, to) })
}

func (r osRoot) Rename(from, to string) error {
	return r.g.do(osCall{Op: "rename", Root: r.r, Name: from, To: to}, func() error { return r.r.Rename(from, to) })
}

func (r osRoot) Remove(name string) error {
	return r.g.do(osCall{Op: "unlink", Root: r.r, Name: name}, func() error { return r.r.Remove(name) })
}

func (r osRoot) Chmod(name string, mode fs.FileMode) error {
	return r.g.do(osCall{Op: "chmod", Root: r.r, Name: name, Mode: mode}, func() error { return r.r.Chmod(name, mode) })
}

func (r osRoot) Chtimes(name string, atime, mtime time.Time) error {
	return r.g.do(osCall{Op: "utimes", Root: r.r, Name: name}, func() error { return r.r.Chtimes(name, atime, mtime) })
}

func (r osRoot) Close() error { return r.r.Close() }

// osFile is an os.File behind the gate. The zero value is none.
type osFile struct {
	f *os.File
	g *gate
}

// open reports whether there is a file.
func (f osFile) open() bool { return f.f != nil }

// bare returns the *os.File for reading, or with a probe what tells it.
func (f osFile) bare() File {
	if f.g.probe == nil {
		return f.f
	}
	return f
}

func (f osFile) Name() string { return f.f.Name() }

func (f osFile) Stat() (fi fs.FileInfo, err error) {
	err = f.g.do(osCall{Op: "stat", File: f.f}, func() error {
		fi, err = f.f.Stat()
		return err
	})
	return fi, err
}

func (f osFile) Read(b []byte) (n int, err error) {
	err = f.g.do(osCall{Op: "read", File: f.f}, func() error {
		n, err = f.f.Read(b)
		return err
	})
	return n, err
}

func (f osFile) ReadAt(b []byte, off int64) (n int, err error) {
	err = f.g.do(osCall{Op: "read", File: f.f}, func() error {
		n, err = f.f.ReadAt(b, off)
		return err
	})
	return n, err
}

// Write is one or more calls, because the kernel may write less than it is given;
// a probe always sees two.
func (f osFile) Write(b []byte) (int, error) {
	if f.g.probe == nil {
		return f.write(b)
	}
	n, err := f.write(b[:len(b)/2])
	if err != nil {
		return n, err
	}
	m, err := f.write(b[len(b)/2:])
	return n + m, err
}

func (f osFile) write(b []byte) (n int, err error) {
	err = f.g.do(osCall{Op: "write", File: f.f, Data: b}, func() error {
		n, err = f.f.Write(b)
		return err
	})
	return n, err
}

// ReadFrom lets the kernel move the bytes, if it can and no probe is to see them.
func (f osFile) ReadFrom(r io.Reader) (int64, error) {
	if f.g.probe == nil {
		return f.f.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{f}, r)
}

func (f osFile) Seek(offset int64, whence int) (at int64, err error) {
	err = f.g.do(osCall{Op: "seek", File: f.f}, func() error {
		at, err = f.f.Seek(offset, whence)
		return err
	})
	return at, err
}

func (f osFile) Truncate(size int64) error {
	return f.g.do(osCall{Op: "truncate", File: f.f, Size: size}, func() error { return f.f.Truncate(size) })
}

func (f osFile) Sync() error {
	return f.g.do(osCall{Op: "sync", File: f.f}, f.f.Sync)
}

func (f osFile) Chmod(mode fs.FileMode) error {
	return f.g.do(osCall{Op: "chmod", File: f.f, Mode: mode}, func() error { return f.f.Chmod(mode) })
}

func (f osFile) Readdirnames(n int) (names []string, err error) {
	err = f.g.do(osCall{Op: "getdents", File: f.f}, func() error {
		names, err = f.f.Readdirnames(n)
		return err
	})
	return names, err
}

// lock is lockFile.
func (f osFile) lock() (free bool, err error) {
	err = f.g.do(osCall{Op: "lock", File: f.f}, func() error {
		free, err = lockFile(f.f)
		return err
	})
	return free, err
}

// Close is never said again: the descriptor is gone, whatever the kernel says.
func (f osFile) Close() error {
	if f.g.probe == nil {
		return f.f.Close()
	}
	err := f.g.probed(osCall{Op: "close", File: f.f}, func() error { return nil })
	if errors.Is(err, syscall.EINTR) {
		err = nil
	}
	return errors.Join(f.f.Close(), err)
}
