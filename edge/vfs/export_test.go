package vfs

import "path/filepath"

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

// Settled waits until kept uploads have reached the disk.
func (d *Disk) Settled() { d.work.Wait() }

// ParseRecord tries to read a line of the journal, and gives it back as it would
// be written.
func ParseRecord(line string) (string, error) {
	r, err := parseRecord(line)
	if err != nil {
		return "", err
	}
	return string(r.append(nil)), nil
}
