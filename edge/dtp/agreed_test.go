package dtp

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// once is a memory of sessions that gives each away a single time, as JSSE's does.
type once struct {
	mu   sync.Mutex
	held *tls.ClientSessionState
	put  int
}

func (o *once) Get(string) (*tls.ClientSessionState, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	cs := o.held
	o.held = nil
	return cs, cs != nil
}

func (o *once) Put(_ string, cs *tls.ClientSessionState) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held = cs; cs != nil {
		o.put++
	}
}

// Each data connection brings at least one fresh ticket, so that a client that
// uses none twice can go on and on: in downloads, and in uploads that it ends as
// it should.
func TestFreshTickets(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		client, memory := s.client(), new(once)
		client.ClientSessionCache = memory
		p := s.control(t, client, BindRequire)
		for i := range 6 {
			before := memory.put
			if i%2 == 0 {
				if !served(t, p, client) {
					t.Errorf("transfer %d: not resumed", i)
				}
			} else {
				to := file(t, nil)
				tr := &Transfer{Receive: to}
				c, done := beginTLS(t, within(t), p, client, tr)
				if _, err := io.WriteString(c, secret); err != nil {
					t.Fatal(err)
				}
				if err := c.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the server's end: %v", err)
				}
				well(t, await(t, done), tr, len(secret), len(secret))
			}
			if memory.put == before {
				t.Errorf("transfer %d: no fresh ticket", i)
			}
		}
	})
}

// What was agreed on is told, also of a connection that was refused.
func TestResultTLS(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		run := func(p *Protection, client *tls.Config) Result {
			c, done := beginTLS(t, within(t), p, client, &Transfer{Send: strings.NewReader(secret)})
			_, _ = io.ReadAll(c)
			c.Close()
			return await(t, done)
		}
		client := s.client()
		p := s.control(t, client, BindRequire)
		named := client.Clone()
		named.NextProtos = []string{"ftp-data"}
		r := run(p, named)
		if r.Err != nil || r.TLS == nil || !r.TLS.DidResume || r.TLS.Version != s.base.MaxVersion || r.TLS.NegotiatedProtocol != "ftp-data" || r.TLS.CipherSuite == 0 {
			t.Errorf("%+v, %+v", r, r.TLS)
		}
		if r := run(p, s.client()); !errors.Is(r.Err, ErrNotBound) || r.TLS == nil || r.TLS.DidResume || !r.TLS.HandshakeComplete {
			t.Errorf("a stranger: %+v, %+v", r, r.TLS)
		}
		wrong := s.client()
		wrong.ServerName = "other.example.test"
		if r := run(p, wrong); r.Err == nil {
			t.Errorf("a client that does not trust: %+v", r)
		}
		wrong.NextProtos = []string{"h2"}
		if r := run(p, wrong); !errors.Is(r.Err, ErrHandshake) || r.TLS != nil || !r.Opened {
			t.Errorf("a handshake that failed: %+v", r)
		}
	})
	c, done := begin(t, within(t), &Transfer{Send: strings.NewReader(secret)})
	_, _ = io.ReadAll(c)
	if r := await(t, done); r.TLS != nil || r.Err != nil {
		t.Errorf("in the clear: %+v", r)
	}
}

// LenientClose takes a FIN for an end, and says so. An end within a record stays
// an error.
func TestLenientClose(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		for _, announced := range []bool{true, false} {
			client := s.client()
			p := s.control(t, client, BindAuto)
			p.LenientClose = true
			to, sent := file(t, nil), pattern(100_000)
			tr := &Transfer{Receive: to}
			c, done := beginTLS(t, within(t), p, client, tr)
			if _, err := c.Write(sent); err != nil {
				t.Fatal(err)
			}
			end := c.CloseWrite
			if !announced {
				end = c.NetConn().(*witness).CloseWrite
			}
			if err := end(); err != nil {
				t.Fatal(err)
			}
			r := await(t, done)
			well(t, r, tr, len(sent), len(sent))
			if r.Unannounced == announced || !bytes.Equal(held(t, to), sent) {
				t.Errorf("announced %v: %+v", announced, r)
			}
		}
		client := s.client()
		p := s.control(t, client, BindAuto)
		p.LenientClose = true
		c, done := beginTLS(t, within(t), p, client, &Transfer{Receive: file(t, nil)})
		if _, err := c.Write(pattern(1000)); err != nil {
			t.Fatal(err)
		}
		raw := c.NetConn().(*witness)
		if _, err := raw.Write([]byte{23, 3, 3, 1, 0, 'c', 'u', 't'}); err != nil { // 256 bytes were announced
			t.Fatal(err)
		}
		if err := raw.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if r := await(t, done); !errors.Is(r.Err, ErrBroken) || r.Unannounced {
			t.Errorf("an end within a record: %+v", r)
		}
	})
}

// grudging is a socket that takes a few bytes in each stall time, and at last none.
type grudging struct {
	net.Conn
	takes []int
	got   bytes.Buffer
	set   int
}

func (g *grudging) Write(b []byte) (int, error) {
	n := min(g.takes[0], len(b))
	g.takes = g.takes[1:]
	g.got.Write(b[:n])
	if n < len(b) {
		return n, &net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}
	}
	return n, nil
}

func (g *grudging) SetWriteDeadline(time.Time) error { g.set++; return nil }

// A slow client under TLS is no stalled one as long as something moves.
func TestSlowUnderTLS(t *testing.T) {
	word := []byte("0123456789")
	for _, test := range []struct {
		takes []int
		n     int
		err   error
	}{
		{[]int{10}, 10, nil}, {[]int{1, 1, 1, 1, 6}, 10, nil}, {[]int{3, 0}, 3, os.ErrDeadlineExceeded}, {[]int{0}, 0, os.ErrDeadlineExceeded},
	} {
		g := &grudging{takes: test.takes}
		c := &finConn{Conn: g, stall: time.Second}
		if err := c.SetWriteDeadline(time.Now()); err != nil || g.set > 0 {
			t.Errorf("crypto/tls sets deadlines: %d, %v", g.set, err)
		}
		calls := len(test.takes)
		n, err := c.Write(word)
		if n != test.n || !errors.Is(err, test.err) || g.got.String() != string(word[:n]) || g.set != calls {
			t.Errorf("%v: %d bytes (%q), %v, %d deadlines", test.takes, n, g.got.String(), err, g.set)
		}
	}
}
