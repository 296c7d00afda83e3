package edge

import (
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// quietly is the keeper without its memory of events.
type quietly struct{ *keeper }

func (q quietly) Hooks() policy.Hooks { return policy.Hooks{Authenticator: q.keeper} }

// A parked session takes less than a kilobyte of the heap. The clients are
// bare descriptors, so that all of it is the server's.
func TestParkedHeap(t *testing.T) {
	const n, most = 400, 1000
	r := start(t, func(c *Config) { drowsy(c); c.Policies = []Slot{{Name: "quiet", Policy: quietly{newKeeper()}}} })
	defer r.stop()
	at := netip.MustParseAddrPort(r.addr)
	before := heap()
	for range n {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		r.must(err)
		defer syscall.Close(fd)
		r.must(syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}))
		for _, line := range []string{"", "USER dev\r\n", "PASS secret\r\n", "TYPE I\r\n", "CWD /\r\n"} {
			_, err := syscall.Write(fd, []byte(line))
			r.must(err)
			var reply [256]byte
			if got, err := syscall.Read(fd, reply[:]); err != nil || !strings.HasSuffix(string(reply[:got]), "\r\n") {
				t.Fatalf("after %q: %q, %v", line, reply[:got], err)
			}
		}
	}
	r.park(n)
	each := (heap() - before) / n
	t.Logf("%d bytes each", each)
	if each > most {
		t.Errorf("a parked session takes %d bytes of the heap, more than %d", each, most)
	}
}

// heap returns how many bytes are in use that are not garbage.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
