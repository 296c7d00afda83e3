package pi

import (
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/listing"
)

// Listing says what LIST, NLST, MLSD and STAT with a path show, and how much they
// may cost. The zero value shows everything, with numbers for owners, within
// limits.
type Listing struct {
	// HideDotFiles leaves out names that begin with a dot, in LIST, NLST and
	// STAT unless -a or -A is given, in MLSD always. They can be used all the
	// same. The model shows them, and so does the zero value.
	HideDotFiles bool
	// Owners names the owner and group of a file in LIST and STAT; nil, or an
	// empty name, gives the numbers. The model tells the names of the host's
	// accounts, which are worth something to who wants to break in. It is called
	// by several goroutines at once, and must not block.
	Owners func(uid, gid uint32) (owner, group string)
	// Limits bound patterns (LIST *.txt), trees (LIST -R) and sorting.
	Limits ListLimits
}

// ListLimits bound what one LIST, NLST or STAT costs the server. A listing of one
// directory has no limit, as nothing of it is held. Zero in any field is its
// default; below zero, nothing at all is permitted.
//
// A pattern that meets a limit is refused (550). A tree that does ends with 451,
// after what could be listed of it, so that nobody takes it for the whole.
type ListLimits struct {
	// Entries is how many names the components of a pattern match in all, and
	// how many entries a tree has; 10,000 by default.
	Entries int
	// Directories is how many are read; 1,000 by default.
	Directories int
	// Depth is how many components a pattern has from its first wildcard on, and
	// how many levels of a tree are listed below its top; 8 by default. Below
	// zero, patterns are names and -R is ignored.
	Depth int
	// Time is how long the server works on it, without the time that the client
	// takes to read; 10 seconds by default.
	Time time.Duration
	// Sorted is how many entries of one directory are held to be sorted; 1,000
	// by default. A larger directory is listed in the order in which it is
	// stored, also where -t or -S was given: its listing begins at once and
	// takes no memory. So is one for which the memory budget has no room.
	Sorted int
}

// Held returns how many entries are held to be sorted at most.
func (l ListLimits) Held() int { return max(0, l.limits().Sorted) }

// limits fills in the defaults.
func (l ListLimits) limits() listing.Limits {
	or := func(n, zero int) int {
		if n == 0 {
			return zero
		}
		return n
	}
	return listing.Limits{Entries: or(l.Entries, 10_000), Directories: or(l.Directories, 1000), Depth: or(l.Depth, 8),
		Time: time.Duration(or(int(l.Time), int(10*time.Second))), Sorted: or(l.Sorted, 1000)}
}

// Helpers are the goroutines that help the listings of a server.
type Helpers = listing.Helpers

// NewHelpers returns one helper for every two processors that Go uses.
func NewHelpers() *Helpers { return listing.NewHelpers(-1) }
