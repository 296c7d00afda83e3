package listing

import (
	"io/fs"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Facts is a set of the facts that MLST and MLSD tell (RFC 3659 §7.5). The zero
// value tells none.
type Facts uint16

// The facts, in the order in which they are told.
const (
	FactCreate Facts = 1 << iota
	FactModify
	FactPerm
	FactSize
	FactType
	FactUnique
	FactGID
	FactMode
	FactUID
	factsEnd
)

// AllFacts returns the set of all facts.
func AllFacts() Facts { return factsEnd - 1 }

// UsualFacts returns the set that is told before OPTS MLST asks for another: the
// model's.
func UsualFacts() Facts { return FactModify | FactPerm | FactSize | FactType | FactUnique }

// names returns the facts' names in their order.
func names() [9]string {
	return [...]string{"create", "modify", "perm", "size", "type", "unique", "unix.gid", "unix.mode", "unix.uid"}
}

// ParseFacts reads the argument of OPTS MLST: names that each end with a
// semicolon. Names that are not known are left out (RFC 3659 §7.9).
func ParseFacts(arg string) Facts {
	var f Facts
	for word := range strings.SplitSeq(arg, ";") {
		for i, name := range names() {
			if strings.EqualFold(strings.TrimSpace(word), name) {
				f |= 1 << i
			}
		}
	}
	return f
}

// String returns the set as OPTS MLST has it: "modify;size;".
func (f Facts) String() string {
	var b strings.Builder
	for i, name := range names() {
		if f&(1<<i) != 0 {
			b.WriteString(name + ";")
		}
	}
	return b.String()
}

// Feat returns the facts as the reply to FEAT has them: all that there are, with
// an asterisk behind those of the set (RFC 3659 §7.8). Their order is the model's,
// by which some tell it; what it does not have comes last.
func (f Facts) Feat() string {
	var b strings.Builder
	for _, fact := range [...]Facts{FactType, FactPerm, FactSize, FactModify, FactUnique, FactMode, FactUID, FactGID, FactCreate} {
		b.WriteString(fact.name())
		if f&fact != 0 {
			b.WriteByte('*')
		}
		b.WriteByte(';')
	}
	return b.String()
}

// name is the name of a single fact.
func (f Facts) name() string { return names()[bits.TrailingZeros16(uint16(f))] }

// Entry is what the facts of one file are told from.
type Entry struct {
	vfs.Info
	Kind string    // the type fact: "file", "dir", "cdir", "pdir" or "OS.unix=slink:target"
	Perm string    // the perm fact (RFC 3659 §7.5.5)
	Made time.Time // the create fact; zero where unknown
	// Zone is that of the times; nil is UTC, which RFC 3659 §2.3 wants.
	Zone *time.Location
}

// local returns a time in the entry's zone.
func (e *Entry) local(t time.Time) time.Time {
	if e.Zone == nil {
		return t.UTC()
	}
	return t.In(e.Zone)
}

// tellable reports whether a time has the four digits of a year that are all
// there is room for (RFC 3659 §2.3).
func (e *Entry) tellable(t time.Time) bool {
	year := e.local(t).Year()
	return 0 <= year && year <= 9999
}

// Line appends the facts, one space and the name (RFC 3659 §7.2).
func (f Facts) Line(dst []byte, e Entry, name string) []byte {
	for i, fact := range names() {
		if f&(1<<i) == 0 || !known(Facts(1<<i), &e) {
			continue
		}
		dst = append(append(dst, fact...), '=')
		dst = append(appendFact(dst, Facts(1<<i), &e), ';')
	}
	return append(append(dst, ' '), name...)
}

// timeVal is RFC 3659 §2.3's time-val without a fraction.
const timeVal = "20060102150405"

func known(f Facts, e *Entry) bool {
	switch f {
	case FactCreate:
		return !e.Made.IsZero() && e.tellable(e.Made)
	case FactModify:
		return e.tellable(e.ModTime)
	case FactSize:
		return e.Mode.IsRegular() || e.Mode.IsDir() // of a directory it is what the filesystem says
	case FactUnique:
		return e.Inode != 0
	}
	return true
}

func appendFact(dst []byte, f Facts, e *Entry) []byte {
	switch f {
	case FactCreate:
		return e.local(e.Made).AppendFormat(dst, timeVal)
	case FactModify:
		return e.local(e.ModTime).AppendFormat(dst, timeVal)
	case FactPerm:
		return append(dst, e.Perm...)
	case FactSize:
		return strconv.AppendInt(dst, e.Size, 10)
	case FactType:
		return append(dst, e.Kind...)
	case FactUnique:
		dst = strconv.AppendUint(dst, e.Dev, 16)
		return strconv.AppendUint(append(dst, 'g'), e.Inode, 16)
	case FactGID:
		return strconv.AppendUint(dst, uint64(e.GID), 10)
	case FactMode:
		return appendOctal(dst, e.Mode)
	case FactUID:
		return strconv.AppendUint(dst, uint64(e.UID), 10)
	}
	return dst
}

func appendOctal(dst []byte, m fs.FileMode) []byte {
	n := uint64(m.Perm())
	for i, bit := range [...]fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if m&bit != 0 {
			n |= 1 << (9 + i)
		}
	}
	text := strconv.AppendUint(make([]byte, 0, 4), n, 8)
	for range 4 - len(text) {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}
