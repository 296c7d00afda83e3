package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// Path implements [Stage].
func (s *diskStage) Path() Path { return s.path }

// Size implements [Stage].
func (s *diskStage) Size() int64 { return s.size }

// Write implements [Stage].
func (s *diskStage) Write(b []byte) (int, error) {
	if err := s.ready(); err != nil {
		return 0, s.d.fail("write", s.path, err)
	}
	n, err := s.file.Write(b)
	s.wrote(int64(n))
	return n, s.failed(err)
}

// ReadFrom implements [Stage]. It gives r to the file itself, so that the kernel
// moves the bytes of a TCP connection.
func (s *diskStage) ReadFrom(r io.Reader) (int64, error) {
	if err := s.ready(); err != nil {
		return 0, s.d.fail("write", s.path, err)
	}
	n, err := s.file.ReadFrom(r)
	s.wrote(n)
	return n, s.failed(err)
}

// wrote counts what was written.
func (s *diskStage) wrote(n int64) {
	s.at += n
	s.size = max(s.size, s.at)
}

// failed makes an error of writing fit to be seen. Reading from a connection may
// have caused it as well: then it is the connection's own, as it came.
func (s *diskStage) failed(err error) error {
	if err == nil {
		return nil
	}
	var own *fs.PathError
	if errors.As(err, &own) && own.Path == s.file.Name() {
		return s.d.fail("write", s.path, own.Err)
	}
	return err
}

// ready copies the older file when its bytes are to be kept. It is put off until
// the first byte, because it may take long and the caller of Stage must not wait.
func (s *diskStage) ready() error {
	if s.ended {
		return fs.ErrClosed
	}
	if !s.seed.open() {
		return nil
	}
	n, err := s.copySeed()
	if err != nil {
		return err
	}
	if n < s.at {
		return ErrBusy // it was cut short meanwhile
	}
	s.size = n
	_, err = s.file.Seek(s.at, io.SeekStart)
	err = errors.Join(err, s.seed.Close())
	s.seed = osFile{}
	return err
}

// copySeed copies the older file, piece by piece, so that it can be interrupted.
func (s *diskStage) copySeed() (total int64, err error) {
	const piece = 4 << 20
	for {
		if s.broken.Load() {
			return total, fs.ErrClosed
		}
		n, err := s.file.ReadFrom(&io.LimitedReader{R: s.seed.bare(), N: piece})
		if total += n; err != nil || n < piece {
			return total, err
		}
	}
}

// Interrupt implements [Interrupter].
func (s *diskStage) Interrupt() { s.broken.Store(true) }

// ReadAt implements io.ReaderAt.
func (s *diskStage) ReadAt(b []byte, off int64) (int, error) {
	if err := s.ready(); err != nil {
		return 0, s.d.fail("read", s.path, err)
	}
	n, err := s.file.ReadAt(b, off)
	if err == io.EOF {
		return n, err
	}
	return n, s.failed(err)
}
