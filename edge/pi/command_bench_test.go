package pi

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// recital is a control connection whose client has said beforehand what it will say,
// and throws away what it hears.
type recital struct {
	net.Conn // nil
	begin    []byte
	piece    []byte // what each read brings
	left     int    // reads
}

func (c *recital) Read(b []byte) (int, error) {
	if len(c.begin) > 0 {
		n := copy(b, c.begin)
		c.begin = c.begin[n:]
		return n, nil
	}
	if c.left == 0 {
		return 0, io.EOF
	}
	c.left--
	return copy(b, c.piece), nil
}

func (c *recital) Write(b []byte) (int, error)      { return len(b), nil }
func (c *recital) Close() error                     { return nil }
func (c *recital) SetReadDeadline(time.Time) error  { return nil }
func (c *recital) SetWriteDeadline(time.Time) error { return nil }

// benchConfig is that of a server in which nobody is interested in commands.
func benchConfig(b *testing.B) *Config {
	c, err := chain.New(chain.Config{Clean: func(s string) (string, error) { return s, nil }}, chain.Slot{Name: "all", Policy: quietly{}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return &Config{Name: "bench", Table: Standard().With(portAtOnce()), Chain: c, FS: vfs.NewMem(), Banner: "ready", Perms: policy.PermAll,
		Verifier: nobody{}, Census: &headcount{}, Buffers: new(dtp.Buffers), Drain: make(chan struct{}), Binary: true,
		Log: slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelWarn})), Idle: 5 * time.Minute, LoginWithin: time.Minute}
}

// quietly lets everybody in and observes nothing.
type quietly struct{}

func (quietly) Name() string          { return "all" }
func (p quietly) Hooks() policy.Hooks { return policy.Hooks{Authenticator: p} }
func (quietly) Authenticate(context.Context, *policy.Login) (policy.Identity, error) {
	return policy.Identity{Verdict: policy.Allow}, nil
}

// dataAtOnce is a data connection at once: it takes what comes, and brings a few bytes.
type dataAtOnce struct {
	net.Conn
	from bytes.Reader
}

func (c *dataAtOnce) Read(b []byte) (int, error)       { return c.from.Read(b) }
func (c *dataAtOnce) Write(b []byte) (int, error)      { return len(b), nil }
func (c *dataAtOnce) Close() error                     { return nil }
func (c *dataAtOnce) CloseWrite() error                { return nil }
func (c *dataAtOnce) SetDeadline(time.Time) error      { return nil }
func (c *dataAtOnce) SetReadDeadline(time.Time) error  { return nil }
func (c *dataAtOnce) SetWriteDeadline(time.Time) error { return nil }
func (c *dataAtOnce) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (c *dataAtOnce) Open(context.Context) (net.Conn, error) { return c, nil }

// portAtOnce is a command that prepares such a connection.
func portAtOnce() Spec {
	return Spec{Verb: "FAKE", Handler: func(s *Session, _ Args) Outcome {
		c := &dataAtOnce{}
		c.from.Reset([]byte("hello"))
		s.setPort(c, time.Time{})
		return Say(200, "Ready.")
	}}
}

// BenchmarkCommand is what a command costs above the connection, one after another
// and many at once, where no policy is interested.
func BenchmarkCommand(b *testing.B) {
	for _, c := range []struct {
		name, lines string
		times       int
	}{
		{"NOOP", "NOOP\r\n", 1}, {"NOOP-pipe", "NOOP\r\n", 64},
		{"PWD", "PWD\r\n", 1}, {"PWD-pipe", "PWD\r\n", 64},
		{"SIZE", "SIZE some/file\r\n", 1}, {"SIZE-pipe", "SIZE some/file\r\n", 64},
		{"TYPE", "TYPE I\r\n", 1}, {"CWD", "CWD /some\r\n", 1},
		{"MDTM", "MDTM some/file\r\n", 1},
		{"missing", "SIZE none\r\n", 1},
		{"FAKE+RETR", "FAKE\r\nRETR some/file\r\n", 1}, {"FAKE+STOR", "FAKE\r\nSTOR some/other\r\n", 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			conf := benchConfig(b)
			files := conf.FS.(*vfs.Mem)
			if err := errorsOf(files.Mkdir("/some"), files.WriteFile("/some/file", make([]byte, 4096))); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			conn := &recital{begin: []byte("USER dev\r\nPASS secret\r\n"), piece: bytes.Repeat([]byte(c.lines), c.times), left: b.N/c.times + 1}
			here := netip.MustParseAddrPort("127.0.0.1:21")
			s := NewSession(conf, 1, conn, here, here)
			s.link.conn = conn // what a socket takes at once is not measured here
			for s.Step(context.Background(), time.Hour) != Closed {
			}
		})
	}
}

// BenchmarkSession is a connection from its acceptance to QUIT.
func BenchmarkSession(b *testing.B) {
	conf := benchConfig(b)
	b.ReportAllocs()
	for b.Loop() {
		conn := &recital{piece: []byte("USER dev\r\nPASS secret\r\nQUIT\r\n"), left: 1}
		here := netip.MustParseAddrPort("127.0.0.1:21")
		s := NewSession(conf, 1, conn, here, here)
		ended := make(chan struct{})
		go func() { // as each has one of its own, whose stack is small at first
			defer close(ended)
			for s.Step(context.Background(), time.Hour) != Closed {
			}
		}()
		<-ended
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil && !os.IsExist(err) {
			return err
		}
	}
	return nil
}
