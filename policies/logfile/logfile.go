//go:build !wasip1

package logfile

import (
	"io"
	"os"
	"time"
)

// lookEvery is how long a file that was moved away is still written to.
const lookEvery = time.Second

// File appends lines to a file of a name, whichever that is. It is made by Open and is
// not safe for concurrent use.
type File struct {
	path   string
	mode   os.FileMode
	open   *os.File
	info   os.FileInfo
	looked time.Time
	total  uint64 // lines that were lost, in all
	missed uint64 // and since the last one that was written
	torn   bool   // the file ends with a part of a line

	// Now is the clock, time.Now unless a test has another one.
	Now func() time.Time
	// Regained is told how many lines were lost, once one could be written again; nil:
	// nobody is.
	Regained func(lost uint64)
}

// Open opens a file for appending. If it does not exist it is made, with mode.
func Open(path string, mode os.FileMode) (*File, error) {
	f := &File{path: path, mode: mode, Now: time.Now}
	if err := f.Reopen(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reopen opens the file under its name at once. After an error the one that was open
// still is.
func (f *File) Reopen() error {
	next, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, f.mode)
	if err != nil {
		return err
	}
	info, err := next.Stat()
	if err != nil {
		next.Close()
		return err
	}
	if f.open != nil {
		f.open.Close()
	}
	if f.info != nil && !os.SameFile(f.info, info) {
		f.torn = false
	}
	f.open, f.info = next, info
	return nil
}

// Write implements io.Writer, for one line at a time. A file that was moved away is
// written to for at most a second more; one that cannot be opened again is written to
// where it is. A line that does not fit as a whole is taken back, and lost.
func (f *File) Write(b []byte) (int, error) {
	if now := f.Now(); now.Sub(f.looked) >= lookEvery {
		f.looked = now
		if info, err := os.Stat(f.path); err != nil || !os.SameFile(info, f.info) {
			_ = f.Reopen()
		}
	}
	line := b
	if f.torn {
		line = append([]byte{'\n'}, b...)
	}
	n, err := f.open.Write(line)
	if err == nil && n < len(line) {
		err = io.ErrShortWrite
	}
	if err != nil {
		f.total++
		f.missed++
		f.torn = !f.takeBack(n) || f.torn
		return 0, err
	}
	f.torn = false
	if lost := f.missed; lost > 0 {
		f.missed = 0
		if f.Regained != nil {
			f.Regained(lost)
		}
	}
	return len(b), nil
}

// takeBack cuts off the n bytes of a line whose rest found no room: what follows would
// be read as a part of it. It reports false where that cannot be done.
func (f *File) takeBack(n int) bool {
	if n <= 0 {
		return true
	}
	info, err := f.open.Stat()
	return err == nil && info.Mode().IsRegular() && info.Size() >= int64(n) && f.open.Truncate(info.Size()-int64(n)) == nil
}

// Lost returns how many lines were not written, in all.
func (f *File) Lost() uint64 { return f.total }

// Path returns the name of the file.
func (f *File) Path() string { return f.path }

// Close implements io.Closer.
func (f *File) Close() error { return f.open.Close() }
