package vfs

import (
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sys/unix"
)

// rights are a filesystem identity that a thread can take.
type rights struct {
	uid, gid uint32
	groups   []int
}

// nobody is the number that the kernel takes for "no change".
const nobody = math.MaxUint32

// newRights checks what can be checked without trying.
func newRights(c Credentials) (*rights, error) {
	switch {
	case c.UID == 0:
		return nil, fmt.Errorf("%w: the user is root", ErrNoAsUser)
	case c.UID == nobody || c.GID == nobody:
		return nil, fmt.Errorf("%w: %d is no number of a user or group", ErrNoAsUser, uint32(nobody))
	}
	r := &rights{uid: c.UID, gid: c.GID}
	for _, g := range c.Groups {
		if g == nobody {
			return nil, fmt.Errorf("%w: %d is no number of a group", ErrNoAsUser, g)
		}
		r.groups = append(r.groups, int(g))
	}
	return r, nil
}

// run calls fn on a thread with these rights. The goroutine is a new one, because
// a thread that did not get its old identity back must never run anything again,
// and only the end of the goroutine that is locked to it makes sure of that.
func (r *rights) run(fn func() error) error {
	c := call{fn: fn}
	aside(func() {
		runtime.LockOSThread()
		before, err := readIdentity()
		defer func() {
			if before.restore() {
				runtime.UnlockOSThread()
			}
		}()
		if err == nil {
			err = r.take()
		}
		if err != nil {
			c.err, c.over = err, true
			return
		}
		c.do()
	})
	switch {
	case c.panicked != nil:
		panic(c.panicked)
	case !c.over:
		runtime.Goexit() // as fn did
	}
	return c.err
}

// call is one call of a function and what became of it.
type call struct {
	fn       func() error
	err      error
	panicked any
	over     bool // fn returned, or was not called
}

func (c *call) do() {
	defer func() {
		if !c.over {
			c.panicked = recover()
		}
	}()
	c.err = c.fn()
	c.over = true
}

// take gives the rights to the calling thread. After an error it may have some of
// them. These are plain system calls, for this thread alone; those of package
// syscall would change every thread.
func (r *rights) take() error {
	if err := unix.Setgroups(r.groups); err != nil {
		return fmt.Errorf("%w: CAP_SETGID is needed (setgroups: %w)", ErrNoAsUser, err)
	}
	if !setGID(r.gid) {
		return fmt.Errorf("%w: CAP_SETGID is needed (setfsgid)", ErrNoAsUser)
	}
	if !setUID(r.uid) {
		return fmt.Errorf("%w: CAP_SETUID is needed (setfsuid)", ErrNoAsUser)
	}
	// The kernel takes these capabilities off when root becomes somebody else. A
	// server that is not root keeps what it has.
	held, err := capabilities()
	if err != nil {
		return err
	}
	if held&override() != 0 {
		return fmt.Errorf("%w: the server keeps capabilities that override permissions (%#x)", ErrNoAsUser, held&override())
	}
	return nil
}

// override are the capabilities that the kernel's permissions for files do not
// bind.
func override() uint64 {
	return 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER |
		1<<unix.CAP_FSETID | 1<<unix.CAP_LINUX_IMMUTABLE | 1<<unix.CAP_MKNOD | 1<<unix.CAP_MAC_OVERRIDE
}

// identity is what a thread had before.
type identity struct {
	uid, gid uint32
	groups   []int
	held     uint64
}

// readIdentity reads that of the calling thread.
func readIdentity() (*identity, error) {
	held, err := capabilities()
	if err != nil {
		return nil, err
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return nil, fmt.Errorf("%w: getgroups: %w", ErrNoAsUser, err)
	}
	return &identity{uid: fsUID(), gid: fsGID(), groups: groups, held: held}, nil
}

// restore gives the calling thread its identity back, and reports whether it has
// it; nil never was changed.
func (i *identity) restore() bool {
	if i == nil {
		return true
	}
	if !setUID(i.uid) || !setGID(i.gid) || unix.Setgroups(i.groups) != nil {
		return false
	}
	held, err := capabilities()
	return err == nil && held == i.held
}

// setUID sets the fsuid of the calling thread. The call itself tells nothing of
// its success.
func setUID(uid uint32) bool {
	_ = unix.Setfsuid(int(uid))
	return fsUID() == uid
}

func setGID(gid uint32) bool {
	_ = unix.Setfsgid(int(gid))
	return fsGID() == gid
}

// fsUID asks for a change to a user that there cannot be, which changes nothing
// and returns the current one.
func fsUID() uint32 {
	uid, _ := unix.SetfsuidRetUid(-1)
	return uint32(uid)
}

func fsGID() uint32 {
	gid, _ := unix.SetfsgidRetGid(-1)
	return uint32(gid)
}

// capabilities returns the effective ones of the calling thread.
func capabilities() (uint64, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, fmt.Errorf("%w: capget: %w", ErrNoAsUser, err)
	}
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective), nil
}
