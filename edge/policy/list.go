package policy

import (
	"context"
	"io/fs"
	"time"
)

// Lister decides which entries of a directory a session sees (stage "list").
type Lister interface {
	// List answers for up to MaxEntries entries of one directory. An error ends
	// the listing; its text is for the log and is never shown to the client.
	List(ctx context.Context, listing *Listing) (View, error)
}

// MaxEntries is the greatest number of entries in one [Listing].
const MaxEntries = 256

// Listing is the question of the list stage: which of these entries may this
// session see? A directory of more than MaxEntries comes in several questions of
// one Request.
type Listing struct {
	Meta
	Path    string  // canonical virtual directory
	Entries []Entry // 1 to MaxEntries
}

// Entry is one name in a directory.
type Entry struct {
	Name string      // as the server has it, without a slash
	Mode fs.FileMode // kind and permission bits
	Size int64       // bytes
	Time time.Time   // of the last modification
}

// View is one policy's answer to a [Listing]. The zero value hides nothing.
type View struct {
	// Verdict is Pass or Allow to show what is not hidden, Deny or Hide to refuse
	// the whole listing. Rewrite is a failure.
	Verdict Verdict
	Code    int    // reply code of a refusal, 0 for 550
	Text    string // one line for the client of a refusal
	Hidden  Bits   // entries that the session does not see
}

// Bits is a set of the indices 0 to MaxEntries-1. The zero value is empty.
type Bits [MaxEntries / 64]uint64

// Has reports whether i is in the set.
func (b *Bits) Has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }

// Set puts i into the set.
func (b *Bits) Set(i int) { b[i/64] |= 1 << (i % 64) }

// Union puts every index of c into the set.
func (b *Bits) Union(c *Bits) {
	for i := range b {
		b[i] |= c[i]
	}
}
