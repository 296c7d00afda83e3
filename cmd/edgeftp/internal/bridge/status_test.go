package bridge

import (
	"io"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// until waits for a state of the bridge.
func (r *rig) until(what string, is func(Status) bool) {
	r.t.Helper()
	for end := time.Now().Add(userpi.Timeout); !is(r.made.Status()); pause(r.t, 5*time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%s: %+v", what, r.made.Status())
		}
	}
}

// Who looks on sees the connection, and each transfer from its beginning to its end, also
// while it waits for a connection.
func TestStatus(t *testing.T) {
	r := start(t, nil)
	r.put("/big.bin", 24<<20)
	c := r.client()
	must(t, c, "TYPE I", 200)
	must(t, c, "REST 1000", 350)
	conn, got := half(t, c, "big.bin")
	r.until("a download", func(st Status) bool {
		if len(st.Transfers) != 1 || st.Connected.IsZero() || st.Clients != 1 {
			return false
		}
		d := st.Transfers[0]
		return d.Verb == "RETR" && d.Name == "big.bin" && !d.Up && !d.Waits && d.Bytes >= 2<<20 && d.Of == 24<<20-1000
	})
	r.cut(true)
	go func() { _, _ = io.CopyN(got, conn, 4<<20) }()
	r.until("no connection", func(st Status) bool {
		return st.Connected.IsZero() && st.Wanted && st.Failures > 0 && len(st.Transfers) == 1 && st.Transfers[0].Waits
	})
	r.open()
	r.until("another connection", func(st Status) bool { return !st.Connected.IsZero() && !st.Transfers[0].Waits })
	_ = conn.Close()
	r.until("nothing", func(st Status) bool { return len(st.Transfers) == 0 })
}
