package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Target says where an archive is brought back to. What is empty is left out.
type Target struct {
	State        string
	Certificates string // where the archive has certificates that were not in the state directory
	Config       string // the directory of the configuration's files
	Force        bool   // what is there is moved aside
	MaxSize      int64
}

// Restored is what Restore has done, or would do.
type Restored struct {
	Contents
	Put   []string `json:"put"`   // paths that are there now
	Aside []string `json:"aside"` // paths to which earlier ones were moved
	Left  []string `json:"left"`  // members that nobody wanted
}

// ErrThere says that something is where the archive would go.
var ErrThere = errors.New("is there already")

// place is one of the archive's directories on its way.
type place struct {
	member, path, staged, aside string
	used, force                 bool
}

// Restore brings an archive back, whole or not at all: all is written beside its place and
// held against its sums, and only then moved there. With dry nothing is left behind.
func Restore(in io.Reader, t Target, dry bool) (*Restored, error) {
	places := []*place{{member: stateDir, path: t.State, force: t.Force}, {member: certDir, path: t.Certificates, force: t.Force},
		{member: configDir, path: t.Config, force: t.Force}}
	for _, p := range places {
		if err := p.check(); err != nil {
			return nil, err
		}
	}
	defer func() {
		for _, p := range places {
			if p.staged != "" {
				_ = os.RemoveAll(p.staged) // of an archive that was not taken
			}
		}
	}()
	out := &Restored{Put: []string{}, Aside: []string{}, Left: []string{}}
	got, err := Read(in, t.MaxSize, func(name string, size int64, in io.Reader) error {
		top, rel, _ := strings.Cut(name, "/")
		for _, p := range places {
			if p.member == top && p.path != "" {
				return p.stage(rel, in, dry)
			}
		}
		out.Left = append(out.Left, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Contents = *got
	return out, settle(places, out, dry)
}

// check refuses a place at which something is, without force.
func (p *place) check() error {
	if p.path == "" {
		return nil
	}
	entries, err := os.ReadDir(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case p.member != configDir && len(entries) > 0 && !p.force:
		return there(p.path)
	}
	if parent := filepath.Dir(p.path); p.member != configDir {
		if _, err := os.Stat(parent); err != nil {
			return err
		}
	}
	return nil
}

func there(path string) error {
	return fmt.Errorf("%s %w\n   = help: choose another place, or move it aside with --force", path, ErrThere)
}

// stage writes a file beside its place.
func (p *place) stage(rel string, in io.Reader, dry bool) (err error) {
	p.used = true
	if p.member == configDir && !p.force {
		if _, err := os.Lstat(filepath.Join(p.path, rel)); err == nil {
			return there(filepath.Join(p.path, rel))
		}
	}
	if dry {
		return nil // the reader reads it
	}
	if p.staged == "" {
		if p.staged, err = os.MkdirTemp(filepath.Dir(p.path), tempPrefix); err != nil {
			return err
		}
	}
	root, err := os.OpenRoot(p.staged)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if dir := filepath.Dir(rel); dir != "." {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	f, err := root.OpenFile(rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// settle moves what was staged to its place. What fails takes back what was done.
func settle(places []*place, out *Restored, dry bool) (err error) {
	var done []func()
	defer func() {
		if err != nil {
			for i := len(done) - 1; i >= 0; i-- {
				done[i]()
			}
		}
	}()
	for _, p := range places {
		switch {
		case !p.used:
		case p.member == configDir:
			undo, err := p.settleFiles(out, dry)
			done = append(done, undo...)
			if err != nil {
				return err
			}
		default:
			undo, err := p.settleDir(out, dry)
			done = append(done, undo...)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// settleDir moves a directory to its place, and one that is there aside.
func (p *place) settleDir(out *Restored, dry bool) (undo []func(), err error) {
	if entries, err := os.ReadDir(p.path); err == nil && len(entries) == 0 && !dry {
		_ = os.Remove(p.path) // if that fails, renaming tells
	} else if err == nil && len(entries) > 0 {
		p.aside = fmt.Sprintf("%s.before-%s", p.path, time.Now().UTC().Format("20060102T150405.000"))
		out.Aside = append(out.Aside, p.aside)
		if !dry {
			if err := os.Rename(p.path, p.aside); err != nil {
				return nil, err
			}
			undo = append(undo, func() { _ = os.Rename(p.aside, p.path) })
		}
	}
	out.Put = append(out.Put, p.path)
	if dry {
		return undo, nil
	}
	if err := os.Rename(p.staged, p.path); err != nil {
		return undo, err
	}
	undo = append(undo, func() { _ = os.Rename(p.path, p.staged) })
	return undo, syncDir(filepath.Dir(p.path))
}

// settleFiles moves files into a directory in which others may be. Those that are there
// have been refused, or are moved aside.
func (p *place) settleFiles(out *Restored, dry bool) (undo []func(), err error) {
	if dry {
		out.Put = append(out.Put, p.path)
		return nil, nil
	}
	if err := os.MkdirAll(p.path, 0o755); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(p.staged)
	if err != nil {
		return nil, err
	}
	stamp := time.Now().UTC().Format("20060102T150405.000")
	for _, e := range entries {
		from, to := filepath.Join(p.staged, e.Name()), filepath.Join(p.path, e.Name())
		if _, err := os.Lstat(to); err == nil {
			aside := to + ".before-" + stamp
			if err := os.Rename(to, aside); err != nil {
				return undo, err
			}
			out.Aside = append(out.Aside, aside)
			undo = append(undo, func() { _ = os.Rename(aside, to) })
		}
		if err := os.Rename(from, to); err != nil {
			return undo, err
		}
		undo = append(undo, func() { _ = os.Rename(to, from) })
		out.Put = append(out.Put, to)
	}
	return undo, syncDir(p.path)
}

// syncDir makes names last. Not every system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}
