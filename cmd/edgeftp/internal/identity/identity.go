// Package identity is who a server is to the operating system: whom a process that root
// has started becomes before it speaks to anybody, what it keeps of root's rights, and
// which files are made for that user beforehand.
package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// User is a user of the host, and never root.
type User struct {
	Name     string // as people know it; the number for one without a name
	UID, GID uint32
	Groups   []uint32 // beside GID, ascending; none for one without a name
	Home     string   // empty for one without a name
}

// IsRoot reports whether this process is root.
func IsRoot() bool { return os.Geteuid() == 0 }

// Lookup finds the user whom NAME, UID or UID:GID stands for. With a GID there are no
// other groups, and there need be no entry in the user database. The error says what is
// wrong in words for the configuration, and ends with a line of help.
func Lookup(text string) (*User, error) {
	name, group, both := strings.Cut(text, ":")
	u := &User{Name: name}
	var gid uint64
	if both {
		uid, err := strconv.ParseUint(name, 10, 31)
		if err == nil {
			gid, err = strconv.ParseUint(group, 10, 31)
		}
		if err != nil {
			return nil, fmt.Errorf("the user %q is no UID:GID\n   = help: write two numbers, as in 990:990, or a name alone, whose group is known", text)
		}
		u.UID, u.GID = uint32(uid), uint32(gid)
		return u, u.check(text)
	}
	entry, err := find(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(entry.Uid, 10, 31)
	if err == nil {
		gid, err = strconv.ParseUint(entry.Gid, 10, 31)
	}
	if err != nil {
		return nil, fmt.Errorf("the user %q has no number: %w\n   = help: name a user of this machine", text, err)
	}
	u.Name, u.UID, u.GID, u.Home = entry.Username, uint32(uid), uint32(gid), entry.HomeDir
	if u.Groups, err = groups(entry); err != nil {
		return nil, err
	}
	return u, u.check(text)
}

// find looks a name or a number up.
func find(name string) (*user.User, error) {
	_, err := strconv.ParseUint(name, 10, 31)
	if err == nil {
		entry, err := user.LookupId(name)
		if err != nil {
			return nil, fmt.Errorf("there is no user with the number %s\n   = help: write UID:GID, as in %s:%s", name, name, name)
		}
		return entry, nil
	}
	entry, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("there is no user %q\n   = help: make one, as by useradd --system, or write UID:GID", name)
	}
	return entry, nil
}

// groups are the supplementary ones of an entry.
func groups(entry *user.User) (list []uint32, err error) {
	ids, err := entry.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("the groups of the user %q cannot be told: %w\n   = help: write UID:GID", entry.Username, err)
	}
	for _, id := range ids {
		n, err := strconv.ParseUint(id, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("the user %q has a group without a number: %w\n   = help: write UID:GID", entry.Username, err)
		}
		if id != entry.Gid {
			list = append(list, uint32(n))
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// check refuses root, also as a group.
func (u *User) check(text string) error {
	switch {
	case u.UID == 0:
		return fmt.Errorf("the user %q is root\n   = help: name another one; instance.allow_root is for a server that is to stay root", text)
	case u.GID == 0 || slices.Contains(u.Groups, 0):
		return fmt.Errorf("the user %q is in the group root (0)\n   = help: name a user who is not, or write UID:GID", text)
	}
	return nil
}

// String is the user with its numbers.
func (u *User) String() string { return fmt.Sprintf("%s (%d:%d)", u.Name, u.UID, u.GID) }

// Environment are the variables that tell programs who and where they are.
func (u *User) Environment() []string {
	home := u.Home
	if home == "" {
		home = "/"
	}
	return []string{"HOME=" + home, "USER=" + u.Name, "LOGNAME=" + u.Name, "XDG_CACHE_HOME=", "XDG_CONFIG_HOME="}
}

// maxLook bounds how many entries of a directory are looked at.
const maxLook = 200_000

// Adopt makes a directory for the user where that takes root, and otherwise looks
// whether what is in it belongs to the user: the error names the first file that belongs
// to somebody else. What is missing below a directory of the user's own is left to be made
// by the user.
func (u *User) Adopt(dir string) error {
	switch _, err := os.Lstat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return u.make(dir, func(path string) error { return os.Mkdir(path, 0o700) })
	case err != nil:
		return err
	}
	n := 0
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // of a moment
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if uid, _, known := Owner(info); known && uid != u.UID {
			return fmt.Errorf("%s belongs to the user with the number %d, and the server is to be %s\n   = help: give it away with chown -R %d:%d %s, or name another directory",
				path, uid, u, u.UID, u.GID, dir)
		}
		if n++; n > maxLook {
			return fs.SkipAll
		}
		return nil
	})
}

// Provide makes a file for the user where that takes root. One that is there is left as
// it is.
func (u *User) Provide(file string) error {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return u.make(file, func(path string) error {
		if path != file {
			return os.Mkdir(path, 0o700)
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // which follows no link
		if err != nil {
			return err
		}
		return f.Close()
	})
}

// make makes what is missing of a path, by the first step alone: what lies below that the
// user can make. Where somebody but root may change a directory on the way there, nothing is
// done with root's rights: he could have it done somewhere else.
func (u *User) make(path string, step func(path string) error) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	first := path
	for {
		parent := filepath.Dir(first)
		_, err := os.Stat(parent)
		switch {
		case err == nil:
			if safe, err := rootsAlone(parent); err != nil || !safe {
				return err
			}
			if err := step(first); err != nil {
				return err
			}
			return os.Lchown(first, int(u.UID), int(u.GID))
		case !errors.Is(err, fs.ErrNotExist) || parent == first:
			return err
		}
		first = parent
	}
}

// maxLinks is how many links a path may lead over, as Linux has it.
const maxLinks = 40

// rootsAlone reports whether nobody but root can change where an absolute path leads, or
// what lies in the directory there: each directory on the way, and each link, is root's.
// Others may write to one on the way that is sticky, as /tmp is.
func rootsAlone(path string) (bool, error) {
	at, rest, links := "/", strings.Split(path, "/"), 0
	for {
		info, err := os.Lstat(at)
		if err != nil {
			return false, err
		}
		uid, _, known := Owner(info)
		if !known || uid != 0 {
			return false, nil
		}
		switch mode := info.Mode(); {
		case mode&fs.ModeSymlink != 0:
			to, err := os.Readlink(at)
			if links++; err != nil || links > maxLinks {
				return false, errors.Join(err, fmt.Errorf("%s leads nowhere", path))
			}
			if at = filepath.Dir(at); filepath.IsAbs(to) {
				at = "/"
			}
			rest = append(strings.Split(to, "/"), rest...)
		case mode.Perm()&0o022 != 0 && (len(rest) == 0 || mode&fs.ModeSticky == 0):
			return false, nil
		}
		for len(rest) > 0 && (rest[0] == "" || rest[0] == ".") {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return true, nil
		}
		at, rest = filepath.Join(at, rest[0]), rest[1:] // of what is no link, so that ".." is what the kernel takes it for
	}
}
