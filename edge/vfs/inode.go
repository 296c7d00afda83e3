package vfs

import "sync"

// fileID tells files of the host apart. The path is set only where the host does
// not number its files.
type fileID struct {
	dev, inode uint64
	path       Path
}

// idOf returns the identity of the file at p.
func idOf(info Info, p Path) fileID {
	if info.Inode == 0 {
		return fileID{path: p}
	}
	return fileID{dev: info.Dev, inode: info.Inode}
}

// inodeSet holds the files that somebody has to himself. The zero value is
// empty.
type inodeSet struct {
	mu  sync.Mutex
	ids map[fileID]struct{}
}

// take adds id, and reports false if it is there already.
func (s *inodeSet) take(id fileID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.ids[id]; taken {
		return false
	}
	if s.ids == nil {
		s.ids = make(map[fileID]struct{})
	}
	s.ids[id] = struct{}{}
	return true
}

// release takes id out again.
func (s *inodeSet) release(id fileID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ids, id)
}
