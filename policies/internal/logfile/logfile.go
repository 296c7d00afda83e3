// Package logfile is a log file that programs such as logrotate may move away or
// cut: it is opened again under its name.
package logfile

import (
	"os"
	"time"
)

// lookEvery is how long a file that was moved away is still written to.
const lookEvery = time.Second

// File appends to a file of a name, whichever that is. It is made by Open and is
// not safe for concurrent use.
type File struct {
	path   string
	mode   os.FileMode
	open   *os.File
	info   os.FileInfo
	looked time.Time

	// Now is the clock, time.Now unless a test has another one.
	Now func() time.Time
}

// Open opens a file for appending. If it does not exist it is made, with mode.
func Open(path string, mode os.FileMode) (*File, error) {
	f := &File{path: path, mode: mode, Now: time.Now}
	if err := f.reopen(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) reopen() error {
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
	f.open, f.info = next, info
	return nil
}

// Write implements io.Writer. A file that was moved away is written to for at most
// a second more; one that cannot be opened again is written to where it is.
func (f *File) Write(b []byte) (int, error) {
	if now := f.Now(); now.Sub(f.looked) >= lookEvery {
		f.looked = now
		if info, err := os.Stat(f.path); err != nil || !os.SameFile(info, f.info) {
			_ = f.reopen()
		}
	}
	return f.open.Write(b)
}

// Close implements io.Closer.
func (f *File) Close() error { return f.open.Close() }
