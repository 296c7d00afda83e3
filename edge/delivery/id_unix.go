//go:build unix

package delivery

import (
	"fmt"
	"syscall"
)

// hostID is the number of a file of the host's, and of its filesystem.
func hostID(sys any) string {
	if st, ok := sys.(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d %d", st.Dev, st.Ino)
	}
	return ""
}
