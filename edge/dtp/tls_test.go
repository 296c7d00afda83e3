package dtp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/netip"
	"testing"
	"time"
)

const serverName = "ftp.example.test"

// site is a server: the one long-lived configuration and who trusts it.
type site struct {
	base   *tls.Config
	pool   *x509.CertPool
	single bool // transfers neither gather nor gulp
}

// certificate returns a certificate for name, signed by itself.
func certificate(t testing.TB, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:        true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// newSite returns a server that speaks one version of TLS.
func newSite(t testing.TB, version uint16) *site {
	t.Helper()
	cert := certificate(t, serverName)
	s := &site{pool: x509.NewCertPool(), base: &tls.Config{
		Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version,
	}}
	s.pool.AddCert(cert.Leaf)
	var key [32]byte
	rand.Read(key[:])
	s.base.SetSessionTicketKeys([][32]byte{key})
	return s
}

// client returns a client with a session cache of its own, which holds no more
// than one server's session.
func (s *site) client() *tls.Config {
	return &tls.Config{RootCAs: s.pool, ServerName: serverName, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
}

// holdsTicket reports whether the client has something to resume with.
func holdsTicket(client *tls.Config) bool {
	_, ok := client.ClientSessionCache.Get(serverName)
	return ok
}

// pair returns the two ends of a connection.
func pair(t testing.TB) (server, client *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client = dial(t, loopback, l.Addr().(*net.TCPAddr).AddrPort())
	server, err = l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server, client
}

// control does a control connection's handshake and returns the protection of
// its data connections. The client has read one byte afterwards, and with it the
// tickets of TLS 1.3.
func (s *site) control(t testing.TB, client *tls.Config, binding Binding) *Protection {
	t.Helper()
	p := &Protection{Base: s.base, Control: Control{Tag: NewTag()}, Binding: binding, single: s.single}
	rawServer, rawClient := pair(t)
	server := tls.Server(rawServer, ControlTLS(s.base, &p.Control))
	failed := make(chan error, 1)
	ctx := within(t)
	go func() {
		err := server.HandshakeContext(ctx)
		if err == nil {
			_, err = server.Write([]byte{'2'})
		}
		failed <- err
	}()
	c := tls.Client(rawClient, client)
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := await(t, failed); err != nil {
		t.Fatal(err)
	}
	if c.ConnectionState().DidResume {
		t.Error("a control connection was resumed")
	}
	return p
}

// beginTLS begins a protected transfer; the client's handshake is still to come.
func beginTLS(t testing.TB, ctx context.Context, p *Protection, client *tls.Config, tr *Transfer) (*tls.Conn, <-chan Result) {
	t.Helper()
	tr.Protect = p
	raw, done := begin(t, ctx, tr)
	return tls.Client(&witness{TCPConn: raw}, client), done
}

// witness notes whether the end of the raw connection was seen.
type witness struct {
	*net.TCPConn
	ended bool
}

func (w *witness) Read(b []byte) (int, error) {
	n, err := w.TCPConn.Read(b)
	if err != nil {
		w.ended = true
	}
	return n, err
}
