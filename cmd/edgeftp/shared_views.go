package main

import (
	"io/fs"
	"os"
	"sync"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// sharedViews are directories that several logins see as folders: each is open once, as long
// as anybody has it, so that a folder costs no descriptors of every session. The zero value
// is empty.
type sharedViews struct {
	mu     sync.Mutex
	byRoot map[string]*sharedView
}

// sharedView is one of them.
type sharedView struct {
	fs      vfs.FS
	release func()      // may be nil
	is      fs.FileInfo // the directory that was opened
	users   int
}

// take returns the view of a directory, which open makes where there is none, or where
// another directory is at its path by now. giveBack is to be called once.
func (s *sharedViews) take(root string, open func() (vfs.FS, func(), error)) (fsys vfs.FS, giveBack func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := os.Stat(root)
	if v := s.byRoot[root]; v != nil && err == nil && os.SameFile(now, v.is) {
		v.users++
		return v.fs, s.back(root, v), nil
	}
	v := &sharedView{is: now, users: 1}
	if v.fs, v.release, err = open(); err != nil {
		return nil, nil, err
	}
	if s.byRoot == nil {
		s.byRoot = map[string]*sharedView{}
	}
	s.byRoot[root] = v
	return v.fs, s.back(root, v), nil
}

// back ends one use of a view.
func (s *sharedViews) back(root string, v *sharedView) func() {
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if v.users--; v.users > 0 {
			return
		}
		if s.byRoot[root] == v {
			delete(s.byRoot, root)
		}
		if v.release != nil {
			v.release()
		}
	}
}
