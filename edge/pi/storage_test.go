package pi

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// What the storage could not do is counted by its cause, and what a client asked in vain is
// not.
func TestStorageTally(t *testing.T) {
	at := func(err error) error { return fmt.Errorf("x: %w", &fs.PathError{Op: "open", Path: "a", Err: err}) }
	for _, c := range []struct {
		err   error
		known bool
		want  StorageStatus
	}{
		{at(vfs.ErrNoSpace), true, StorageStatus{NoSpace: 1}},
		{vfs.ErrReadOnly, true, StorageStatus{ReadOnly: 1}},
		{at(fs.ErrPermission), true, StorageStatus{Permission: 1}},
		{at(syscall.EIO), false, StorageStatus{Fault: 1}},
		{at(syscall.ECONNRESET), true, StorageStatus{}},
		{at(fs.ErrNotExist), true, StorageStatus{}},
		{errors.New("a mistake"), false, StorageStatus{}},
	} {
		tally := new(StorageTally)
		if tally.add(c.err, c.known); tally.Status() != c.want {
			t.Errorf("%v: %+v", c.err, tally.Status())
		}
		(*StorageTally)(nil).add(c.err, c.known)
	}
}
