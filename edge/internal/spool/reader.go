package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
)

// reader is where the one who reads is.
type reader struct {
	mu    sync.Mutex // held by Next
	file  *os.File
	first uint64 // number of the first record of the file
	at    int64  // where the record with this number begins
	here  uint64
}

// Record is what [Spool.Next] returns.
type Record struct {
	N    uint64 // its number
	Data []byte
}

// Next returns the next record; after Open that is the first that was not
// acknowledged. It waits for one, and fails with the error of ctx, with
// [ErrClosed], or because the disk does.
func (s *Spool) Next(ctx context.Context) (Record, error) {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	for {
		g, n, more, err := s.seek()
		if err != nil {
			return Record{}, err
		}
		if more != nil {
			select {
			case <-more:
				continue
			case <-ctx.Done():
				return Record{}, ctx.Err()
			}
		}
		data, ok, err := s.reader.read(s.path(g.first), g, n)
		if err != nil {
			return Record{}, fmt.Errorf("spool: %w", err)
		}
		if s.got(g, n, ok) {
			return Record{N: n, Data: data}, nil
		}
	}
}

// Rewind lets Next begin again with the first record that is not acknowledged.
func (s *Spool) Rewind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = s.state.acked + 1
}

// seek returns the number of the record to be read, and the segment in which it is,
// or what tells that there is more, if there is none yet.
func (s *Spool) seek() (g segment, n uint64, more chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return g, 0, nil, ErrClosed
	}
	// What was dropped meanwhile, or acknowledged unread, is passed over.
	s.read = max(s.read, s.state.acked+1)
	for _, g := range s.segs {
		if g.end() > s.read {
			s.read = max(s.read, g.first)
			return g, s.read, nil, nil
		}
	}
	return g, 0, s.more, nil
}

// got notes what became of record n. It is not to be returned if it was dropped while
// it was read, or is damaged: then so is what follows it in its segment.
func (s *Spool) got(g segment, n uint64, ok bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case n <= s.state.acked || n != s.read:
		return false
	case !ok:
		s.lose(n, g)
		return false
	}
	s.read++
	return true
}

// lose gives up what is from n on in a segment; s.mu is held. What was written to it
// since is left for the next time.
func (s *Spool) lose(n uint64, g segment) {
	s.read = g.end()
	if from := max(n, s.state.damaged+1); from < g.end() {
		s.state.lost += g.end() - from
		s.state.damaged = g.end() - 1
		_ = s.writeState() // if it fails it is counted once more after the next Open
		for i := range s.segs {
			if s.segs[i].first == g.first {
				s.segs[i].lost += g.end() - from
			}
		}
	}
}

// read reads record n out of its segment.
func (r *reader) read(path string, g segment, n uint64) (data []byte, ok bool, err error) {
	if r.file == nil || r.first != g.first || r.here > n {
		if err := r.enter(path, g.first); err != nil {
			return nil, false, ignoreGone(err)
		}
	}
	for r.here <= n {
		data, ok, err = readFrame(r.file, r.at, g.bytes, r.here)
		if !ok || err != nil {
			return nil, false, err
		}
		r.here++
		r.at += frameHead + int64(len(data))
	}
	return data, true, nil
}

// enter opens a segment at its beginning.
func (r *reader) enter(path string, first uint64) error {
	r.leave()
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	r.file, r.first, r.here, r.at = f, first, first, int64(len(segmentHead))
	return nil
}

func (r *reader) leave() {
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
}

// ignoreGone is nil for a file that is not there: its records are dropped, or lost.
func ignoreGone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
