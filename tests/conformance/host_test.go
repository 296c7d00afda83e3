package conformance

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// tree is where a dialogue makes files and looks at them. A vfs.Mem is one, and
// so is a directory that any server serves.
type tree interface {
	WriteFile(p vfs.Path, data []byte) error
	WriteLink(target string, p vfs.Path) error
	Mkdir(p vfs.Path) error
	Lstat(p vfs.Path) (vfs.Info, error)
	Open(p vfs.Path) (vfs.File, error)
}

// hostTree is a directory of the host. What is made in it belongs to owner, so
// that a server which has dropped its privileges can change it.
type hostTree struct {
	root  string
	owner string // "uid:gid", or nothing: whoever runs the test
}

func (h hostTree) name(p vfs.Path) string { return filepath.Join(h.root, string(p)) }

// give hands a file over and sets its mode, whatever the umask is.
func (h hostTree) give(name string, mode fs.FileMode) error {
	if mode&fs.ModeSymlink == 0 {
		if err := os.Chmod(name, mode); err != nil {
			return err
		}
	}
	if h.owner == "" {
		return nil
	}
	var uid, gid int
	if _, err := fmt.Sscanf(h.owner, "%d:%d", &uid, &gid); err != nil {
		return fmt.Errorf("the owner %q is not of the form uid:gid", h.owner)
	}
	return os.Lchown(name, uid, gid)
}

// above makes what is missing above p.
func (h hostTree) above(p vfs.Path) error {
	dir := p.Dir()
	if _, err := os.Lstat(h.name(dir)); err == nil {
		return nil
	}
	if err := h.above(dir); err != nil {
		return err
	}
	return h.Mkdir(dir)
}

func (h hostTree) WriteFile(p vfs.Path, data []byte) error {
	if err := h.above(p); err != nil {
		return err
	}
	if err := os.WriteFile(h.name(p), data, 0o644); err != nil {
		return err
	}
	return h.give(h.name(p), 0o644)
}

func (h hostTree) WriteLink(target string, p vfs.Path) error {
	if err := h.above(p); err != nil {
		return err
	}
	if err := os.Symlink(target, h.name(p)); err != nil {
		return err
	}
	return h.give(h.name(p), fs.ModeSymlink)
}

func (h hostTree) Mkdir(p vfs.Path) error {
	if err := os.Mkdir(h.name(p), 0o755); err != nil {
		return err
	}
	return h.give(h.name(p), 0o755)
}

func (h hostTree) Lstat(p vfs.Path) (vfs.Info, error) {
	i, err := os.Lstat(h.name(p))
	if err != nil {
		return vfs.Info{}, err
	}
	return vfs.Info{Name: i.Name(), Size: i.Size(), Mode: i.Mode(), ModTime: i.ModTime()}, nil
}

func (h hostTree) Open(p vfs.Path) (vfs.File, error) { return os.Open(h.name(p)) }

func (h hostTree) Chmod(p vfs.Path, mode fs.FileMode) error { return os.Chmod(h.name(p), mode) }

func (h hostTree) Chtimes(p vfs.Path, atime, mtime time.Time) error {
	return os.Chtimes(h.name(p), atime, mtime)
}

// clear removes what is below the root.
func (h hostTree) clear() error {
	entries, err := os.ReadDir(h.root)
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(h.root, e.Name())); err != nil {
			return err
		}
	}
	return err
}

// change carries out the steps that change what a file is like: "chmod path
// 1777", and "touch path 20200102030405", "touch path -200d" or "touch path +40d",
// with a name under which the date is remembered as ls writes it: {nameyear} with
// the year, {nameclock} with the time of day, both in UTC.
func (r *run) change(word string, p vfs.Path, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs two arguments", word)
	}
	if word == "chmod" {
		bits, err := strconv.ParseUint(args[0], 8, 12)
		if err != nil {
			return err
		}
		mode := fs.FileMode(bits) & fs.ModePerm
		if bits&0o1000 != 0 {
			mode |= fs.ModeSticky
		}
		return r.fs.(vfs.Chmodder).Chmod(p, mode)
	}
	t, err := moment(args[0])
	if err != nil {
		return err
	}
	if len(args) > 1 {
		r.vars[args[1]+"year"] = t.Format("Jan _2  2006")
		r.vars[args[1]+"clock"] = t.Format("Jan _2 15:04")
	}
	return r.fs.(vfs.Chtimer).Chtimes(p, time.Time{}, t)
}

// moment reads a time in UTC, or a number of days before or after now. It may be
// up to nine days nearer, so that the day of the month has two digits, which all
// servers write in the same way.
func moment(s string) (time.Time, error) {
	days, ok := strings.CutSuffix(s, "d")
	if !ok {
		return time.Parse("20060102150405", s)
	}
	n, err := strconv.Atoi(days)
	t := time.Now().UTC().AddDate(0, 0, n)
	nearer := 1
	if n > 0 {
		nearer = -1
	}
	for t.Day() < 10 {
		t = t.AddDate(0, 0, nearer)
	}
	return t, err
}
