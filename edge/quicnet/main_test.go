package quicnet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// idlers is the argument that makes the test program the clients of BenchmarkIdleSession.
const idlers = "idle-clients-of"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == idlers {
		if err := idle(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

const hostName = "ftp.example.net"

// patience bounds what a test waits for; it passes only when something is wrong.
const patience = time.Minute

// within returns a context that outlives every test that goes well.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// authority makes a server's TLS configuration, and that of a client that trusts it.
func authority(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{hostName}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}}}
	return server, &tls.Config{RootCAs: roots}
}

// site is a listener under test, and what its clients need.
type site struct {
	*Listener
	client *tls.Config
}

func udp(t testing.TB) *net.UDPConn {
	t.Helper()
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

// listen begins a listener that is shut down with the test.
func listen(t testing.TB, change func(*Config)) *site {
	t.Helper()
	server, client := authority(t)
	conf := Config{TLS: server, FTP: true}
	if change != nil {
		change(&conf)
	}
	l, err := Listen(udp(t), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithCancel(context.Background())
		stop()
		_ = l.Shutdown(ctx)
	})
	return &site{l, client}
}

// dial connects a client that is closed with the test.
func (s *site) dial(t testing.TB) *Client {
	t.Helper()
	c, err := Dial(within(t), s.dialConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (s *site) dialConfig() DialConfig {
	return DialConfig{Addr: s.Addr().String(), ServerName: hostName, TLS: s.client}
}

// session opens a control session and returns both of its ends.
func (s *site) session(t testing.TB, c *Client) (*Conn, net.Conn) {
	t.Helper()
	near, err := c.Session(within(t))
	if err != nil {
		t.Fatal(err)
	}
	far, err := s.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	return far.(*Conn), near
}

// directed is what a port of ours can do.
type directed interface {
	dtp.Port
	OpenFor(ctx context.Context, up bool) (net.Conn, error)
}

// ender is what a data connection of ours can do.
type ender interface {
	net.Conn
	End(error) error
}

// prepare prepares a data stream.
func prepare(t testing.TB, c *Conn, token string) directed {
	t.Helper()
	p, got, err := c.Port(token)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" && got != token {
		t.Fatalf("the token %s has become %s", token, got)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p.(directed)
}

// open opens a port.
func open(t testing.TB, p directed, up bool) ender {
	t.Helper()
	c, err := p.OpenFor(within(t), up)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(ender)
}

// raw is a client that was written from docs/ftpq.md and not from this package: it has
// nothing but a QUIC library.
func (s *site) raw(t testing.TB, change func(*tls.Config, *quic.Config)) (*quic.Conn, error) {
	t.Helper()
	conf := s.client.Clone()
	conf.ServerName, conf.NextProtos = hostName, []string{"ftpq/1"}
	q := &quic.Config{}
	if change != nil {
		change(conf, q)
	}
	socket := udp(t)
	tr := &quic.Transport{Conn: socket}
	t.Cleanup(func() {
		_ = tr.Close()
		_ = socket.Close()
	})
	c, err := tr.Dial(within(t), s.Addr(), conf, q)
	if err == nil {
		t.Cleanup(func() { _ = c.CloseWithError(0, "") })
	}
	return c, err
}

func (s *site) rawConn(t testing.TB) *quic.Conn {
	t.Helper()
	c, err := s.raw(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rawSession opens a control stream with the bytes that the specification has.
func (s *site) rawSession(t testing.TB, c *quic.Conn) (*Conn, *quic.Stream) {
	t.Helper()
	near, err := c.OpenStreamSync(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := near.Write([]byte{0x40, 0x43}); err != nil {
		t.Fatal(err)
	}
	far, err := s.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	return far.(*Conn), near
}

// rawData opens a data stream with these first bytes.
func rawData(t testing.TB, c *quic.Conn, head []byte) *quic.SendStream {
	t.Helper()
	s, err := c.OpenUniStreamSync(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write(head); err != nil {
		t.Fatal(err)
	}
	return s
}

// head is that of the data stream of a token, as the specification has it.
func head(t Token) []byte { return append([]byte{0x40, 0x46, 0x10}, t[:]...) }

// stopped waits until the peer has asked to stop a stream, and returns its code.
func stopped(t testing.TB, s *quic.SendStream) Code {
	t.Helper()
	select {
	case <-s.Context().Done():
	case <-within(t).Done():
		t.Fatal("nobody stops the stream")
	}
	e, ok := errors.AsType[*quic.StreamError](context.Cause(s.Context()))
	if !ok || !e.Remote {
		t.Fatalf("the stream ended otherwise: %v", context.Cause(s.Context()))
	}
	return Code(e.ErrorCode)
}

// ended waits until the server has closed a connection, and returns its code.
func ended(t testing.TB, c *quic.Conn) Code {
	t.Helper()
	select {
	case <-c.Context().Done():
	case <-within(t).Done():
		t.Fatal("nobody closes the connection")
	}
	e, ok := errors.AsType[*quic.ApplicationError](context.Cause(c.Context()))
	if !ok || !e.Remote {
		t.Fatalf("the connection ended otherwise: %v", context.Cause(c.Context()))
	}
	return Code(e.ErrorCode)
}

// reads expects a text.
func reads(t testing.TB, r io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(r, b); err != nil || string(b) != want {
		t.Fatalf("read %q, %v; want %q", b[:n], err, want)
	}
}

// writes says a text.
func writes(t testing.TB, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// pattern is n bytes that a shift would show in.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8 ^ i*7)
	}
	return b
}
