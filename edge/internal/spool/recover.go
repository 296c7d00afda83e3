package spool

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// there reports whether the directory is still that of its name: whoever had it before may
// have removed it before this process had the lock.
func (s *Spool) there() bool {
	own, err := s.dir.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(s.dir.Name())
	return err == nil && os.SameFile(own, named)
}

// open finds out what is in the directory.
func (s *Spool) open() error {
	if err := lock(s.dir); err != nil {
		return err
	}
	if !s.there() {
		return ErrInUse
	}
	slots, err := os.OpenFile(s.dir.Name()+string(os.PathSeparator)+stateName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	s.slots = slots
	b := make([]byte, 2*slotLen)
	n, err := slots.ReadAt(b, 0)
	if err := diskError(err); err != nil {
		return err
	}
	s.state = decodeState(b[:n])
	if err := s.findSegments(); err != nil {
		return err
	}
	before := s.state
	if err := s.countGaps(); err != nil {
		return err
	}
	if s.state != before || before.turn == 0 {
		if err := s.writeState(); err != nil {
			return err
		}
	}
	s.read = s.state.acked + 1
	return s.trim()
}

// findSegments reads every segment, cuts off what is torn, and removes what is empty.
func (s *Spool) findSegments() error {
	names, err := s.dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		hex, ok := strings.CutSuffix(name, suffix)
		first, err := strconv.ParseUint(hex, 16, 64)
		if !ok || err != nil || first == 0 || name != fmt.Sprintf("%016x%s", first, suffix) {
			continue // not ours
		}
		g, err := s.repair(first)
		if err != nil {
			return err
		}
		if g.records > 0 {
			s.segs = append(s.segs, g)
			s.bytes += g.bytes
		}
	}
	return nil
}

// repair makes a segment end with its last whole record.
func (s *Spool) repair(first uint64) (g segment, err error) {
	f, err := os.OpenFile(s.path(first), os.O_RDWR, 0o600)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return g, err
	}
	g.first = first
	if g.records, g.bytes, err = scan(f, info.Size(), first); err != nil {
		return g, err
	}
	if g.records == 0 {
		return g, os.Remove(f.Name())
	}
	if g.bytes < info.Size() {
		return g, f.Truncate(g.bytes)
	}
	return g, nil
}

// countGaps finds the number of the next record, and counts those that should be
// there and are not.
func (s *Spool) countGaps() error {
	s.next = s.state.acked + 1
	for i, g := range s.segs {
		switch {
		case i > 0 && g.first < s.segs[i-1].end():
			return fmt.Errorf("%016x%s and the segment before it have the same records; move one of them away", g.first, suffix)
		case s.state.turn > 0:
			if from := max(s.next, s.state.damaged+1); g.first > from {
				s.state.lost += g.first - from
				s.state.damaged = g.first - 1
			}
		}
		s.next = max(s.next, g.end())
	}
	s.next = max(s.next, s.state.damaged+1) // no number is given twice
	return nil
}
