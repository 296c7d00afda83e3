//go:build unix

package machine

import (
	"math"
	"os"
	"syscall"
)

// Descriptors is how many descriptors the process may have, and has.
type Descriptors struct {
	// Limit is the soft limit as it is now; 0: it is not known. The Go runtime has
	// raised it to the hard one when the process began.
	Limit int
	Hard  int // what it can be raised to
	Open  int // at this moment; 0: it is not known
}

// ReadDescriptors reads them.
func ReadDescriptors() Descriptors {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return Descriptors{}
	}
	return Descriptors{Limit: whole(uint64(l.Cur)), Hard: whole(uint64(l.Max)), Open: open()}
}

func whole(n uint64) int { return int(min(n, math.MaxInt32)) }

// open counts the descriptors that are in use.
func open() int {
	dir, err := os.Open("/dev/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return max(0, len(names)-1) // but for the one that reads
}
