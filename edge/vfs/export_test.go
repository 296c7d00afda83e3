package vfs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// Call is a call to the operating system, as a probe sees it.
type Call = osCall

// Probe is told of every call before it is made, as probe says.
type Probe = func(c Call) (after func(opened *os.File, err error), err error)

// OpenProbed is OpenDisk with a probe.
func OpenProbed(cfg DiskConfig, p Probe) (*Disk, error) { return openDisk(cfg, &gate{probe: p}) }

// LeftOut is what a probe returns for a call that is not made and seems to succeed.
func LeftOut() error { return errLeftOut }

// StageUnderNames makes d stage uploads under hidden names, as it does on
// filesystems that have no unnamed files.
func (d *Disk) StageUnderNames() { d.unnamed = false }

// ByRoot makes d, and the views that are made of it from now on, go every way by
// os.Root.
func (d *Disk) ByRoot() {
	d.below.close()
	d.below = nil
}

// HiddenName makes a name such as the Disk keeps for itself.
func HiddenName() string { return hiddenName() }

// IsHidden reports whether name is one that the Disk keeps for itself.
func IsHidden(name string) bool { return isHidden(name) }

// JournalLength is the number of bytes and of live records of the journal.
func (d *Disk) JournalLength() (size int64, live int) {
	d.journal.mu.Lock()
	defer d.journal.mu.Unlock()
	return d.journal.size, len(d.journal.live)
}

// JournalFile is the base name of the journal's file.
func (d *Disk) JournalFile() string { return filepath.Base(d.journal.name()) }

// Kept returns the paths of the files of partial uploads.
func (d *Disk) Kept() (files []Path) {
	for _, k := range d.partials.find(func(*partial) bool { return true }) {
		files = append(files, d.partials.now(k).file())
	}
	return files
}

// Settled waits until kept uploads have reached the disk.
func (d *Disk) Settled() { d.work.Wait() }

// AfterPowerCut makes a journal fit a copy of the tree, as it would be after the
// host was started anew: the copy has another root, and its files other inodes. What
// is torn stays as it is.
func AfterPowerCut(journal []byte, root string, inodes map[uint64]uint64) []byte {
	var out []byte
	for line := range bytes.Lines(journal) {
		text, whole := strings.CutSuffix(string(line), "\n")
		r, err := parseRecord(text)
		if err != nil || !whole {
			out = append(out, line...)
			continue
		}
		if r.kind == recordStart {
			r.path, r.owner = root, "another boot"
		}
		if r.inode != 0 {
			r.inode = inodes[r.inode]
		}
		out = r.append(out)
	}
	return out
}

// ParseRecord tries to read a line of the journal, and gives it back as it would
// be written.
func ParseRecord(line string) (string, error) {
	r, err := parseRecord(line)
	if err != nil {
		return "", err
	}
	return string(r.append(nil)), nil
}
