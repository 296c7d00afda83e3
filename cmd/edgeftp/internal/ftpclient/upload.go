package ftpclient

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

// upload is one attempt at a whole file.
func (w *worker) upload(j *Job, r *Result) error {
	f, err := openRegular(w.e.Root, j.Local)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // opened for reading alone
	info, err := f.Stat()
	if err != nil {
		return &Local{err}
	}
	j.Size, j.ModTime, r.Size = info.Size(), info.ModTime(), info.Size()
	s, err := w.ready()
	if err != nil {
		return err
	}
	from, err := w.uploaded(s, j)
	if err != nil {
		return err
	}
	if err := w.send(s, j, r, f, from); err != nil {
		return err
	}
	r.Resumed = from
	if err := w.agrees(s, j, r, f); err != nil {
		var differs *Mismatch
		if from == 0 || !errors.As(err, &differs) {
			return err
		}
		// What was there was no beginning of this file.
		if r.Resumed = 0; s.Lost() != nil {
			return err
		}
		if err := w.send(s, j, r, f, 0); err != nil {
			return err
		}
		if err := w.agrees(s, j, r, f); err != nil {
			return err
		}
	}
	if !w.e.Times {
		return nil
	}
	var no *ReplyError
	if err := s.SetModTime(j.Remote, j.ModTime); err != nil && !errors.As(err, &no) {
		return err
	}
	return nil // a server that does not let times be set has the file all the same
}

// openRegular opens a file, and nothing else: opening a FIFO would wait for ever.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, &Local{err}
	}
	if !info.Mode().IsRegular() {
		return nil, &Local{fmt.Errorf("%s is no file", escape.Text(name))}
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, &Local{err}
	}
	return f, nil
}

// uploaded is how much of a file the server has already, if that is to be continued.
func (w *worker) uploaded(s *Session, j *Job) (int64, error) {
	if !w.e.Resume {
		return 0, nil
	}
	n, err := s.Size(j.Remote)
	var no *ReplyError
	if err != nil && (!errors.As(err, &no) || no.Reply.Code < 500) {
		return 0, err
	}
	if err != nil || n == Unknown || n > j.Size {
		return 0, nil
	}
	return n, nil
}

func (w *worker) send(s *Session, j *Job, r *Result, f *os.File, from int64) error {
	if from > 0 && from == j.Size {
		return nil
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return &Local{err}
	}
	source := io.LimitReader(f, j.Size-from) // a file that grows is sent as long as it was
	n, err := s.Store(j.Remote, from > 0, paced{w, readOnly{source}, &r.Bytes})
	if err == nil && n < j.Size-from {
		err = &Local{fmt.Errorf("%s has become shorter while it was sent", escape.Text(j.Local))}
	}
	return err
}

// readOnly is a reader for paced.
type readOnly struct{ io.Reader }

// Write is not called.
func (readOnly) Write([]byte) (int, error) { return 0, os.ErrInvalid }

// agrees compares the copy with its source: by sums if that is asked for, or if it was
// continued, and by sizes in any case.
func (w *worker) agrees(s *Session, j *Job, r *Result, f *os.File) error {
	if w.e.Verify || r.Resumed > 0 {
		kind, err := w.compare(s, j, f)
		if err == nil {
			r.Verified = kind
		}
		return err
	}
	n, err := s.Size(j.Remote)
	var no *ReplyError
	if errors.As(err, &no) && s.Lost() == nil {
		return nil // there are folders to write to that nobody may look into
	}
	if err == nil && n != Unknown && n != j.Size {
		err = &Mismatch{j.Remote, "size", strconv.FormatInt(j.Size, 10), strconv.FormatInt(n, 10)}
	}
	return err
}
