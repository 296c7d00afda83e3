package spool

import (
	"errors"
	"time"
)

// sync is the only one that waits for the disk.
func (s *Spool) sync() {
	defer close(s.synced)
	tick := time.NewTicker(s.opt.SyncEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = s.Sync()
		case <-s.stop:
			return
		}
	}
}

// Sync waits until what was appended and acknowledged before is safe from a machine
// that stops. Nobody who appends waits with it.
func (s *Spool) Sync() error {
	s.syncing.Lock() // nobody else closes what is synced
	defer s.syncing.Unlock()
	s.mu.Lock()
	if !s.dirty { // also after Close
		defer s.mu.Unlock()
		return s.err
	}
	old, file := s.old, s.file
	s.old, s.dirty = nil, false
	s.mu.Unlock()

	var err error
	for _, f := range old {
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if file != nil {
		err = errors.Join(err, file.Sync())
	}
	err = errors.Join(err, s.slots.Sync())
	_ = s.dir.Sync() // not every system can

	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.dirty = s.dirty || err != nil
	return err
}

// Close syncs and closes the spool. A Next that waits fails with [ErrClosed]. A
// second Close waits for the first, and does nothing.
func (s *Spool) Close() error {
	s.mu.Lock()
	first := !s.closed
	if first {
		s.closed, s.dirty = true, true
		s.end()
		close(s.more)
		close(s.stop)
	}
	s.mu.Unlock()
	<-s.synced
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	if !first {
		return nil
	}
	s.reader.leave()
	return errors.Join(s.Sync(), s.slots.Close(), s.dir.Close())
}
