package listing

import (
	"errors"
	"strings"
)

// Facts is a set of the facts that MLSx can tell (RFC 3659 §7.5). The zero value
// tells none.
type Facts uint16

// The facts, in the order in which they are sent.
const (
	FactModify   Facts = 1 << iota // modification time (RFC 3659 §7.5.3), always UTC
	FactPerm                       // what the user may do (§7.5.5)
	FactSize                       // bytes of a file (§7.5.7)
	FactType                       // file, dir, cdir or a link (§7.5.1)
	FactUnique                     // the same for names of the same file (§7.5.2)
	FactUnixGID                    // unix.gid: numeric group
	FactUnixMode                   // unix.mode: four octal digits
	FactUnixUID                    // unix.uid: numeric owner
)

// DefaultFacts is what a session tells before OPTS MLST, AllFacts all there is.
const (
	DefaultFacts = FactType | FactPerm | FactSize | FactModify | FactUnique
	AllFacts     = FactUnixUID<<1 - 1
)

// ErrFacts says that the argument of OPTS MLST is not a list of facts.
var ErrFacts = errors.New("facts must each end with a semicolon")

// factNames names the facts in the order of their bits.
func factNames() [8]string {
	return [...]string{"modify", "perm", "size", "type", "unique", "unix.gid", "unix.mode", "unix.uid"}
}

// offered is the order in which facts are offered and confirmed.
func offered() [8]Facts {
	return [...]Facts{FactType, FactPerm, FactSize, FactModify, FactUnique, FactUnixMode, FactUnixUID, FactUnixGID}
}

// ParseFacts reads the argument of OPTS MLST (RFC 3659 §7.9): names that each end
// with a semicolon, in any case. Unknown ones are ignored. An empty argument is
// the empty set. Its error is ErrFacts.
func ParseFacts(arg string) (Facts, error) {
	if arg == "" {
		return 0, nil
	}
	list, found := strings.CutSuffix(arg, ";")
	if !found {
		return 0, ErrFacts
	}
	var set Facts
	for word := range strings.SplitSeq(list, ";") {
		for i, name := range factNames() {
			if strings.EqualFold(word, name) {
				set |= 1 << i
			}
		}
	}
	return set, nil
}

// String lists the facts of the set, each followed by a semicolon, as the answer
// to OPTS MLST does. The empty set is an empty string.
func (f Facts) String() string {
	var b strings.Builder
	for _, fact := range offered() {
		if f&fact != 0 {
			b.WriteString(fact.name())
			b.WriteByte(';')
		}
	}
	return b.String()
}

// Feature lists every fact for FEAT (RFC 3659 §7.8), those of the set marked with
// an asterisk; the word MLST and a space come before it.
func (f Facts) Feature() string {
	var b strings.Builder
	for _, fact := range offered() {
		b.WriteString(fact.name())
		if f&fact != 0 {
			b.WriteByte('*')
		}
		b.WriteByte(';')
	}
	return b.String()
}

// name returns the name of a single fact.
func (f Facts) name() string {
	for i, name := range factNames() {
		if f == 1<<i {
			return name
		}
	}
	return ""
}
