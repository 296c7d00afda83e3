package vfs

import "sync"

// syncs shares the syncing of folders among uploads that are committed at the
// same time (group commit). Each of them has synced its own file and put its name
// into the folder before; one sync of the folder that begins after that serves
// all of them. The zero value is ready.
type syncs struct {
	mu      sync.Mutex
	folders map[fileID]*folderSyncs
}

// folderSyncs is the state of one folder: the round that runs, and the one that
// those wait for who came too late for it.
type folderSyncs struct {
	running, next *syncRound
}

// syncRound is one sync and its outcome.
type syncRound struct {
	done chan struct{}
	err  error
}

// do syncs the folder id by calling sync, its own or that of another caller
// which began after do was called.
func (s *syncs) do(id fileID, sync func() error) error {
	s.mu.Lock()
	folder := s.folders[id]
	if folder == nil {
		folder = &folderSyncs{}
		if s.folders == nil {
			s.folders = make(map[fileID]*folderSyncs)
		}
		s.folders[id] = folder
	}
	round := folder.next
	if round != nil { // somebody waits to lead the next round
		s.mu.Unlock()
		<-round.done
		return round.err
	}
	round = &syncRound{done: make(chan struct{})}
	if before := folder.running; before != nil {
		folder.next = round
		s.mu.Unlock()
		<-before.done
		s.mu.Lock()
		folder.next = nil
	}
	folder.running = round
	s.mu.Unlock()

	round.err = sync()

	s.mu.Lock()
	if folder.running = nil; folder.next == nil {
		delete(s.folders, id)
	}
	close(round.done)
	s.mu.Unlock()
	return round.err
}
