package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// homes are the trees that logins see: the one of storage, and those of users who
// have a root of their own. A Disk is opened once and stays open, so that what
// killed processes have left is tidied up before anybody sees it. A root below
// another one is a view of that Disk, made for each login: were it a Disk of its
// own, neither would know what happens in the other.
//
// How durable uploads are, and what becomes of mounts, is said once, by storage, and
// holds for them all.
type homes struct {
	*trees
	conf   *config.Config
	shared vfs.FS
	people *people
	log    *slog.Logger
}

// trees are the Disks of the process. Every configuration has the same, each with its
// journal and the uploads that are under way.
type trees struct {
	within *sandbox.State // nil before it is closed

	mu       sync.Mutex
	disks    []disk
	lodgings []lodging
	views    sharedViews // of folders
}

// disk is a directory of the machine, without links in its path.
type disk struct {
	path string
	fs   *vfs.Disk
}

// openHomes opens every tree that the configuration names, and those of users of the
// store, of whom one without a tree is only told of. Those above come first, so that those
// below are views of them.
func openHomes(conf *config.Config, t *trees, who *people, log *slog.Logger) (*homes, error) {
	h := &homes{trees: t, conf: conf, people: who, log: log}
	roots, kept := who.ownRoots()
	roots = append(roots, kept...)
	slices.SortStableFunc(roots, func(a, b string) int { return cmp.Compare(len(realPath(a)), len(realPath(b))) })
	for _, root := range roots {
		fs, release, err := h.tree(root)
		switch {
		case err != nil && slices.Contains(kept, root):
			log.Warn("the tree of users of the store cannot be served", "error", err)
		case err != nil:
			return nil, err
		case root == conf.Root:
			h.shared = fs
		case release != nil: // it can be opened
			release()
		}
	}
	return h, nil
}

// realPath is a path without links, or the path itself where that fails, which
// opening it will tell.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// home is the hook of edge.Config, nil where everybody sees the same.
func (h *homes) home() pi.Home { return h.homeOf(h.conf, h.shared) }

// homeOf is home for the users of a configuration, which is the server's own or that of a
// virtual host.
func (h *homes) homeOf(conf *config.Config, shared vfs.FS) pi.Home {
	people := h.people
	if conf != h.conf {
		people = people.accounts.under(conf)
	}
	if !people.mayHaveRoots() && conf.Anonymous.Root == "" && conf.Defaults.Root == "" && !furnishes(conf) {
		return nil
	}
	return func(_ context.Context, who policy.Session, id policy.Identity) (vfs.FS, func(), error) {
		var u config.User
		if !id.Anonymous {
			u, _ = people.find(who.User)
		}
		root, err := rootOf(conf, &u, who.User, id.Anonymous)
		if err != nil {
			return nil, nil, err
		}
		fs, release := shared, (func())(nil)
		if root != "" {
			if fs, release, err = h.tree(root); err != nil {
				return nil, nil, err
			}
		}
		return h.furnished(conf, &u, who, id, fs, release)
	}
}

// rootOf returns the directory of a login, empty for that of storage.
func rootOf(conf *config.Config, u *config.User, user string, anonymous bool) (string, error) {
	if anonymous {
		return conf.Anonymous.Root, nil
	}
	if u.Root != "" {
		return u.Root, nil
	}
	return conf.Defaults.RootOf(user)
}

// apart refuses a tree in which the server's own files lie, or which lies among them:
// with both below one directory a user's name may be that of the certificates.
func (h *homes) apart(path string) error {
	for _, own := range h.conf.Own() {
		own = realPath(own)
		switch {
		case below(own, path):
			return errors.New("it lies among the server's own files\n   = help: serve a directory beside " + own)
		case below(path, own):
			return errors.New("the server's own files lie in it\n   = help: serve a directory beside " + own)
		}
	}
	return nil
}

// below reports whether a path is dir or lies below it.
func below(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// tree returns the filesystem of a directory of the machine, read-only where storage says
// so. release, unless nil, ends its use.
func (h *homes) tree(root string) (fs vfs.FS, release func(), err error) {
	fs, release, err = h.bare(root)
	if err != nil {
		return nil, nil, err
	}
	return h.guarded(fs, root), release, nil
}

// bare is tree without what storage says of changes.
func (h *homes) bare(root string) (fs vfs.FS, release func(), err error) {
	path, err := filepath.EvalSymlinks(root)
	if err == nil {
		fs, release, err = h.open(path)
	}
	if err != nil {
		err = fmt.Errorf("the root %s cannot be served: %w", root, h.within.Explain(root, err))
		if errors.Is(err, iofs.ErrPermission) && !errors.Is(err, sandbox.ErrOutside) {
			err = helped(err, "let the user that runs the server enter and read it, and enter each directory above it")
		}
		return nil, nil, err
	}
	return fs, release, nil
}

func (h *homes) open(path string) (vfs.FS, func(), error) {
	if err := h.apart(path); err != nil {
		return nil, nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.disks {
		rel, err := filepath.Rel(d.path, path)
		switch {
		case rel == "." && err == nil:
			return d.fs, nil, nil
		case err == nil && filepath.IsLocal(rel):
			return view(d.fs, rel)
		case below(path, d.path): // two that do not know of each other would write there
			return nil, nil, errors.New("the directory " + d.path + " in it is served already\n   = help: name another one, or restart the server, which then opens this one first")
		}
	}
	fs, err := vfs.OpenDisk(vfs.DiskConfig{Root: path, State: filepath.Join(h.conf.Instance.StateDir, "uploads"),
		Durability: h.conf.Durability, Mounts: h.conf.Mounts})
	if err != nil {
		return nil, nil, err
	}
	h.disks = append(h.disks, disk{path, fs})
	return fs, nil, nil
}

// view is the part of a Disk below one directory.
func view(d *vfs.Disk, rel string) (vfs.FS, func(), error) {
	fs, err := d.Sub(vfs.Path("/" + filepath.ToSlash(rel)))
	if err != nil {
		return nil, nil, err
	}
	return fs, func() {
		if c, ok := fs.(io.Closer); ok {
			_ = c.Close()
		}
	}, nil
}

func (t *trees) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lodgings {
		l.giveBack()
	}
	var errs []error
	for _, d := range t.disks {
		errs = append(errs, d.fs.Close())
	}
	t.disks, t.lodgings = nil, nil
	return errors.Join(errs...)
}

// below returns an open Disk that lies below a directory, empty for none: with a Disk of
// the directory neither would know what happens in the other.
func (t *trees) below(root string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.disks {
		if path := realPath(root); d.path != path && below(path, d.path) && !t.covered(path) {
			return d.path
		}
	}
	return ""
}

// covered reports whether a directory is a Disk, or lies in one. The caller holds mu.
func (t *trees) covered(path string) bool {
	return slices.ContainsFunc(t.disks, func(d disk) bool { return below(d.path, path) })
}
