package main

import (
	"slices"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// furnished is what a login sees of its tree: with the folders that it has, and its umask.
// One that cannot be served is told to the operator, and does not keep the user out.
func (h *homes) furnished(conf *config.Config, u *config.User, who policy.Session, id policy.Identity, fs vfs.FS, release func()) (vfs.FS, func(), error) {
	if mask, said := conf.UmaskOf(u.Umask); said {
		if m, able := fs.(vfs.Masker); able {
			fs = m.Masked(mask)
		}
	}
	list := conf.FoldersOf(u.Folders, id.Group, id.Anonymous)
	if len(list) == 0 {
		return fs, release, nil
	}
	held := []func(){release}
	giveBack := func() {
		for _, f := range held {
			if f != nil {
				f()
			}
		}
	}
	var folders []vfs.Folder
	for i := range list {
		fsys, back, err := h.folder(conf, &list[i], u, who.User)
		held = append(held, back)
		if err != nil {
			h.log.Error("a folder cannot be served", "user", who.User, "host", who.VHost, "path", list[i].Path, "error", err)
			fsys = nil
		}
		folders = append(folders, vfs.Folder{Path: vfs.Path(list[i].Path), FS: fsys})
	}
	forest, err := vfs.NewForest(fs, folders)
	if err != nil {
		giveBack()
		return nil, nil, err
	}
	return forest, giveBack, nil
}

// folder opens one folder of a user.
func (h *homes) folder(conf *config.Config, f *config.Folder, u *config.User, user string) (vfs.FS, func(), error) {
	root, err := f.RootOf(user)
	if err != nil {
		return nil, nil, err
	}
	fsys, release, err := h.views.take(root, func() (vfs.FS, func(), error) { return h.bare(root) })
	if err != nil {
		return nil, nil, err
	}
	fsys = h.guarded(fsys, root)
	if mask, said := conf.UmaskOf(u.Umask); said {
		if m, able := fsys.(vfs.Masker); able {
			fsys = m.Masked(mask)
		}
	}
	if f.ReadOnly {
		fsys = vfs.NewReadOnly(fsys)
	}
	return fsys, release, nil
}

// guarded is the filesystem of a directory of the machine, read-only where that lies in one
// of storage that is.
func (h *homes) guarded(fs vfs.FS, root string) vfs.FS {
	path := realPath(root)
	if slices.ContainsFunc(h.conf.ReadOnlyRoots(), func(locked string) bool { return below(realPath(locked), path) }) {
		return vfs.NewReadOnly(fs)
	}
	return fs
}

// furnishes reports whether a login's tree may be more than a directory.
func furnishes(conf *config.Config) bool {
	return conf.Defaults.Umask != "" || len(conf.SharedFolders()) > 0 ||
		slices.ContainsFunc(conf.Users, func(u config.User) bool { return u.Umask != "" || len(u.Folders) > 0 })
}

// folderRoots are the directories that folders of users of the store name.
func (a *accounts) folderRoots() (roots []string) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for name, acc := range a.stored {
		if acc.entry == nil {
			continue
		}
		for _, f := range acc.entry.OwnFolders() {
			if root, err := f.RootOf(name); err == nil && !slices.Contains(roots, root) {
				roots = append(roots, root)
			}
		}
	}
	slices.Sort(roots)
	return roots
}
