//go:build unix

package identity

import (
	"io/fs"
	"syscall"
)

// owner is the number of a file's owner.
func owner(info fs.FileInfo) (uid uint32, known bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}
