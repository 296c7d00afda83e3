package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Errors of a [Spool].
var (
	ErrClosed = errors.New("the spool is closed")
	ErrSize   = errors.New("the record is too long for the spool")
	ErrInUse  = errors.New("the spool is in use by another process")
)

// Options of a [Spool]. The zero value works.
type Options struct {
	// MaxBytes is how much the segments may take. Zero or less is 64 MiB.
	MaxBytes int64
	// SegmentBytes is how long a segment becomes, which is also what is dropped at
	// once. Zero or less, or more than half of MaxBytes, is an eighth of MaxBytes.
	SegmentBytes int64
	// SyncEvery is how long what was appended may wait until it is safe from a
	// machine that stops. Zero or less is half a second.
	SyncEvery time.Duration
}

const (
	defaultMaxBytes  = 64 << 20
	defaultSyncEvery = 500 * time.Millisecond
	leastSegment     = 512

	suffix    = ".spool"
	stateName = "state"
)

// segment is one file.
type segment struct {
	first   uint64 // number of its first record
	records uint64
	lost    uint64 // of them, counted as such since Open
	bytes   int64
}

func (g segment) end() uint64 { return g.first + g.records }

// waiting is how many of its records are not acknowledged, and not lost.
func (g segment) waiting(acked uint64) uint64 {
	n := g.end() - min(g.end(), max(g.first, acked+1))
	return n - min(n, g.lost)
}

// Spool is made by [Open]. It is safe for concurrent use; who reads is one, however
// many call Next.
type Spool struct {
	opt Options
	dir *os.File // has the lock

	mu     sync.Mutex
	segs   []segment // in order, not empty but for the last
	bytes  int64     // that they take
	next   uint64    // number of the record that is appended next
	read   uint64    // number of the record that is read next
	file   *os.File  // the last segment, nil if the next record begins one
	frame  []byte    // used again for each record
	old    []*os.File
	dirty  bool // there is something to sync
	state  state
	slots  *os.File
	more   chan struct{} // closed when there is more to read
	closed bool
	err    error // of the last sync

	reader  reader
	syncing sync.Mutex

	stop   chan struct{}
	synced chan struct{}
}

// Open opens the spool in dir, or makes it, readable for its owner alone. What is
// torn at the end of a segment is cut off. The spool must be closed.
func Open(dir string, opt Options) (*Spool, error) {
	opt.fill()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &Spool{opt: opt, dir: d, more: make(chan struct{}), stop: make(chan struct{}), synced: make(chan struct{})}
	if err := s.open(); err != nil {
		if s.slots != nil {
			err = errors.Join(err, s.slots.Close())
		}
		return nil, fmt.Errorf("spool: %s: %w", dir, errors.Join(err, d.Close()))
	}
	go s.sync()
	return s, nil
}

func (o *Options) fill() {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	o.MaxBytes = max(o.MaxBytes, 4*leastSegment)
	if o.SegmentBytes <= 0 || o.SegmentBytes > o.MaxBytes/2 {
		o.SegmentBytes = o.MaxBytes / 8
	}
	o.SegmentBytes = max(o.SegmentBytes, leastSegment)
	if o.SyncEvery <= 0 {
		o.SyncEvery = defaultSyncEvery
	}
}

// MaxRecord is the length of the longest record: what fits into one segment.
func (s *Spool) MaxRecord() int {
	return int(min(s.opt.SegmentBytes, 1<<30)) - len(segmentHead) - frameHead
}

func (s *Spool) path(first uint64) string {
	return filepath.Join(s.dir.Name(), fmt.Sprintf("%016x%s", first, suffix))
}

// Append writes a record, of which it keeps nothing. It waits for no sync. It fails
// with [ErrSize], [ErrClosed], or because the disk does; then the record is not
// there.
func (s *Spool) Append(record []byte) error {
	if len(record) > s.MaxRecord() {
		return ErrSize
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	length := int64(frameHead + len(record))
	if s.file == nil || s.segs[len(s.segs)-1].bytes+length > s.opt.SegmentBytes {
		if err := s.begin(); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	for s.bytes+length > s.opt.MaxBytes && len(s.segs) > 1 {
		if err := s.drop(); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	last := &s.segs[len(s.segs)-1]
	s.frame = appendFrame(s.frame[:0], s.next, record)
	if _, err := s.file.WriteAt(s.frame, last.bytes); err != nil {
		return fmt.Errorf("spool: %w", errors.Join(err, s.cut(last)))
	}
	last.records++
	last.bytes += length
	s.bytes += length
	s.next++
	s.dirty = true
	close(s.more)
	s.more = make(chan struct{})
	return nil
}

// cut takes away what was written of a record. If that cannot be, it is torn, and
// nothing may follow it.
func (s *Spool) cut(last *segment) error {
	err := s.file.Truncate(last.bytes)
	if err != nil {
		s.end()
	}
	return err
}

// begin begins a segment; s.mu is held.
func (s *Spool) begin() error {
	s.end()
	// A file of that name has no record, or it would not be the name of the next one.
	f, err := os.OpenFile(s.path(s.next), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(segmentHead), 0); err != nil {
		return errors.Join(err, f.Close())
	}
	s.file = f
	s.segs = append(s.segs, segment{first: s.next, bytes: int64(len(segmentHead))})
	s.bytes += int64(len(segmentHead))
	return nil
}

// end ends the segment that is written to; s.mu is held. The file is closed after
// the next sync.
func (s *Spool) end() {
	if s.file == nil {
		return
	}
	s.old, s.file = append(s.old, s.file), nil
	if last := s.segs[len(s.segs)-1]; last.records == 0 {
		s.segs = s.segs[:len(s.segs)-1]
		s.bytes -= last.bytes
	}
}

// drop gives up the oldest segment; s.mu is held.
func (s *Spool) drop() error {
	g := s.segs[0]
	if last := g.end() - 1; last > s.state.acked {
		s.state.dropped += g.waiting(s.state.acked)
		s.state.acked = last
		// The count is there before what it counts is gone.
		if err := s.writeState(); err != nil {
			return err
		}
	}
	return s.removeFirst()
}

// removeFirst removes the oldest segment; s.mu is held.
func (s *Spool) removeFirst() error {
	g := s.segs[0]
	if err := os.Remove(s.path(g.first)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.segs = s.segs[1:]
	s.bytes -= g.bytes
	return nil
}

// writeState writes the slot whose turn it is; s.mu is held.
func (s *Spool) writeState() error {
	s.state.turn++
	_, err := s.slots.WriteAt(s.state.encode(), int64(s.state.turn%2)*slotLen)
	s.dirty = true
	return err
}

// Ack says that the records up to number n are not needed any more. It fails if
// that is beyond what was appended, and if the disk does.
func (s *Spool) Ack(n uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case n >= s.next:
		return fmt.Errorf("spool: record %d is acknowledged, the last one is %d", n, s.next-1)
	case n <= s.state.acked:
		return nil
	}
	s.state.acked = n
	if err := s.writeState(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return s.trim()
}

// trim removes the segments of which everything is acknowledged; s.mu is held. The
// one that is written to is ended then, so that it goes, too.
func (s *Spool) trim() error {
	for len(s.segs) > 0 && s.segs[0].records > 0 && s.segs[0].end()-1 <= s.state.acked {
		if len(s.segs) == 1 {
			if s.file != nil && s.segs[0].bytes < s.opt.SegmentBytes/2 {
				return nil // there is room for more in it
			}
			s.end()
		}
		if err := s.removeFirst(); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	return nil
}

// Stats is what a [Spool] holds, and what became of the rest.
type Stats struct {
	Records  uint64 // that are not acknowledged
	Bytes    int64  // of the segments
	Segments int
	Dropped  uint64 // records for which there was no room, since the spool was made
	Lost     uint64 // records that were damaged on the disk, since the spool was made
	SyncErr  error  // of the last sync, nil if it went well
}

// Stats returns the present numbers.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Bytes: s.bytes, Segments: len(s.segs), Dropped: s.state.dropped, Lost: s.state.lost, SyncErr: s.err}
	for _, g := range s.segs {
		st.Records += g.waiting(s.state.acked)
	}
	return st
}
