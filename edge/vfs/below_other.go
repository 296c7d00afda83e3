//go:build !linux

package vfs

// below is the short way to what lies below a directory; there is none here.
type below struct{}

func openBelow(osRoot) *below { return nil }

func (*below) close() {}

// openFile opens what p leads to.
func (d *Disk) openFile(p Path, flag int) (osFile, error) { return d.root.OpenFile(p.Rel(), flag, 0) }

// describeBelow leaves it to os.Root.
func (*Disk) describeBelow(Path, int) (Info, error) { return Info{}, errUnsure }

// openBelow leaves it to os.Root.
func (*Disk) openBelow(Path, int, bool) (osFile, bool) { return osFile{}, false }
