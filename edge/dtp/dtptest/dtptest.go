// Package dtptest holds the conformance function of dtp: what every data port must
// do (RFC 959 §3.2, RFC 2577), whoever made it. An embedder whose server hands out
// ports of its own runs it on them:
//
//	func TestMyPort(t *testing.T) {
//		dtptest.TestPort(t, func(t *testing.T, wait time.Duration, absent bool) dtptest.Side {
//			p, err := mine.Listen(wait)
//			if err != nil {
//				t.Fatal(err)
//			}
//			return dtptest.Side{Port: p, Connect: func(ctx context.Context) (net.Conn, error) {
//				return new(net.Dialer).DialContext(ctx, "tcp", p.Addr().String())
//			}}
//		})
//	}
package dtptest

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// Side is a port under test, and the client that it is for.
type Side struct {
	Port dtp.Port
	// Connect does what the client does: it connects to a passive port, or takes
	// the connection that an active one makes. It returns the client's end, or an
	// error when that could not be had before ctx ended.
	Connect func(ctx context.Context) (net.Conn, error)
}

// TestPort checks a data port. Each call of make must return a new port that waits
// for its client for the time wait. When absent is set, no client will come, and
// the port must be one whose Open has to wait: an active port is given an address
// that does not answer. make may skip a test for which the system has no means.
//
// Connections must carry bytes both ways and may be of any kind. A port that is a
// dtp.PassivePort or a dtp.Readier is looked at as such. No test takes longer than
// half a minute, even if the port does nothing right.
func TestPort(t *testing.T, make func(t *testing.T, wait time.Duration, absent bool) Side) {
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			wait := patience
			if c.wait > 0 {
				wait = c.wait
			}
			b := &bench{T: t, ctx: ctx, wait: wait, made: time.Now()}
			b.Side = make(t, wait, c.absent)
			defer b.Port.Close()
			c.run(b)
		})
	}
}

const (
	patience = 15 * time.Second       // passes only when something is wrong
	pause    = 50 * time.Millisecond  // in which Open begins to wait
	short    = 200 * time.Millisecond // a wait that is waited for
)

// check is one subtest.
type check struct {
	name   string
	run    func(*bench)
	wait   time.Duration // zero is patience
	absent bool
}

func checks() []check {
	return []check{
		{name: "opens", run: (*bench).opens},
		{name: "opens once", run: (*bench).opensOnce},
		{name: "opened by two at once", run: (*bench).opensForOne},
		{name: "second client", run: (*bench).secondClient},
		{name: "Close leaves the connection", run: (*bench).closeLeaves},
		{name: "Close before Open", run: (*bench).closeFirst},
		{name: "Close while Open waits", run: (*bench).closeWaiting, absent: true},
		{name: "context ended before Open", run: (*bench).endedFirst, absent: true},
		{name: "context ends while Open waits", run: (*bench).endsWaiting, absent: true},
		{name: "nobody comes", run: (*bench).nobody, wait: short, absent: true},
		{name: "address and time", run: (*bench).address},
		{name: "ready", run: (*bench).ready},
	}
}

// bench is one port under test with short words for what tests do.
type bench struct {
	*testing.T
	Side
	ctx  context.Context
	wait time.Duration
	made time.Time
}

// opening is what a call of Open or Connect has come to.
type opening struct {
	conn net.Conn
	err  error
}

func begin(ctx context.Context, do func(context.Context) (net.Conn, error)) <-chan opening {
	done := make(chan opening, 1)
	go func() {
		c, err := do(ctx)
		done <- opening{c, err}
	}()
	return done
}

// end waits for what was begun. A connection is closed with the test.
func (b *bench) end(what string, done <-chan opening) opening {
	b.Helper()
	select {
	case o := <-done:
		if o.conn != nil {
			b.Cleanup(func() { o.conn.Close() })
		}
		if (o.conn == nil) == (o.err == nil) {
			b.Errorf("%s returned connection %v, error %v", what, o.conn, o.err)
		}
		return o
	case <-time.After(2 * patience):
		b.Fatalf("%s does not come to an end", what)
		return opening{}
	}
}

// open opens the port with its client and returns both ends.
func (b *bench) open() (server, client net.Conn) {
	b.Helper()
	far := begin(b.ctx, b.Connect)
	s := b.end("Open", begin(b.ctx, b.Port.Open))
	c := b.end("Connect", far)
	if s.err != nil || c.err != nil {
		b.Fatalf("Open: %v; Connect: %v", s.err, c.err)
	}
	return s.conn, c.conn
}

// carries sees to it that bytes go through, both ways.
func (b *bench) carries(server, client net.Conn) {
	b.Helper()
	for _, way := range []struct {
		name     string
		from, to net.Conn
	}{{"to the client", server, client}, {"from the client", client, server}} {
		const word = "data"
		wrote := make(chan error, 1)
		go func() {
			_, err := io.WriteString(way.from, word)
			wrote <- err
		}()
		_ = way.to.SetReadDeadline(time.Now().Add(patience))
		got := make([]byte, len(word))
		if _, err := io.ReadFull(way.to, got); err != nil || string(got) != word {
			b.Errorf("%s: %q, %v", way.name, got, err)
			way.from.Close() // the writer may hang
		}
		if err := <-wrote; err != nil {
			b.Errorf("%s: %v", way.name, err)
		}
	}
}

// usedUp sees to it that the port cannot be opened any more.
func (b *bench) usedUp() {
	b.Helper()
	if o := b.end("another Open", begin(b.ctx, b.Port.Open)); !errors.Is(o.err, net.ErrClosed) {
		b.Errorf("another Open: %v, want net.ErrClosed", o.err)
	}
}
