package pi

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"syscall"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// StorageTally counts what the storage could not do, as answered to clients: not what a
// client asked for in vain, such as a file that is not there. The zero value is ready for
// use, by many sessions at once; a nil one counts nothing.
type StorageTally struct{ space, readOnly, permission, fault atomic.Uint64 }

// StorageStatus is what a StorageTally has counted.
type StorageStatus struct {
	NoSpace    uint64 // there was no space left
	ReadOnly   uint64 // the files cannot be changed
	Permission uint64 // the server's user may not do it
	Fault      uint64 // any other error of the system, such as a disk that cannot be read
}

// Status returns what was counted.
func (t *StorageTally) Status() StorageStatus {
	return StorageStatus{NoSpace: t.space.Load(), ReadOnly: t.readOnly.Load(), Permission: t.permission.Load(), Fault: t.fault.Load()}
}

// add counts an error that is answered, if it is one of the storage. Known is whether it has
// a reply of its own.
func (t *StorageTally) add(err error, known bool) {
	if t == nil {
		return
	}
	switch faultOf(err, known) {
	case noSpace:
		t.space.Add(1)
	case readOnly:
		t.readOnly.Add(1)
	case noPermission:
		t.permission.Add(1)
	case osFault:
		t.fault.Add(1)
	}
}

// fault is what a storage could not do something for.
type fault uint8

const (
	noFault fault = iota // it is no error of the storage
	noSpace
	readOnly
	noPermission
	osFault
)

// faultOf is what an error says of the storage. Known is whether it has a reply of its own.
func faultOf(err error, known bool) fault {
	var no syscall.Errno
	switch {
	case errors.Is(err, vfs.ErrNoSpace):
		return noSpace
	case errors.Is(err, vfs.ErrReadOnly):
		return readOnly
	case errors.Is(err, fs.ErrPermission):
		return noPermission
	case !known && errors.As(err, &no):
		return osFault
	}
	return noFault
}
