package parity

import (
	"context"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func dataAttributes() []line {
	const why = "one setting for both directions and 256 KiB by default; the kernel moves plain files without any"
	return []line{
		{"DTPHandler", "class: moves the bytes of one transfer", "dtp.Transfer, dtp.Transfer.Run, edge.Config.Transfer", "code", same, "", testTransferAlone},
		{"DTPHandler.timeout", "attribute = 300: seconds without a byte, then 421 and the session ends; 0 is off", "edge.Timeouts.Stall, dtp.Transfer.Stall", "limits.timeouts.transfer_stall=60s", different,
			"60 s by default; a port that no command has used yet has its own limit", testStall},
		{"DTPHandler.ac_in_buffer_size", "attribute = 65536: bytes of one read from the client", "edge.Transfer.Buffer, dtp.Transfer.Buffers, dtp.NewBuffers", "transfer.buffers=auto", different, why, testInBuffer},
		{"DTPHandler.ac_out_buffer_size", "attribute = 65536: bytes of one write to the client", "edge.Transfer.Buffer, dtp.Transfer.Buffers, dtp.NewBuffers", "transfer.buffers=auto", different, why, testOutBuffer},
	}
}

// sparse makes a large file that takes no room.
func (s *site) sparse(name string, size int64) {
	s.Helper()
	f, err := os.Create(s.path(name))
	s.must(err)
	s.must(f.Truncate(size))
	s.must(f.Close())
}

func testStall(t *testing.T) {
	const limit = 400 * time.Millisecond
	both(t, func(c *edge.Config) { c.Timeouts.Stall = limit }, file{top: "limits: { timeouts: { transfer_stall: 400ms } }\n"}, func(s *site) {
		s.sparse("a", 64<<20)
		for _, line := range []string{"RETR a", "STOR b"} {
			c := s.binary()
			took(s.T, "the stall limit of "+line, limit, func() {
				conn, err := c.Begin(userpi.EPSV, line) // and no byte is read or written
				s.must(err)
				defer conn.Close()
				c.next("421")
			})
			c.closed()
			s.event("timeout")
		}
		s.absent("b")
	})
	t.Run("off", func(t *testing.T) {
		set := func(c *edge.Config) { c.Timeouts.Stall, c.Timeouts.Login = -1, time.Second }
		both(t, set, file{top: "limits: { timeouts: { transfer_stall: 0, login: 1s } }\n"}, func(s *site) {
			c, silent := s.binary(), s.greeted()
			conn, err := c.Begin(userpi.EPSV, "STOR b")
			s.must(err)
			silent.next("421") // another limit has passed meanwhile
			_, err = conn.Write([]byte("late"))
			s.must(err)
			s.must(userpi.End(conn))
			c.next("226")
			s.holds("b", "late")
		})
	})
}

// gauge notes the largest piece that a transfer reads or writes at once.
type gauge struct{ most atomic.Int64 }

func (g *gauge) note(n int) {
	for old := g.most.Load(); int64(n) > old && !g.most.CompareAndSwap(old, int64(n)); old = g.most.Load() {
	}
}

type gaugedReader struct {
	io.Reader
	*gauge
}

func (r gaugedReader) Read(b []byte) (int, error) {
	r.note(len(b))
	return r.Reader.Read(b)
}

type gaugedWriter struct {
	to io.Writer
	*gauge
}

func (w gaugedWriter) Write(b []byte) (int, error) {
	w.note(len(b))
	return w.to.Write(b)
}

// run is a Runner that looks at the pieces.
func (g *gauge) run(ctx context.Context, t *dtp.Transfer) dtp.Result {
	if t.Send != nil {
		t.Send = gaugedReader{t.Send, g}
	} else {
		t.Receive = gaugedWriter{t.Receive, g}
	}
	return t.Run(ctx)
}

const bulk = 1 << 20

func testInBuffer(t *testing.T) {
	up := func(s *site) { s.binary().put("STOR a", strings.Repeat("x", bulk)) }
	testBuffer(t, up, func(s *site) int64 { return s.calls("syscw") })
}

func testOutBuffer(t *testing.T) {
	down := func(s *site) {
		s.write("a", strings.Repeat("x", bulk))
		if got := s.binary().get("RETR a"); len(got) != bulk {
			s.Errorf("%d bytes came", len(got))
		}
	}
	testBuffer(t, down, func(s *site) int64 { return s.calls("syscr") })
}

// testBuffer looks at a transfer of a mebibyte: at its pieces in this process, and
// at the number of system calls of the program.
func testBuffer(t *testing.T, move func(*site), calls func(*site) int64) {
	// Of the default of 256 KiB is used what goes out in whole pieces of 48 KiB.
	for size, want := range map[int]int64{0: 240 << 10, 8 << 10: 8 << 10} {
		var g gauge
		move(serve(t, func(c *edge.Config) { c.Transfer.Buffer, c.Transfer.Run = size, g.run }))
		if got := g.most.Load(); got != want {
			t.Errorf("with buffers of %d bytes the largest piece is %d", size, got)
		}
	}
	if _, err := edge.New(edge.Config{FS: nothing{}, Listeners: []edge.Listener{{}}, Transfer: edge.Transfer{Buffer: 100}}); err == nil {
		t.Error("a buffer of 100 bytes is taken")
	}
	count := func(buffers string) int64 {
		s := program(t, file{top: "transfer: { sendfile: false, buffers: " + buffers + " }\n"})
		before := calls(s)
		move(s)
		return calls(s) - before
	}
	few, many := count("1MiB"), count("4KiB")
	if many < bulk/(4<<10) || few > bulk/(4<<10) {
		t.Errorf("%d calls with large buffers, %d with small ones", few, many)
	}
	refuses(t, file{top: "transfer: { buffers: 100B }\n"})
}
