package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	indexName    = "index.json"
	modulePrefix = "sha256-"
	moduleSuffix = ".wasm"
	newPrefix    = "new-"
)

// step is a change that is about to be made to the directory, for tests that stop
// there.
type step struct {
	op       string // "write", "sync", "rename", "syncdir", "remove"
	name, to string
	data     []byte // of a write
}

// disk is the directory of a ledger.
type disk struct {
	root *os.Root
	// before is asked ahead of every change, and ends it by an error. Nil in
	// servers.
	before func(step) error
}

// openDisk makes the directory, if need be, and opens it.
func openDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows" {
		return nil, &fs.PathError{Op: "use", Path: dir,
			Err: fmt.Errorf("others may write there (mode %v), and it holds modules that the server runs: chmod 700", info.Mode().Perm())}
	}
	if err := syncParent(dir); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &disk{root: root}, nil
}

// syncParent makes the directory's own name durable.
func syncParent(dir string) error {
	f, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	return errors.Join(syncHandle(f), f.Close())
}

// syncHandle makes the names in an open directory durable, where a system can.
func syncHandle(f *os.File) error {
	if runtime.GOOS == "windows" {
		return nil // there, directories cannot be synced
	}
	return f.Sync()
}

func (d *disk) about(s step) error {
	if d.before == nil {
		return nil
	}
	return d.before(s)
}

// replace puts a file under a name so that at each moment there is the old one or
// the new one, whole. When it returns nil the new one is durable. After an error
// it may be either.
func (d *disk) replace(name string, data []byte) error {
	temp := newPrefix + name
	if err := d.about(step{op: "write", name: temp, data: data}); err != nil {
		return err
	}
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = d.about(step{op: "sync", name: temp})
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := d.about(step{op: "rename", name: temp, to: name}); err != nil {
		return err
	}
	if err := d.root.Rename(temp, name); err != nil {
		return err
	}
	return d.sync()
}

// sync makes the names in the directory durable.
func (d *disk) sync() error {
	if err := d.about(step{op: "syncdir"}); err != nil {
		return err
	}
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(syncHandle(f), f.Close())
}

// read returns a regular file of at most limit bytes.
func (d *disk) read(name string, limit int64) ([]byte, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is not a regular file")}
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("it has more than %d bytes", limit)}
	}
	return data, nil
}

// list names the files of modules, and the unfinished files.
func (d *disk) list() (modules, leftovers []string, err error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, nil, err
	}
	names, err := f.Readdirnames(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		switch {
		case strings.HasPrefix(n, newPrefix):
			leftovers = append(leftovers, n)
		case strings.HasPrefix(n, modulePrefix) && strings.HasSuffix(n, moduleSuffix):
			modules = append(modules, n)
		}
	}
	return modules, leftovers, nil
}

func (d *disk) remove(name string) error {
	if err := d.about(step{op: "remove", name: name}); err != nil {
		return err
	}
	return d.root.Remove(name)
}
