package eventlog

import (
	"fmt"
	"os"
	"time"
)

// lookEvery is how long a file that was moved away is still written to.
const lookEvery = time.Second

// file is a log file that programs such as logrotate may move away or cut: it is
// opened again under its name.
type file struct {
	path   string
	open   *os.File
	info   os.FileInfo
	looked time.Time
	now    func() time.Time
}

// Open returns a policy that appends to a file, which is made with mode 0640 if it
// does not exist. When the file is moved away, a new one is begun within a second.
func Open(path string) (*Log, error) {
	f := &file{path: path, now: time.Now}
	if err := f.reopen(); err != nil {
		return nil, fmt.Errorf("the event log cannot be opened: %w", err)
	}
	return New(f), nil
}

func (f *file) reopen() error {
	next, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
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

// Write implements io.Writer. A file that cannot be opened again is written to
// where it is.
func (f *file) Write(b []byte) (int, error) {
	if now := f.now(); now.Sub(f.looked) >= lookEvery {
		f.looked = now
		if info, err := os.Stat(f.path); err != nil || !os.SameFile(info, f.info) {
			_ = f.reopen()
		}
	}
	return f.open.Write(b)
}

// Close implements io.Closer.
func (f *file) Close() error { return f.open.Close() }
