package quicnet

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// Heads that are wrong end the connection, or the stream where another version could have
// sent them.
func TestBadHeads(t *testing.T) {
	token := NewToken()
	for _, test := range []struct {
		name string
		head []byte
		fin  bool
		conn bool // the connection ends, not the stream alone
	}{
		{"unknown type", []byte{0x21}, false, false},
		{"a type of eight bytes", []byte{0xc1, 2, 3, 4, 5, 6, 7, 8}, false, false},
		{"control on a data stream", []byte{0x40, 0x43}, false, false},
		{"type not in its shortest form", append([]byte{0x80, 0, 0, 0x46, 0x10}, token[:]...), false, true},
		{"token of 15 bytes", append([]byte{0x40, 0x46, 0x0f}, token[:15]...), false, true},
		{"token of 17 bytes", append([]byte{0x40, 0x46, 0x11}, token[:]...), false, true},
		{"token of 2^62-1 bytes", append([]byte{0x40, 0x46, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, token[:]...), false, true},
		{"length not in its shortest form", append([]byte{0x40, 0x46, 0x40, 0x10}, token[:]...), false, true},
		{"nothing but the end", nil, true, true},
		{"cut in the type", []byte{0x40}, true, true},
		{"cut before the length", []byte{0x40, 0x46}, true, true},
		{"cut in the token", head(token)[:10], true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := listen(t, nil)
			c := s.rawConn(t)
			d := rawData(t, c, test.head)
			if test.fin {
				_ = d.Close()
			}
			if test.conn {
				if code := ended(t, c); code != CodeProtocol {
					t.Errorf("code %v", code)
				}
			} else {
				if code := stopped(t, d); code != CodeProtocol {
					t.Errorf("code %v", code)
				}
				s.rawSession(t, c) // and the connection goes on
			}
			if n := s.Stats().Refused[RefusedProtocol]; n != 1 {
				t.Errorf("counted %d times", n)
			}
		})
	}
}

// A bidirectional stream that is no control stream never becomes a session.
func TestBadSessions(t *testing.T) {
	s := listen(t, func(c *Config) { c.Limits.Stray = 100 * time.Millisecond })
	c := s.rawConn(t)
	for first, want := range map[string]Code{"USER anonymous\r\n": CodeProtocol, "\x40\x46": CodeProtocol, "\x40": CodeIdle} {
		b, err := c.OpenStreamSync(within(t))
		if err != nil {
			t.Fatal(err)
		}
		writes(t, b, first)
		_, err = b.Read(make([]byte, 1))
		if e, ok := errors.AsType[*quic.StreamError](err); !ok || Code(e.ErrorCode) != want {
			t.Errorf("%q: %v", first, err)
		}
	}
	if st := s.Stats(); st.Sessions != 0 {
		t.Errorf("%+v", st)
	}
	s.rawSession(t, c)
}

// A token that nobody has spoken of is refused after a while, on its stream alone, and a
// head that does not come likewise.
func TestStrays(t *testing.T) {
	s := listen(t, func(c *Config) { c.Limits.Stray = 100 * time.Millisecond })
	c := s.rawConn(t)
	token := NewToken()
	stray, slow := rawData(t, c, head(token)), rawData(t, c, []byte{0x40})
	if code := stopped(t, stray); code != CodeToken {
		t.Errorf("stray: %v", code)
	}
	if code := stopped(t, slow); code != CodeIdle {
		t.Errorf("slow: %v", code)
	}
	far, _ := s.rawSession(t, c)
	if _, _, err := far.Port(token.String()); !errors.Is(err, ErrUsed) {
		t.Errorf("a token whose stream was refused: %v", err)
	}
}

// A reset within the head is the client's own affair.
func TestResetHead(t *testing.T) {
	s := listen(t, nil)
	c := s.rawConn(t)
	far, near := s.rawSession(t, c)
	rawData(t, c, []byte{0x40}).CancelWrite(0x10)
	writes(t, near, "x")
	reads(t, far, "x")
	if st := s.Stats(); len(st.Refused) != 0 {
		t.Errorf("%+v", st)
	}
}

// A second stream with the same token ends the connection, whatever became of the first.
func TestTokenTwice(t *testing.T) {
	for _, state := range []string{"unknown", "awaited", "open"} {
		t.Run(state, func(t *testing.T) {
			s := listen(t, nil)
			c := s.rawConn(t)
			far, _ := s.rawSession(t, c)
			token := NewToken()
			rawData(t, c, append(head(token), 'a'))
			if state != "unknown" {
				p := prepare(t, far, token.String())
				waitFor(t, p)
				if state == "open" {
					reads(t, open(t, p, true), "a")
				}
			}
			second := rawData(t, c, append(head(token), 'b'))
			if code := ended(t, c); code != CodeToken {
				t.Errorf("code %v", code)
			}
			<-second.Context().Done()
			if n := s.Stats().Refused[RefusedToken]; n != 1 {
				t.Errorf("counted %d times", n)
			}
		})
	}
}

// Sessions beyond the limit are refused, and the others are not disturbed.
func TestTooManySessions(t *testing.T) {
	s := listen(t, func(c *Config) { c.Limits.ControlSessions = 2; c.HTTP = nowhere{} }) // HTTP's limit is the library's then
	c := s.dial(t)
	first, near := s.session(t, c)
	s.session(t, c)
	third, err := c.Session(within(t))
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, third, CodeTooMany)
	_ = first.Close()
	if _, err := near.Read(make([]byte, 1)); err != io.EOF {
		t.Error(err)
	}
	_ = near.Close()
	s.session(t, c)

	alone := listen(t, func(c *Config) { c.Limits.ControlSessions = 1 }) // where the library refuses
	c = alone.dial(t)
	alone.session(t, c)
	if _, err := c.Session(within(t)); err == nil || !strings.Contains(err.Error(), "permits no more sessions") {
		t.Errorf("one session too many: %v", err)
	}
}

// Data streams beyond the limit cannot even be opened.
func TestTooManyStreams(t *testing.T) {
	s := listen(t, func(c *Config) { c.Limits.Streams = 3 })
	c := s.rawConn(t)
	for range 3 {
		rawData(t, c, head(NewToken()))
	}
	if _, err := c.OpenUniStream(); err == nil || !strings.Contains(err.Error(), "too many open streams") {
		t.Error(err)
	}
}

// Nobody who has not logged in makes the server keep more than the first window of what
// he sends.
func TestStrayBytes(t *testing.T) {
	s := listen(t, nil)
	c := s.rawConn(t)
	sent := 0
	for range 4 {
		d := rawData(t, c, head(NewToken()))
		_ = d.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := d.Write(make([]byte, 1<<20))
		if !errors.Is(err, context.DeadlineExceeded) && err == nil {
			t.Error("a stream that nobody reads takes all")
		}
		sent += n
	}
	if sent > connectionFirstWindow {
		t.Errorf("%d bytes are kept for nobody", sent)
	}
	t.Logf("%d bytes of four streams were taken", sent)
}

// What is no QUIC is not answered, and disturbs nobody.
func TestPlainFTP(t *testing.T) {
	s := listen(t, nil)
	c, err := net.Dial("udp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 10 {
		writes(t, c, "USER anonymous\r\n")
		writes(t, c, "\x16\x03\x01\x00\xc8\x01") // a ClientHello of TLS over TCP
		writes(t, c, "\x00")
	}
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, err := c.Read(make([]byte, 2000)); n > 0 {
		t.Errorf("it is answered: %d bytes, %v", n, err)
	}
	s.session(t, s.dial(t))
}

func TestWrongProtocol(t *testing.T) {
	s := listen(t, nil)
	for _, protocols := range [][]string{{"ftp"}, {"h3"}, {"acme-tls/1"}, {"ftpq/2"}} {
		_, err := s.raw(t, func(c *tls.Config, _ *quic.Config) { c.NextProtos = protocols })
		e, ok := errors.AsType[*quic.TransportError](err)
		if !ok || e.ErrorCode != alert+noApplicationProtocol || !e.Remote {
			t.Errorf("%q: %v", protocols, err)
		}
	}
	if st := s.Stats(); st.Handshakes != 0 {
		t.Errorf("%+v", st)
	}
}

// A client that has a ticket, and sends early data, is served by a whole handshake: what
// it said early never happened (RFC 9001 §9.2).
func TestNoEarlyData(t *testing.T) {
	server, trusted := authority(t)
	server.SetSessionTicketKeys([][32]byte{{1, 2, 3}})
	careless := server.Clone()
	careless.NextProtos = []string{"ftpq/1"}
	socket := udp(t)
	tr := &quic.Transport{Conn: socket}
	defer socket.Close()
	defer tr.Close()
	other, err := tr.ListenEarly(careless, &quic.Config{Allow0RTT: true})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s := &site{Listener: listen(t, func(c *Config) { c.TLS = server }).Listener, client: trusted}

	tickets := make(chan struct{}, 4)
	memory := &noting{ClientSessionCache: tls.NewLRUClientSessionCache(4), put: tickets}
	early := func(to net.Addr) *quic.Conn {
		conf := trusted.Clone()
		conf.ServerName, conf.NextProtos, conf.ClientSessionCache = hostName, []string{"ftpq/1"}, memory
		near := udp(t)
		tr := &quic.Transport{Conn: near}
		t.Cleanup(func() {
			_ = tr.Close()
			_ = near.Close()
		})
		c, err := tr.DialEarly(within(t), to, conf, &quic.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := early(other.Addr())
	<-tickets
	_ = first.CloseWithError(0, "")

	again := early(other.Addr()) // it would have worked
	<-again.HandshakeComplete()
	if !again.ConnectionState().Used0RTT {
		t.Fatal("the test's client sends no early data")
	}
	<-tickets
	_ = again.CloseWithError(0, "")

	c := early(s.Addr())
	stream, err := c.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = stream.Write([]byte("\x40\x43USER dev\r\n"))
	<-c.HandshakeComplete()
	if c.ConnectionState().Used0RTT || c.ConnectionState().TLS.DidResume {
		t.Error("early data was taken")
	}
	if _, err := stream.Read(make([]byte, 1)); !errors.Is(err, quic.Err0RTTRejected) {
		t.Errorf("the early stream: %v", err)
	}
	if st := s.Stats(); st.Sessions != 0 {
		t.Errorf("%+v", st)
	}
	_ = c.CloseWithError(0, "")
}

// noting is a memory of tickets that tells when it is given one.
type noting struct {
	tls.ClientSessionCache
	put chan struct{}
}

func (n *noting) Put(key string, cs *tls.ClientSessionState) {
	n.ClientSessionCache.Put(key, cs)
	if cs != nil {
		n.put <- struct{}{}
	}
}
