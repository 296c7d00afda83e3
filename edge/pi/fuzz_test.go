package pi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// readyPort is a data port whose client is there at once, sends a few bytes and
// takes any.
type readyPort struct{}

func (readyPort) Open(context.Context) (net.Conn, error) {
	return &scripted{Reader: strings.NewReader("one\r\ntwo")}, nil
}
func (readyPort) Close() error { return nil }

// scripted is a connection that is read from a string.
type scripted struct {
	net.Conn // nil: what is not overridden is not used
	io.Reader
}

func (s *scripted) Read(b []byte) (int, error)       { return s.Reader.Read(b) }
func (s *scripted) Write(b []byte) (int, error)      { return len(b), nil }
func (s *scripted) Close() error                     { return nil }
func (s *scripted) RemoteAddr() net.Addr             { return nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }

// states are what a fuzzed client may have said before.
func states() []string {
	const in = "USER dev\r\nPASS secret\r\nTYPE I\r\n"
	return []string{
		"",
		"USER dev\r\n",
		in,
		in + "REDY\r\n",
		in + "RNFR a\r\nREST 2\r\nREDY\r\n",
		in + "TYPE A\r\nOPTS MLST size;\r\nCWD d\r\nREDY\r\n",
		in + "EPSV ALL\r\nHANG\r\n", // a transfer that does not end by itself
	}
}

// FuzzSession sends bytes to a session in several states, in pieces. Nothing
// panics, the session always ends, and whatever it says is a well-formed reply.
func FuzzSession(f *testing.F) {
	for state := range states() {
		for _, input := range []string{
			"NOOP\r\n", "RETR a\r\nSTOR b\r\n", "LIST -la\r\nREDY\r\nMLSD\r\nSTAT /\r\n", "REDY\r\nLIST -ltR\r\nREDY\r\nNLST */[!x]\r\nSTAT -1R /\r\n", "ABOR\r\nQUIT\r\n", "SITE  \r\nOPTS  \r\n",
			"PORT 192,0,2,1,4,1\r\nEPRT |1|192.0.2.1|1025|\r\nPASV\r\nEPSV\r\n", "AUTH TLS\r\nPBSZ 0\r\nPROT P\r\n",
			"\xff\xfa\x00\r\n\xff\xf4\xff\xf2ABOR\r\n", "MKD a\"b\r\nCWD a\"b\r\nPWD\r\nRNFR .\r\nRNTO ../c\r\n", "REIN\r\nUSER\r\nPASS\r\n",
			"GET / HTTP/1.1\r\n", "MFMT 20200101000000 a\r\nSITE CHMOD 600 a\r\nMDTM a\r\nSIZE a\r\nMLST a\r\n",
		} {
			f.Add([]byte(input), uint8(state), uint8(255))
			f.Add([]byte(input), uint8(state), uint8(0))
		}
	}
	server, _, err := userpi.ThrowAway()
	if err != nil {
		f.Fatal(err)
	}
	rows := []Spec{
		{Verb: "REDY", Handler: func(s *Session, _ Args) Outcome {
			s.setPort(readyPort{}, time.Time{})
			return Say(200, "Prepared.")
		}},
		{Verb: "HANG", Lane: Work, Handler: func(*Session, Args) Outcome {
			return Outcome{Job: &Job{Title: "Hanging", Run: func(ctx context.Context) Settle {
				select {
				case <-ctx.Done():
				case <-time.After(time.Hour):
				}
				return func(*Session) Outcome { return Say(226, "Done.") }
			}}}
		}},
	}
	f.Fuzz(func(t *testing.T, input []byte, state, cut uint8) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) {
				c.TLS, c.Attempts, c.Perms = server, 100, policy.PermAll
				c.Table = c.Table.With(rows...)
			})
			elsewhere := netip.MustParseAddrPort("192.0.2.1:21") // so that no socket of this host is touched
			b.sess.who.Local, b.sess.who.Peer = elsewhere, elsewhere
			b.must(b.fs.WriteFile("/a", []byte("one\ntwo\r\n")))
			b.must(b.fs.WriteFile("/d/b", []byte("x")))
			b.own()
			go feed(b.client, states()[int(state)%len(states())], input, int(cut)+1)
			listen(t, b.client)
			b.close()
		})
	})
}

// feed sends the state's lines, the input in pieces, and QUIT.
func feed(c *userpi.Client, before string, input []byte, piece int) {
	if _, err := c.Write([]byte(before)); err != nil {
		return
	}
	for len(input) > 0 {
		n := min(piece, len(input))
		if _, err := c.Write(input[:n]); err != nil {
			return
		}
		input = input[n:]
	}
	_, _ = c.Write([]byte("\r\nQUIT\r\n"))
}

// listen reads replies to the end of the connection.
func listen(t *testing.T, c *userpi.Client) {
	for {
		r, err := c.Reply()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
			return
		case err != nil:
			t.Fatalf("not a reply: %v", err)
		case r.Code == 234: // what follows is TLS
			_, _ = io.Copy(io.Discard, c.Raw())
			return
		}
	}
}
