package vfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// fail makes the error that a caller of Disk sees: the virtual path and a reason
// that tells nothing of the host.
func (d *Disk) fail(op string, p Path, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: string(p), Err: d.veil(p, d.reason(err))}
}

// reason maps an error of the host onto those of io/fs and of this package, and
// takes the wrappings off that name paths of the host. An error number without a
// counterpart stays what it is.
func (d *Disk) reason(err error) error {
	if d.escapes != nil && errors.Is(err, d.escapes) {
		return ErrEscapes
	}
	if errors.Is(err, ErrNoAsUser) {
		return ErrNoAsUser
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		return reasonOf(number)
	}
	for {
		switch e := err.(type) {
		case *fs.PathError:
			err = e.Err
		case *os.LinkError:
			err = e.Err
		case *os.SyscallError:
			err = e.Err
		default:
			return err
		}
	}
}

// reasonOf maps an error number.
func reasonOf(number syscall.Errno) error {
	switch number {
	case syscall.ENOENT, syscall.ESTALE:
		return fs.ErrNotExist
	case syscall.EEXIST:
		return fs.ErrExist
	case syscall.EACCES, syscall.EPERM:
		return fs.ErrPermission
	case syscall.EISDIR:
		return ErrIsDirectory
	case syscall.ENOTDIR:
		return ErrNotDirectory
	case syscall.ENOTEMPTY:
		return ErrNotEmpty
	case syscall.ENAMETOOLONG:
		return ErrNameTooLong
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG:
		return ErrNoSpace
	case syscall.EXDEV:
		return ErrCrossDevice
	case syscall.ELOOP:
		return ErrLoop
	case syscall.EROFS:
		return ErrReadOnly
	case syscall.EINVAL:
		return fs.ErrInvalid
	case syscall.ENXIO, syscall.ENODEV:
		return ErrSpecial
	case syscall.ETXTBSY, syscall.EBUSY:
		return ErrBusy
	}
	if mapped := portable(number); mapped != nil {
		return mapped
	}
	return number
}

// portable asks the number itself, for hosts whose numbers are not POSIX's.
func portable(number syscall.Errno) error {
	for _, known := range []error{fs.ErrNotExist, fs.ErrExist, fs.ErrPermission} {
		if number.Is(known) {
			return known
		}
	}
	return nil
}
