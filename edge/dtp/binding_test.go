package dtp

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

const hostName = "ftp.example.net"

// authority makes the server's long-lived TLS configuration, and the roots that
// trust it.
func authority(t testing.TB) (base *tls.Config, roots *x509.CertPool) {
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
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(cert)
	base = &tls.Config{MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}}}
	base.SetSessionTicketKeys([][32]byte{{1, 2, 3}})
	return base, roots
}

// client is a TLS client with a memory of its own.
func client(roots *x509.CertPool, version uint16) *tls.Config {
	return &tls.Config{RootCAs: roots, ServerName: hostName, MinVersion: version, MaxVersion: version,
		ClientSessionCache: tls.NewLRUClientSessionCache(8)}
}

// login is a control connection: it gives the client its tickets and returns what
// the server then protects data connections with.
func login(t testing.TB, base, client *tls.Config, binding Binding) *Protection {
	t.Helper()
	p := &Protection{Base: base, Control: Control{Tag: NewTag()}, Binding: binding}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a pipe would not hold what both ends write at once
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		far, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		defer far.Close()
		_ = far.SetDeadline(time.Now().Add(patience))
		s := tls.Server(far, ControlTLS(base, &p.Control))
		_, err = s.Write([]byte("x")) // shakes hands first; a TLS 1.3 client takes its ticket with this byte
		served <- err
	}()
	near := dial(t, loopback, l.Addr().(*net.TCPAddr).AddrPort())
	defer near.Close()
	c := tls.Client(near, client)
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if c.ConnectionState().DidResume {
		t.Error("a control connection resumed")
	}
	return p
}

// download runs one protected download, as the client sees it and as the server
// does.
func download(t testing.TB, p *Protection, client *tls.Config) (got []byte, clientErr, serverErr error) {
	t.Helper()
	c, done := begin(t, within(t), &Transfer{Send: bytes.NewReader([]byte("hello")), Protect: p})
	got, clientErr = io.ReadAll(tls.Client(c, client))
	c.Close()
	return got, clientErr, await(t, done).Err
}

func forVersions(t *testing.T, test func(t *testing.T, version uint16)) {
	t.Run("TLS 1.2", func(t *testing.T) { test(t, tls.VersionTLS12) })
	t.Run("TLS 1.3", func(t *testing.T) { test(t, tls.VersionTLS13) })
}

// A client that resumes its control connection's session is served under every
// binding, again and again.
func TestBound(t *testing.T) {
	base, roots := authority(t)
	forVersions(t, func(t *testing.T, version uint16) {
		for _, binding := range []Binding{BindAuto, BindRequire, BindPrefer, BindOff} {
			c := client(roots, version)
			p := login(t, base, c, binding)
			if !p.Tickets {
				t.Error("the client is taken for one without tickets")
			}
			for i := range 5 {
				got, cerr, serr := download(t, p, c)
				if cerr != nil || serr != nil || string(got) != "hello" {
					t.Errorf("%v, transfer %d: %q, %v, %v", binding, i, got, cerr, serr)
				}
			}
		}
	})
}

// A stranger is refused however often it connects: a refused handshake must not
// give it a ticket that is good for the next one.
func TestStranger(t *testing.T) {
	base, roots := authority(t)
	forVersions(t, func(t *testing.T, version uint16) {
		for _, binding := range []Binding{BindAuto, BindRequire} {
			owner, other := client(roots, version), client(roots, version)
			p := login(t, base, owner, binding)
			login(t, base, other, binding) // it even has a session, of its own
			for name, stranger := range map[string]*tls.Config{"nobody": client(roots, version), "another session": other} {
				for i := range 3 {
					if got, _, serr := download(t, p, stranger); !errors.Is(serr, ErrNotBound) || len(got) > 0 {
						t.Errorf("%v, %s, attempt %d: %q, %v", binding, name, i, got, serr)
					}
				}
			}
			if got, _, serr := download(t, p, owner); serr != nil || string(got) != "hello" {
				t.Errorf("%v: the owner: %q, %v", binding, got, serr)
			}
		}
		for _, binding := range []Binding{BindPrefer, BindOff} {
			p := login(t, base, client(roots, version), binding)
			if got, _, serr := download(t, p, client(roots, version)); serr != nil || string(got) != "hello" {
				t.Errorf("%v: %q, %v", binding, got, serr)
			}
		}
	})
}

// Only a client whose control connection could take no tickets is let off, and
// only under auto: leaving them out on the data connection does not help.
func TestWithoutTickets(t *testing.T) {
	base, roots := authority(t)
	plain := client(roots, tls.VersionTLS12)
	plain.SessionTicketsDisabled = true
	p := login(t, base, plain, BindAuto)
	if p.Tickets {
		t.Error("the client is taken for one with tickets")
	}
	if got, _, serr := download(t, p, plain); serr != nil || string(got) != "hello" {
		t.Errorf("auto: %q, %v", got, serr)
	}
	if _, _, serr := download(t, login(t, base, plain, BindRequire), plain); !errors.Is(serr, ErrNotBound) {
		t.Errorf("require: %v", serr)
	}
	p = login(t, base, client(roots, tls.VersionTLS12), BindAuto)
	if _, _, serr := download(t, p, plain); !errors.Is(serr, ErrNotBound) {
		t.Errorf("a stranger without tickets: %v", serr)
	}
}

// An upload is whole only if its end was announced.
func TestTruncation(t *testing.T) {
	base, roots := authority(t)
	forVersions(t, func(t *testing.T, version uint16) {
		for announced, want := range map[bool]error{true: nil, false: ErrTruncated} {
			conf := client(roots, version)
			p := login(t, base, conf, BindAuto)
			to := file(t, nil)
			raw, done := begin(t, within(t), &Transfer{Receive: to, Protect: p})
			c := tls.Client(raw, conf)
			if _, err := c.Write(pattern(50_000)); err != nil {
				t.Fatal(err)
			}
			if announced {
				if err := c.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				// The server says goodbye as well: Python's unwrap waits for it.
				if _, err := c.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the server's end: %v", err)
				}
			} else if err := raw.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if r := await(t, done); !errors.Is(r.Err, want) || announced && !bytes.Equal(held(t, to), pattern(50_000)) {
				t.Errorf("announced %v: %+v", announced, r)
			}
			raw.Close()
		}
	})
}

// A download ends with close_notify, so that the client can tell it from one that
// was cut.
func TestDownloadEnds(t *testing.T) {
	base, roots := authority(t)
	forVersions(t, func(t *testing.T, version uint16) {
		conf := client(roots, version)
		p := login(t, base, conf, BindAuto)
		raw, done := begin(t, within(t), &Transfer{Send: bytes.NewReader(pattern(100_000)), Protect: p})
		fin := &finConn{Conn: raw}
		got, err := io.ReadAll(tls.Client(fin, conf))
		if err != nil || len(got) != 100_000 || fin.ended.Load() {
			t.Errorf("%d bytes, %v, cut %v", len(got), err, fin.ended.Load())
		}
		if r := await(t, done); r.Err != nil {
			t.Error(r.Err)
		}
	})
}

// Bytes in the clear on a protected connection store nothing.
func TestClearOnProtected(t *testing.T) {
	base, roots := authority(t)
	p := login(t, base, client(roots, tls.VersionTLS13), BindAuto)
	to := file(t, nil)
	c, done := begin(t, context.Background(), &Transfer{Receive: to, Protect: p})
	if _, err := c.Write(pattern(5000)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if r := await(t, done); !errors.Is(r.Err, ErrHandshake) || len(held(t, to)) > 0 {
		t.Errorf("%+v, %d bytes stored", r, len(held(t, to)))
	}
}
