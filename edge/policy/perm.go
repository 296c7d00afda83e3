package policy

import (
	"fmt"
	"strings"
)

// Perms is a set of the model's permission letters. The zero value permits
// nothing.
type Perms uint16

// The permission letters, in the order in which they are written.
const (
	PermCwd    Perms = 1 << iota // e: enter directories
	PermList                     // l: list, and read facts of files
	PermRead                     // r: read files
	PermAppend                   // a: append to files
	PermDelete                   // d: delete files and directories
	PermRename                   // f: rename from and to
	PermMkdir                    // m: make directories
	PermWrite                    // w: store files
	PermChmod                    // M: change modes
	PermTime                     // T: change modification times
)

const permLetters = "elradfmwMT"

// PermAll permits everything, PermReadOnly what changes nothing.
const (
	PermAll      = PermTime<<1 - 1               // elradfmwMT
	PermReadOnly = PermCwd | PermList | PermRead // elr
)

// ParsePerms reads permission letters, each at most once, in any order.
func ParsePerms(s string) (Perms, error) {
	var p Perms
	for _, r := range s {
		i := strings.IndexRune(permLetters, r)
		if i < 0 {
			return 0, fmt.Errorf("unknown permission letter %q (the letters are %s)", r, permLetters)
		}
		if p&(1<<i) != 0 {
			return 0, fmt.Errorf("permission letter %q is given twice", r)
		}
		p |= 1 << i
	}
	return p, nil
}

// Has reports whether p holds every permission of q.
func (p Perms) Has(q Perms) bool { return p&q == q }

// String returns the letters in their fixed order, empty for the zero value.
func (p Perms) String() string {
	var b strings.Builder
	for i := range len(permLetters) {
		if p&(1<<i) != 0 {
			b.WriteByte(permLetters[i])
		}
	}
	return b.String()
}
