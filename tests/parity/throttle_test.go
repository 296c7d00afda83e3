package parity

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

func throttled() []line {
	const limits = "edge.Config.Bandwidth, edge.Bandwidth.Transfer"
	return []line{
		{"ThrottledDTPHandler", "class: a DTPHandler with limits, each for one data connection, not with TLS", limits + ", edge.Bandwidth.User, edge.Bandwidth.Server, policy.Limits", "bandwidth", different,
			"the limit holds from the first byte and the bytes flow evenly; it goes with TLS; there are limits of sessions, users, listeners and the server too, which their transfers share", testThrottledClass},
		{"ThrottledDTPHandler.read_limit", "attribute = 0: bytes per second from the client (the page's example calls it the download limit)", limits + ", policy.Limits.RateUp", "bandwidth.transfer_default.up", same, "", testReadLimit},
		{"ThrottledDTPHandler.write_limit", "attribute = 0: bytes per second to the client", limits + ", policy.Limits.RateDown", "bandwidth.transfer_default.down", same, "", testWriteLimit},
		{"ThrottledDTPHandler.auto_sized_buffers", "attribute = True: buffers are no larger than the limit", "dtp.Limiter, dtp.Limiter.Slice", "code", needless,
			"no piece is larger than what 20 ms of the limit allow, whatever the buffers", testAutoSized},
		{"TLS_DTPHandler", "class: a DTPHandler with TLS, which anybody of the same address may connect to", "dtp.Protection, dtp.Binding, edge.Listener.Binding", "listeners[].tls.session_reuse=auto", safer,
			"the data connection has to resume the TLS session of its control connection, where the client can", testTLSData},
	}
}

const rate = 200_000 // bytes per second

// limitUp and limitDown limit each transfer.
func limitUp(c *edge.Config)   { c.Bandwidth.Transfer.Up = rate }
func limitDown(c *edge.Config) { c.Bandwidth.Transfer.Down = rate }

// paced fails unless n bytes take as long as the limit says, less a slice at each
// end.
func paced(t *testing.T, what string, n int, move func()) {
	t.Helper()
	took(t, what, time.Duration(n)*time.Second/rate-100*time.Millisecond, move)
}

// quick fails if something is slowed down, which would take 40 seconds or more.
func quick(t *testing.T, what string, move func()) {
	t.Helper()
	began := time.Now()
	if move(); time.Since(began) > 25*time.Second {
		t.Errorf("%s took %v", what, time.Since(began))
	}
}

func testReadLimit(t *testing.T) {
	both(t, limitUp, file{top: "bandwidth: { transfer_default: { up: 200KB } }\n"}, func(s *site) {
		c := s.binary()
		paced(s.T, "an upload", rate/2, func() { c.put("STOR a", strings.Repeat("x", rate/2)) })
		s.write("b", strings.Repeat("x", 200*rate))
		quick(s.T, "a download", func() { c.get("RETR b") })
	})
}

func testWriteLimit(t *testing.T) {
	both(t, limitDown, file{top: "bandwidth: { transfer_default: { down: 200KB } }\n"}, func(s *site) {
		s.write("a", strings.Repeat("x", rate/2))
		c := s.binary()
		paced(s.T, "a download", rate/2, func() { c.get("RETR a") })
		quick(s.T, "an upload", func() { c.put("STOR b", strings.Repeat("x", 200*rate)) })
	})
}

// With TLS, evenly from the first byte on, and shared by the transfers of a user.
func testThrottledClass(t *testing.T) {
	s := tlsSite(t, limitDown)
	s.write("a", strings.Repeat("x", rate/2))
	c := s.secured()
	conn, err := c.Begin(userpi.EPSV, "RETR a")
	s.must(err)
	began, got := time.Now(), 0
	for buf := make([]byte, 64<<10); got < rate/2; {
		n, err := conn.Read(buf)
		s.must(err)
		got += n
		if most := int(time.Since(began).Seconds()*rate) + rate/5; got > most {
			t.Fatalf("%d bytes after %v", got, time.Since(began))
		}
	}
	s.must(userpi.End(conn))
	c.next("226")
	shared := serve(t, func(c *edge.Config) { c.Bandwidth.User.Up = rate })
	paced(t, "two uploads of one user", rate/2, func() {
		done := make(chan struct{})
		for _, name := range []string{"STOR a", "STOR b"} {
			c := shared.binary()
			go func() {
				defer func() { done <- struct{}{} }()
				if _, err := c.Put(userpi.EPSV, name, strings.NewReader(strings.Repeat("x", rate/4))); err != nil {
					t.Error(err)
				}
			}()
		}
		<-done
		<-done
	})
}

func testAutoSized(t *testing.T) {
	var free, bound gauge
	for _, g := range []*gauge{&free, &bound} {
		s := serve(t, func(c *edge.Config) {
			c.Transfer.Run = g.run
			if g == &bound {
				limitDown(c)
			}
		})
		s.write("a", strings.Repeat("x", rate/4))
		s.binary().get("RETR a")
	}
	if a, b := free.most.Load(), bound.most.Load(); b > rate/50 || a < 64<<10 {
		t.Errorf("pieces of %d bytes, under a limit of %d", a, b)
	}
}

func testTLSData(t *testing.T) {
	withTLS(t, edge.TLSOptional, "control: optional", func(s *site) {
		s.write("a", "content")
		c, thief := s.secured(), s.secured()
		addr := c.passive("EPSV")
		c.must(c.Send("RETR a"))
		stranger := dialFrom(s.T, "127.0.0.1", addr)
		_, _ = thief.Seal(stranger) // the session of somebody else
		c.next("150|125")
		c.next("522")
		if got := drain(stranger); strings.Contains(got, "content") {
			s.Error("a stranger got the file")
		}
		if got := c.get("RETR a"); got != "content" {
			s.Errorf("got %q", got)
		}
	})
}
