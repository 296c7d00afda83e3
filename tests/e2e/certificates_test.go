package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// certName is the name that servers of these tests are to have a certificate for.
const certName = "ftp.example.org"

// certListeners are an explicit and an implicit listener on free ports.
const certListeners = `listeners:
  - { name: explicit, address: "127.0.0.1:0", tls: { certificate: auto } }
  - { name: implicit, protocol: ftps, address: "127.0.0.1:0", tls: { certificate: auto } }
`

// certified is a configuration whose certificates are that authority's. The further
// lines belong to certificates.acme.
func (p place) certified(t *testing.T, ca *authorities.Authority, listeners string, lines ...string) string {
	t.Helper()
	p.store(t, "roots.pem", ca.RootsPEM)
	p.store(t, "issued.pem", ca.IssuedPEM(0))
	lines = append([]string{"agree_to_terms: true", "ca: " + ca.Directory, "trusted_roots: roots.pem"}, lines...)
	return listeners + "certificates:\n  acme:\n    " + strings.Join(lines, "\n    ") + "\n"
}

// byHTTP is a configuration of one name that http-01 proves.
func (p place) byHTTP(t *testing.T, ca *authorities.Authority, lines ...string) string {
	t.Helper()
	return p.certified(t, ca, certListeners, append([]string{"domains: [" + certName + "]", "challenges: [http-01]",
		"http: { listen: [\"" + ca.HTTPAddr() + "\"] }"}, lines...)...)
}

// issued makes clients of the server trust the authority, for the name.
func (s *server) issued(ca *authorities.Authority) *server {
	other := *s
	other.ca = s.out("issued.pem")
	return &other
}

// trusting is a client that knows the authority and nobody else.
func trusting(ca *authorities.Authority, name string) *tls.Config {
	return &tls.Config{RootCAs: ca.Issued(), ServerName: name, MinVersion: tls.VersionTLS12}
}

// shake asks for TLS in one session, and returns the certificate that it was shown.
func shake(addr string, conf *tls.Config) (*x509.Certificate, error) {
	c, err := userpi.Dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := c.Expect("the connection", 220); err != nil {
		return nil, err
	}
	if _, err := c.Must("AUTH TLS", 234); err != nil {
		return nil, err
	}
	if err := c.StartTLS(conf); err != nil {
		return nil, err
	}
	return c.Conn().(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// shakeAtOnce is the same at an implicit listener.
func shakeAtOnce(addr string, conf *tls.Config) (*x509.Certificate, error) {
	dialer := &net.Dialer{Timeout: userpi.Timeout}
	conn, err := tls.DialWithDialer(dialer, "tcp", addr, conf)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

// certWithin bounds the wait for a certificate, with the lock of a dead process in
// the way.
const certWithin = 2 * time.Minute

// verified waits until the first listener shows a certificate that the client can
// verify, and returns it. Until then it says 431, and nothing else.
func (s *server) verified(t *testing.T, ca *authorities.Authority, name string) *x509.Certificate {
	t.Helper()
	return s.verifiedWithin(t, ca, name, certWithin)
}

func (s *server) verifiedWithin(t *testing.T, ca *authorities.Authority, name string, within time.Duration) *x509.Certificate {
	t.Helper()
	pause := 10 * time.Millisecond
	if within > certWithin {
		pause = 200 * time.Millisecond
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	late := time.After(within)
	for {
		cert, err := shake(s.addr, trusting(ca, name))
		if err == nil {
			return cert
		}
		if reply := new(userpi.Unexpected); !errors.As(err, &reply) || reply.Reply.Code != 431 {
			t.Fatalf("before the certificate is there: %v", err)
		}
		select {
		case <-tick.C:
		case <-s.ended:
			t.Fatal("the server has ended")
		case <-late:
			t.Fatalf("there is no certificate after %v: %v", within, err)
		}
	}
}

// obtained waits for the first certificate, which may have ended by then.
func (s *server) obtained(t *testing.T) *x509.Certificate {
	t.Helper()
	s.expect(t, "a certificate was obtained")
	var cert *x509.Certificate
	until(t, "the certificate is there", func() (there bool) {
		var err error
		cert, err = shake(s.addr, &tls.Config{ServerName: certName, InsecureSkipVerify: true})
		return err == nil
	})
	return cert
}

// visit lists and uploads over both listeners with curl, which verifies everything.
func (s *server) visit(t *testing.T, name string) {
	t.Helper()
	ok(t, os.WriteFile(s.out("letter"), []byte("content"), 0o600))
	for scheme, addr := range map[string]string{"ftp": s.addr, "ftps": s.at(t, 1).addr} {
		_, port, err := net.SplitHostPort(addr)
		ok(t, err)
		base := scheme + "://" + net.JoinHostPort(name, port)
		curl := func(args ...string) string {
			return s.curl(t, append([]string{"--resolve", name + ":" + port + ":127.0.0.1"}, args...)...).must(t).stdout
		}
		curl("-T", s.out("letter"), base+"/by-"+scheme)
		if list := curl(base + "/"); !strings.Contains(list, "by-"+scheme) {
			t.Errorf("%s: the list is %q", base, list)
		}
	}
	s.holds(t, "by-ftp", "by-ftps")
}

// shut fails the test if something listens on the address.
func shut(t *testing.T, addr string) {
	t.Helper()
	if conn, err := net.DialTimeout("tcp", addr, waitWithin); err == nil {
		conn.Close()
		t.Errorf("%s is open, and no order is pending", addr)
	}
}

// stored are the files below a directory of certificates whose path holds the words.
func stored(t *testing.T, dir, words string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // it was removed just now
			return nil
		}
		if err == nil && !d.IsDir() && strings.Contains(path[len(dir):], words) {
			list = append(list, path)
		}
		return err
	})
	ok(t, err)
	return list
}

// certificates is the server's own directory of them.
func (p place) certificates() string { return filepath.Join(p.state, "certificates") }

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s" }
