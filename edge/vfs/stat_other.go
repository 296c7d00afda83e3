//go:build !linux

package vfs

// lstatBirth is lstat: the time of birth is not known here.
func (d *Disk) lstatBirth(p Path) (Info, error) { return d.lstat(p) }
