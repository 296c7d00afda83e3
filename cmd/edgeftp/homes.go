package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// homes are the trees that logins see: the one of storage, and those of users who
// have a root of their own. Each is opened once and stays open, so that what
// killed processes have left is tidied up before anybody sees it.
type homes struct {
	conf   *config.Config
	shared vfs.FS
	roots  map[string]string // of users who have one, by name

	mu    sync.Mutex
	trees []tree
}

// tree is a directory of the machine, without links in its path.
type tree struct {
	path string
	disk *vfs.Disk
}

// openHomes opens every tree that the configuration names. Those above come
// first, so that those below are views of them.
func openHomes(conf *config.Config) (_ *homes, err error) {
	h := &homes{conf: conf, roots: map[string]string{}}
	defer func() {
		if err != nil {
			_ = h.close()
		}
	}()
	for _, u := range conf.Users {
		if u.Root != "" {
			h.roots[u.Name] = u.Root
		}
	}
	roots := conf.Roots()
	slices.SortStableFunc(roots, func(a, b string) int { return cmp.Compare(len(realPath(a)), len(realPath(b))) })
	for _, root := range roots {
		fs, err := h.tree(root)
		if err != nil {
			return nil, err
		}
		if root == conf.Root {
			h.shared = fs
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
func (h *homes) home() pi.Home {
	if len(h.roots) == 0 && h.conf.Anonymous.Root == "" && h.conf.Defaults.Root == "" {
		return nil
	}
	return func(_ context.Context, who policy.Session, id policy.Identity) (vfs.FS, func(), error) {
		root, err := h.rootOf(who.User, id.Anonymous)
		if err != nil || root == "" {
			return h.shared, nil, err
		}
		fs, err := h.tree(root)
		return fs, nil, err
	}
}

// rootOf returns the directory of a login, empty for that of storage.
func (h *homes) rootOf(user string, anonymous bool) (string, error) {
	if anonymous {
		return h.conf.Anonymous.Root, nil
	}
	if root := h.roots[user]; root != "" {
		return root, nil
	}
	return h.conf.Defaults.RootOf(user)
}

// tree returns the filesystem of a directory of the machine.
func (h *homes) tree(root string) (vfs.FS, error) {
	path, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, fmt.Errorf("the root %s cannot be served: %w", root, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.trees {
		if t.path == path {
			return t.disk, nil
		}
	}
	if rel, err := filepath.Rel(path, realPath(h.conf.Instance.StateDir)); err == nil && filepath.IsLocal(rel) {
		return nil, fmt.Errorf("the root %s cannot be served: the server's own files lie in it", root)
	}
	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: path, State: filepath.Join(h.conf.Instance.StateDir, "uploads")})
	if err != nil {
		return nil, fmt.Errorf("the root %s cannot be served: %w", root, err)
	}
	h.trees = append(h.trees, tree{path, disk})
	return disk, nil
}

func (h *homes) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, t := range h.trees {
		errs = append(errs, t.disk.Close())
	}
	h.trees = nil
	return errors.Join(errs...)
}
