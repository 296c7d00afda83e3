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

// Entry is what the facts of one file are told from. One Entry that is used for one
// file after the other remembers what repeats between their times.
type Entry struct {
	*vfs.Info
	Kind string    // the type fact: "file", "dir", "cdir", "pdir" or "OS.unix=slink:target"
	Perm string    // the perm fact (RFC 3659 §7.5.5)
	Made time.Time // the create fact; zero where unknown
	// Zone is that of the times; nil is UTC, which RFC 3659 §2.3 wants. It is that of
	// all files of an Entry.
	Zone *time.Location

	modified, made clock
}

// Line appends the facts, one space and the name (RFC 3659 §7.2).
func (f Facts) Line(dst []byte, e *Entry, name string) []byte {
	if f&FactCreate != 0 && !e.Made.IsZero() {
		dst = e.appendTime(dst, "create=", e.Made, &e.made)
	}
	if f&FactModify != 0 {
		dst = e.appendTime(dst, "modify=", e.ModTime, &e.modified)
	}
	if f&FactPerm != 0 {
		dst = append(append(append(dst, "perm="...), e.Perm...), ';')
	}
	// Of a directory the size is what the filesystem says.
	if f&FactSize != 0 && (e.Mode.IsRegular() || e.Mode.IsDir()) {
		dst = append(strconv.AppendInt(append(dst, "size="...), e.Size, 10), ';')
	}
	if f&FactType != 0 {
		dst = append(append(append(dst, "type="...), e.Kind...), ';')
	}
	if f&FactUnique != 0 && e.Inode != 0 {
		dst = strconv.AppendUint(append(dst, "unique="...), e.Dev, 16)
		dst = append(strconv.AppendUint(append(dst, 'g'), e.Inode, 16), ';')
	}
	if f&(FactGID|FactMode|FactUID) != 0 {
		dst = f.appendUnix(dst, e)
	}
	return append(append(dst, ' '), name...)
}

// appendUnix writes the facts of which only some systems know.
func (f Facts) appendUnix(dst []byte, e *Entry) []byte {
	if f&FactGID != 0 {
		dst = append(strconv.AppendUint(append(dst, "unix.gid="...), uint64(e.GID), 10), ';')
	}
	if f&FactMode != 0 {
		dst = append(appendOctal(append(dst, "unix.mode="...), e.Mode), ';')
	}
	if f&FactUID != 0 {
		dst = append(strconv.AppendUint(append(dst, "unix.uid="...), uint64(e.UID), 10), ';')
	}
	return dst
}

// appendTime writes a time that has the four digits of a year that are all there is
// room for (RFC 3659 §2.3).
func (e *Entry) appendTime(dst []byte, fact string, t time.Time, c *clock) []byte {
	c.zone = e.Zone
	second := c.at(t)
	if !c.tellable() {
		return dst
	}
	return append(c.appendStamp(append(dst, fact...), second), ';')
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
