package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"testing"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// namedListeners differ in what clients get that name no server, or an unknown one. No
// certificate has the addresses from 127.0.0.2 on.
const namedListeners = `listeners:
  - { name: v4, address: "127.0.0.1:0", tls: { certificate: auto } }
  - { name: v6, address: "[::1]:0", tls: { certificate: auto } }
  - { name: second, address: "127.0.0.2:0", tls: { certificate: auto, default_name: b.example.org, fallback_name: c.example.org } }
  - { name: third, address: "127.0.0.3:0", tls: { certificate: auto, default_name: c.example.org, fallback_name: "*.files.example.org" } }
  - { name: strict, address: "127.0.0.1:0", tls: { certificate: auto, strict_sni: true } }
  - { name: bare, address: "127.0.0.4:0", tls: { certificate: auto } }
  - { name: implicit, protocol: ftps, address: "127.0.0.2:0", tls: { certificate: auto, default_name: b.example.org, fallback_name: c.example.org } }
`

// The places of namedListeners.
const (
	atV4 = iota
	atV6
	atSecond
	atThird
	atStrict
	atBare
	atImplicit
)

// question is what a client sends, and whose certificate it is to be shown; empty is a
// handshake that is refused.
type question struct {
	at        int
	host, sni string
	want      string
}

func questions() []question {
	return []question{
		{atV4, "", "a.example.org", "a.example.org"},
		{atV4, "", "B.Example.ORG", "b.example.org"},
		{atV4, "", "c.example.org", "c.example.org"},
		{atV4, "", "any.files.example.org", "*.files.example.org"},
		{atV4, "", "one.more.files.example.org", "a.example.org"},
		{atV4, "", "unknown.example.net", "a.example.org"},
		{atV4, "", "", "127.0.0.1"},
		{atV6, "", "b.example.org", "b.example.org"},
		{atV6, "", "", "::1"},
		{atSecond, "", "a.example.org", "a.example.org"},
		{atSecond, "", "unknown.example.net", "c.example.org"},
		{atSecond, "", "", "b.example.org"},
		{atThird, "", "unknown.example.net", "*.files.example.org"},
		{atThird, "", "", "c.example.org"},
		{atStrict, "", "c.example.org", "c.example.org"},
		{atStrict, "", "any.files.example.org", "*.files.example.org"},
		{atStrict, "", "files.example.org", ""},
		{atStrict, "", "unknown.example.net", ""},
		{atStrict, "", "", "127.0.0.1"},
		{atBare, "", "unknown.example.net", "a.example.org"},
		{atBare, "", "", "a.example.org"},
		{atImplicit, "", "unknown.example.net", "c.example.org"},
		{atImplicit, "", "", "b.example.org"},

		// HOST stands for a name that the handshake leaves out (RFC 7151 §3).
		{atV4, "b.example.org", "", "b.example.org"},
		{atV4, "any.files.example.org", "", "*.files.example.org"},
		{atV4, "[::1]", "", "::1"},
		{atV4, "c.example.org", "b.example.org", "b.example.org"},
		{atBare, "127.0.0.1", "", "127.0.0.1"},
		{atSecond, "unknown.example.net", "", "c.example.org"},
		{atStrict, "b.example.org", "", "b.example.org"},
		{atStrict, "unknown.example.net", "", ""},
	}
}

// named is a server that has all those certificates.
func named(t *testing.T) (*server, *authorities.Authority) {
	t.Helper()
	ca, p := authorities.Start(t, authorities.Options{DNS: authorities.NameOptions{Zones: []string{"example.org"}, Key: "edgeftp", Secret: updateSecret}}), newPlace(t)
	lines := append(byUpdates(ca), `domains: [a.example.org, b.example.org, c.example.org, "*.files.example.org", 127.0.0.1, "::1"]`,
		fmt.Sprintf(`http: { listen: ["127.0.0.1:%d", "[::1]:%d"] }`, ca.HTTPPort, ca.HTTPPort))
	lines[0] = "challenges: [http-01, dns-01]"
	s := p.serve(t, p.certified(t, ca, namedListeners, lines...)).issued(ca)
	until(t, "all certificates are there", func() bool { return strings.Count(s.log.String(), "a certificate was obtained") == 6 })
	return s, ca
}

// holder is the one name of a certificate.
func holder(cert *x509.Certificate) string {
	names := append([]string(nil), cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return strings.Join(names, " ")
}

// The certificate of each client is the one of the name that it asks for; of the
// address that it has come to, if it asks for none; else the listener's own choice. Go
// and OpenSSL are shown the same.
func TestServerNames(t *testing.T) {
	t.Parallel()
	need(t, "openssl")
	s, ca := named(t)
	roots := ca.Issued()
	for _, q := range questions() {
		what := fmt.Sprintf("listener %d, HOST %q, SNI %q", q.at, q.host, q.sni)
		addr := s.at(t, q.at).addr
		cert, err := q.goes(addr, roots)
		q.judge(t, what+", Go", cert, err)
		if q.host == "" {
			cert, err = q.openssl(t, addr, s.ca)
			q.judge(t, what+", OpenSSL", cert, err)
		}
	}
	s.expect(t, "a client asked for a server name that has no certificate here", `"listener":"strict"`, `"name":"unknown.example.net"`)
	s.stop(t)
}

func (q *question) judge(t *testing.T, what string, cert *x509.Certificate, err error) {
	t.Helper()
	switch {
	case q.want == "" && err == nil:
		t.Errorf("%s: not refused, shown %s", what, holder(cert))
	case q.want != "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case q.want != "" && holder(cert) != q.want:
		t.Errorf("%s: shown the certificate of %s, want %s", what, holder(cert), q.want)
	}
}

// verifies reports whether the certificate that is wanted is the one of the address
// that the client has come to.
func (q *question) verifies() bool {
	return q.sni == "" && q.host == "" && (q.at == atV4 || q.at == atV6 || q.at == atStrict)
}

// goes asks with crypto/tls, which sends no address as a name.
func (q *question) goes(addr string, roots *x509.CertPool) (*x509.Certificate, error) {
	conf := &tls.Config{RootCAs: roots, ServerName: q.sni, InsecureSkipVerify: true}
	if q.verifies() {
		conf.InsecureSkipVerify = false
		conf.ServerName, _, _ = net.SplitHostPort(addr)
	}
	if q.at == atImplicit {
		return shakeAtOnce(addr, conf)
	}
	c, err := userpi.Dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if _, err := c.Expect("the connection", 220); err != nil {
		return nil, err
	}
	if q.host != "" {
		if _, err := c.Must("HOST "+q.host, 220); err != nil {
			return nil, err
		}
	}
	if _, err := c.Must("AUTH TLS", 234); err != nil {
		return nil, err
	}
	if err := c.StartTLS(conf); err != nil {
		return nil, err
	}
	return c.Conn().(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// openssl asks with s_client.
func (q *question) openssl(t *testing.T, addr, ca string) (*x509.Certificate, error) {
	t.Helper()
	args := []string{"s_client", "-connect", addr, "-CAfile", ca}
	if q.at != atImplicit {
		args = append(args, "-starttls", "ftp")
	}
	if q.sni == "" {
		args = append(args, "-noservername")
	} else {
		args = append(args, "-servername", q.sni)
	}
	args = append(args, "-verify_return_error")
	if q.verifies() {
		host, _, err := net.SplitHostPort(addr)
		ok(t, err)
		args = append(args, "-verify_ip", host)
	}
	r := program{name: need(t, "openssl"), args: args}.run(t)
	block, _ := pem.Decode([]byte(r.stdout))
	if r.code != 0 || block == nil {
		return nil, fmt.Errorf("s_client: exit code %d: %s", r.code, r.stderr)
	}
	return x509.ParseCertificate(block.Bytes)
}

// Under TLS a host has to be the one that the handshake was for (RFC 7151 §3.2).
func TestServerNameAndHost(t *testing.T) {
	t.Parallel()
	s, ca := named(t)
	open := func(sni string) *session {
		c := s.dial(t)
		conf := trusting(ca, sni)
		if sni == "" {
			conf.ServerName = "127.0.0.1" // which is not sent
		}
		ok(t, c.Protect(conf))
		return c
	}
	c := open("a.example.org")
	c.want(t, "HOST b.example.org", 504)
	c.want(t, "HOST [127.0.0.1]", 501)
	c.want(t, "HOST 127.0.0.1", 504)
	c.want(t, "HOST A.example.org", 220)
	ok(t, c.Identify("dev", secret))
	c.want(t, "TYPE I", 200)
	c.put(t, "STOR a", strings.NewReader("x"))
	c.want(t, "HOST a.example.org", 503)

	c = open("any.files.example.org")
	c.want(t, "HOST other.files.example.org", 504)
	c.want(t, "HOST any.files.example.org", 220)

	c = open("") // the handshake was for nobody in particular
	c.want(t, "HOST b.example.org", 220)

	c = s.dial(t) // what was said in the clear does not hold against what the handshake says
	c.want(t, "HOST c.example.org", 220)
	ok(t, c.Protect(trusting(ca, "b.example.org")))
	c.want(t, "HOST c.example.org", 504)
	c.want(t, "HOST b.example.org", 220)
	s.stop(t)
}

const peerOf = `
import ftplib, ssl, sys
host, port, ca, user, password = sys.argv[1:]
f = ftplib.FTP_TLS(context=ssl.create_default_context(cafile=ca))
f.connect(host, int(port))
f.auth()
f.login(user, password)
f.prot_p()
print(f.pwd(), *[name for _, name in f.sock.getpeercert()["subjectAltName"]])
f.quit()
`

// Clients that go to an address send no name, and verify the address.
func TestServerNameless(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	s, _ := named(t)
	for _, n := range []int{atV4, atV6} {
		at := s.at(t, n)
		host, port, err := net.SplitHostPort(at.addr)
		ok(t, err)
		r := at.curl(t, "-g", "-v", at.url("/")).must(t)
		if !strings.Contains(r.stderr, `matched cert's IP address`) {
			t.Errorf("curl to %s:\n%s", host, r.stderr)
		}
		r = program{name: python(t), args: []string{"-c", peerOf, host, port, at.ca, at.user, at.password}}.must(t)
		if got := net.ParseIP(strings.TrimPrefix(strings.TrimSpace(r.stdout), "/ ")); !got.Equal(net.ParseIP(host)) {
			t.Errorf("Python at %s is shown %q", host, r.stdout)
		}
	}
	s.stop(t)
}
