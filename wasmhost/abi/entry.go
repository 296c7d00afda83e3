package abi

import (
	"encoding/binary"
	"io/fs"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// EntrySize is the length in bytes of one entry of a listing without its name, and
// of what the import stat writes (ABI §4).
const EntrySize = 32

// posixModes are the bits of st_mode (POSIX.1 <sys/stat.h>) beside those of
// permission, with what package fs calls them. A file of no known kind has no bits
// of kind.
func posixModes() [10]struct {
	posix uint32
	mode  fs.FileMode
} {
	return [...]struct {
		posix uint32
		mode  fs.FileMode
	}{
		{0o040000, fs.ModeDir}, {0o120000, fs.ModeSymlink}, {0o010000, fs.ModeNamedPipe},
		{0o140000, fs.ModeSocket}, {0o020000, fs.ModeDevice | fs.ModeCharDevice},
		{0o060000, fs.ModeDevice}, {0o100000, 0}, {0o004000, fs.ModeSetuid},
		{0o002000, fs.ModeSetgid}, {0o001000, fs.ModeSticky},
	}
}

// posixKinds is how many of posixModes are kinds of files.
const posixKinds = 7

// PosixMode returns the bits of st_mode for m, as listings write them.
func PosixMode(m fs.FileMode) uint32 {
	table := posixModes()
	p := uint32(m.Perm())
	for _, t := range table[:posixKinds] {
		if m.Type() == t.mode {
			p |= t.posix
			break
		}
	}
	for _, t := range table[posixKinds:] {
		if m&t.mode != 0 {
			p |= t.posix
		}
	}
	return p
}

// FileMode returns what the bits of st_mode mean, fs.ModeIrregular for a kind that
// has no name.
func FileMode(posix uint32) fs.FileMode {
	table := posixModes()
	m := fs.FileMode(posix) & fs.ModePerm
	kind := fs.ModeIrregular
	for _, t := range table[:posixKinds] {
		if posix&0o170000 == t.posix {
			kind = t.mode
		}
	}
	for _, t := range table[posixKinds:] {
		if posix&t.posix != 0 {
			m |= t.mode
		}
	}
	return m | kind
}

// AppendStat appends what the import stat writes about e: an entry without a name.
func AppendStat(dst []byte, e *policy.Entry) []byte {
	nameless := *e
	nameless.Name = ""
	return appendEntry(dst, 0, &nameless)
}

// DecodeStat reads what the import stat wrote, or fails with [ErrRecord].
func DecodeStat(b []byte) (policy.Entry, error) {
	if len(b) != EntrySize {
		return policy.Entry{}, wrong(ErrRecord, "facts of %d bytes", len(b))
	}
	return factsOf(b), nil
}

// factsOf reads the fixed part of an entry but for its name.
func factsOf(b []byte) policy.Entry {
	e := policy.Entry{
		Mode: FileMode(binary.LittleEndian.Uint32(b[8:])),
		Size: int64(binary.LittleEndian.Uint64(b[16:])),
	}
	if ns := int64(binary.LittleEndian.Uint64(b[24:])); ns != 0 {
		e.Time = time.Unix(0, ns).UTC()
	}
	return e
}

// goodName is the rule for a name in a directory.
func goodName(s string) bool {
	return s != "" && strings.IndexByte(s, 0) < 0 && strings.IndexByte(s, '/') < 0
}
