package dtp

import (
	"io"
	"io/fs"
	"iter"
)

// FromSeq makes a reader of an iterator, for a command that produces what it
// sends while it is sent: [Transfer].Send takes it. (The model's
// BufferedIteratorProducer and push_with_producer.)
//
// The iterator begins with the first Read and runs in the transfer's goroutine; it
// is asked for a piece when the one before has been handed out, and may then use
// that piece's memory again. An error that it yields ends the transfer with it,
// after the piece that came along; io.EOF is a proper end, like the iterator's
// own. Nothing interrupts an iterator that works on its next piece: one that may
// take long is to look at the command's context.
//
// Close stops the iterator, so that its deferred calls run; it must be called, may
// be called more than once, and not at the same time as Read. A Read after it
// returns fs.ErrClosed.
func FromSeq(seq iter.Seq2[[]byte, error]) io.ReadCloser {
	return &sequence{seq: seq}
}

type sequence struct {
	seq  iter.Seq2[[]byte, error]
	next func() ([]byte, error, bool)
	stop func()
	left []byte // of the piece at hand
	err  error  // what comes after it
}

// Read implements io.Reader.
func (s *sequence) Read(b []byte) (int, error) {
	if s.next == nil && s.err == nil {
		s.next, s.stop = iter.Pull2(s.seq)
	}
	for len(s.left) == 0 && s.err == nil && len(b) > 0 {
		piece, err, ok := s.next()
		if !ok {
			err = io.EOF
		}
		s.left, s.err = piece, err
	}
	n := copy(b, s.left)
	if s.left = s.left[n:]; len(s.left) == 0 {
		return n, s.err
	}
	return n, nil
}

// Close implements io.Closer.
func (s *sequence) Close() error {
	if s.stop != nil {
		s.stop()
	}
	s.left, s.err = nil, fs.ErrClosed
	return nil
}
