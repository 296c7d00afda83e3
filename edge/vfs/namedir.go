package vfs

import "sync"

// NameDir is a [Dir] that can give names alone, which costs no look at each
// entry (NLST).
type NameDir interface {
	Dir
	// AppendNames appends up to n further names to names, like Next. AppendNames
	// and Next draw from the same entries.
	AppendNames(names []string, n int) ([]string, error)
}

// LookDir is a [Dir] whose names are read by one goroutine and described by others:
// names can be put in order before anything is looked at (LIST), and two processors
// can look at the entries of one directory.
type LookDir interface {
	Dir
	// Candidates appends up to n further names to names, like Next. What they name
	// may be nothing that Look finds. Candidates and Next draw from the same
	// entries.
	Candidates(names []string, n int) ([]string, error)
	// Look describes entries whose names the directory has given, in that order,
	// as [FS].Lstat does but relative to the open directory. Those that have
	// vanished are left out. What see is given holds during that call alone.
	// Several goroutines may look at once, and while another one reads names; none
	// may when the directory is closed.
	Look(names []string, see func(*Info)) error
}

// dirBuffer is how many bytes of a directory are read at once; with the names in
// them it bounds what a listing holds, however many entries there are. 16 KiB are
// one getdents64(2) for some 400 entries, which 64 KiB make no cheaper: the call
// itself is a thousandth of what it reads. Who sorts reads few names too many. The
// first one is smaller, so that a client soon has something.
const (
	dirBuffer      = 16 << 10
	firstDirBuffer = 4 << 10
)

// dirBuffers are those that no listing uses now. The zero value makes new ones.
type dirBuffers struct{ pool sync.Pool }

func (b *dirBuffers) get() *[dirBuffer]byte {
	if buf, ok := b.pool.Get().(*[dirBuffer]byte); ok {
		return buf
	}
	return new([dirBuffer]byte)
}

// put takes a buffer back; nil is none.
func (b *dirBuffers) put(buf *[dirBuffer]byte) {
	if buf != nil {
		b.pool.Put(buf)
	}
}
