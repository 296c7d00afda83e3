package vfs

import (
	"errors"
	"fmt"
)

// Credentials are a user of the host. The zero value is root, whom AsUser refuses
// to become. GID zero is the group root: it is not "none".
type Credentials struct {
	UID uint32 // never 0
	GID uint32 // of new files
	// Groups are the supplementary groups; nil means that there are none.
	Groups []uint32
}

// ErrNoAsUser says that something cannot be done with the rights of another user
// of the host, and why: the host is not Linux, the filesystem knows no users, or
// the server lacks CAP_SETUID or CAP_SETGID.
var ErrNoAsUser = errors.New("cannot take another user's rights")

// Impersonator is an FS that can be used with the rights of a user of the host.
type Impersonator interface {
	// AsUser returns a view of the same files in which everything is done with
	// the rights of c. It has every ability that the filesystem itself has. Its
	// errors are ErrNoAsUser, wrapped with the reason.
	AsUser(c Credentials) (FS, error)
}

// AsUser returns fsys with the rights of a user of the host, if it is an
// [Impersonator]; otherwise ErrNoAsUser. It is the model's run_as_current_user,
// made once for each login instead of around each call.
//
// What [Disk.AsUser] does holds for a Disk. A filesystem of one's own that calls
// the host itself can use [RunAs].
func AsUser(fsys FS, c Credentials) (FS, error) {
	i, ok := fsys.(Impersonator)
	if !ok {
		return nil, fmt.Errorf("%w: a %T has no users", ErrNoAsUser, fsys)
	}
	return i.AsUser(c)
}

// AsUser implements [Impersonator], on Linux; the FS is a *Disk. Whatever looks a
// name up or changes one runs on a thread of its own that has the user's
// filesystem identity: fsuid, fsgid and supplementary groups (setfsuid(2)), without
// the capabilities that override permissions. New files and directories belong to
// the user, and the kernel decides what he may do. That holds for the staging, the
// commit and the discarding of uploads too; a replaced file becomes the user's own,
// since an upload is a new file. Files and directories that are open are read and
// written as they are: the kernel asked when they were opened, and an *os.File
// stays one.
//
// What this is not:
//
//   - A sandbox. The identity belongs to a thread, and Go's own functions for
//     changing it change every thread of the process; so each call here borrows a
//     thread, and gives it back when the old identity is proved to be back (if it
//     is not, the thread ends). Other goroutines are the server all the while. Code
//     that an attacker runs inside the process is root again with one system call.
//   - Free. Some twenty short system calls make a call about 10 microseconds longer
//     (BenchmarkAsUser); what is read and written costs nothing more.
//   - A limit on bytes. What is written counts for the user in the filesystem's
//     quota, but the kernel lets a process with CAP_SYS_RESOURCE write over every
//     quota. Root has it, unless the server is started without it.
//   - A umask. That is the process's, and DiskConfig.Umask or Masked decides anyway.
//   - A way past directories that may be entered but not listed (mode 0711): os.Root
//     opens each directory on the way for reading. Sub before AsUser opens the
//     user's own directory with the server's rights.
//
// The server's own books are kept with its own rights: the journal, and hidden
// files that are dropped. The process becomes undumpable with the first change
// (prctl(2), PR_SET_DUMPABLE): no core dumps, no debugger of the same user. It must
// not change its own identity afterwards.
//
// The view shares the root of d and lives no longer than it; closing it does
// nothing.
func (d *Disk) AsUser(c Credentials) (FS, error) {
	as, err := newRights(c)
	if err == nil {
		err = as.run(func() error { return nil })
	}
	if err != nil {
		return nil, err
	}
	return &Disk{shared: d.shared, root: d.root, below: d.below, base: d.base, as: as, umask: d.umask, lent: true}, nil
}

// RunAs calls fn on a thread that has the rights of c as long as fn runs, and
// returns what fn returns, or ErrNoAsUser without calling it; [Disk.AsUser] says
// what that is worth. fn runs in a goroutine of its own, which must not start
// others that rely on the rights. A panic in fn comes out of RunAs. Linux only.
func RunAs(c Credentials, fn func() error) error {
	as, err := newRights(c)
	if err != nil {
		return err
	}
	return as.run(fn)
}

// run calls fn with the rights of this view.
func (d *Disk) run(fn func() error) error {
	if d.as == nil {
		return fn()
	}
	return d.as.run(fn)
}

// with is run for one path. Where the rights are the server's own, neither fn nor what
// it returns has to be put on the heap.
func with[T any](d *Disk, p Path, fn func(*Disk, Path) (T, error)) (T, error) {
	if d.as == nil {
		return fn(d, p)
	}
	var found T
	err := d.as.run(func() (err error) {
		found, err = fn(d, p)
		return err
	})
	return found, err
}

// own calls fn with the server's own rights.
func (d *Disk) own(fn func()) {
	if d.as == nil {
		fn()
		return
	}
	aside(fn)
}

// aside calls fn on another goroutine and waits for it: the threads that bear a
// user's rights are locked to theirs. A panic comes out here.
func aside(fn func()) {
	done := make(chan any, 1)
	go func() {
		var p any
		defer func() { done <- p }()
		defer func() { p = recover() }()
		fn()
	}()
	if p := <-done; p != nil {
		panic(p)
	}
}
