package vfs

import (
	"crypto/rand"
	"strings"
)

// Names that a filesystem keeps for itself, for files that are nobody's to see:
// uploads on filesystems without unnamed files, the second name that replacing a
// file needs for a moment, and partial uploads. They have a fixed length and are
// not derived from the name that they stand for, so that names of MaxName bytes
// can be staged too; 130 random bits make them unguessable.
const (
	hiddenPrefix = ".edgeftp."
	hiddenLength = len(hiddenPrefix) + 26
)

// hiddenName makes a new name for a hidden file.
func hiddenName() string { return hiddenPrefix + strings.ToLower(rand.Text()) }

// isHidden reports whether name is one that hiddenName could have made. Case is
// ignored, because the host's filesystem may ignore it.
func isHidden(name string) bool {
	if len(name) != hiddenLength || !strings.EqualFold(name[:len(hiddenPrefix)], hiddenPrefix) {
		return false
	}
	for _, c := range []byte(name[len(hiddenPrefix):]) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '2' <= c && c <= '7'
		if !letter && !digit {
			return false
		}
	}
	return true
}

// isReserved reports whether any component of p is a hidden name.
func isReserved(p Path) bool {
	if len(p) < hiddenLength {
		return false
	}
	for name := range strings.SplitSeq(string(p), "/") {
		if isHidden(name) {
			return true
		}
	}
	return false
}

// uniqueSuffix makes the random end of a name for StageOptions.Unique: a full
// stop and eight characters (40 bits).
func uniqueSuffix() string { return "." + strings.ToLower(rand.Text()[:8]) }

// uniqueTries bounds the search for a name that does not exist.
const uniqueTries = 50
