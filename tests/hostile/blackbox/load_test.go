package blackbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
)

// asTimeout reports whether an error says that time was up.
func asTimeout(err error, timeout *net.Error) bool {
	return errors.As(err, timeout) && (*timeout).Timeout()
}

// processor is the time that the server's processes and those of them that have ended
// spent on the processor.
func (t *trial) processor() time.Duration {
	var ticks int64
	for _, pid := range peers.Family(t.PID()) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended
		}
		_, behind, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(behind)
		for i := 11; i < 15 && i < len(f); i++ { // utime, stime, cutime, cstime
			var n int64
			_, _ = fmt.Sscan(f[i], &n)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
