package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// authority is a CA of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// issue makes a certificate and its key, PEM; without a parent an authority.
func issue(t *testing.T, name string, parent *authority) (cert, key []byte, ca *authority) {
	t.Helper()
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		template.ExtKeyUsage, template.DNSNames, template.IPAddresses = nil, nil, nil
		parent = &authority{template, private, nil}
	}
	der := must(x509.CreateCertificate(rand.Reader, template, parent.cert, &private.PublicKey, parent.key))(t)
	keyDER := must(x509.MarshalPKCS8PrivateKey(private))(t)
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return cert, key, &authority{must(x509.ParseCertificate(der))(t), private, cert}
}

// fingerprint is the SHA-256 of a certificate as the file has it.
func fingerprint(a *authority) string {
	sum := sha256.Sum256(a.cert.Raw)
	return hex.EncodeToString(sum[:])
}

// store writes files beside the root and returns the path of the first.
func (p place) store(t *testing.T, name string, data ...[]byte) string {
	t.Helper()
	ok(t, os.WriteFile(p.out(name), bytes.Join(data, nil), 0o600))
	return p.out(name)
}

// A user whose certificate is known needs no password: 232 (RFC 4217 §11).
func TestSettingClientCertificates(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, _, ca := issue(t, "clients", nil)
	p.store(t, "ca.pem", ca.pem)
	cert, key, leaf := issue(t, "carol", ca)
	otherCert, otherKey, _ := issue(t, "mallory", ca)
	_, _, foreign := issue(t, "others", nil)
	strangeCert, strangeKey, _ := issue(t, "carol", foreign)
	one := func(name, certs string) string {
		return fmt.Sprintf("  - { name: %s, address: \"127.0.0.1:0\", tls: { client_certs: %s, client_ca: ca.pem } }\n", name, certs)
	}
	s := p.serve(t, "listeners:\n"+one("optional", "optional")+one("required", "required")+
		"limits: { logins: { delay_after_failure: 0 } }\n"+
		"users: { list: [{ name: carol, certificates: ["+strings.ToUpper(fingerprint(leaf))+"] }, { name: dev, password_hash: @HASH@, perm: elradfmwMT }] }\n")
	ok(t, os.WriteFile(s.in("file"), []byte("content"), 0o644))
	dial := func(s *server, cert, key []byte) (*session, error) {
		c := s.dial(t)
		conf := s.trust(t)
		if cert != nil {
			pair := must(tls.X509KeyPair(cert, key))(t)
			conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil } // wanted or not
		}
		return c, c.Protect(conf)
	}
	for i := range 2 {
		at := s.at(t, i)
		c, err := dial(at, cert, key)
		ok(t, err)
		c.want(t, "USER carol", 232)
		if got := string(c.get(t, "RETR file")); got != "content" {
			t.Errorf("carol gets %q", got)
		}
		c, err = dial(at, otherCert, otherKey)
		ok(t, err)
		c.want(t, "USER carol", 331)
		c.want(t, "PASS "+secret, 530)
		ok(t, c.Identify("dev", secret)) // a verified certificate and a password
		if c, err := dial(at, strangeCert, strangeKey); err == nil {
			if _, err := c.Do("NOOP"); err == nil {
				t.Errorf("listener %d takes a certificate of nobody's", i)
			}
		}
	}
	c, err := dial(s, nil, nil)
	ok(t, err)
	ok(t, c.Identify("dev", secret))
	if c, err := dial(s.at(t, 1), nil, nil); err == nil {
		if _, err := c.Do("NOOP"); err == nil {
			t.Error("a client without a certificate is let in")
		}
	}
	s.curlCertificate(t, p.store(t, "carol.pem", cert), p.store(t, "carol.key", key))
	s.stop(t)
}

// curlCertificate downloads a file without a password.
func (s *server) curlCertificate(t *testing.T, cert, key string) {
	t.Helper()
	r := program{name: need(t, "curl"), args: []string{"-sv", "--ssl-reqd", "--cacert", s.ca, "--cert", cert, "--key", key,
		"-u", "carol:", "ftp://" + s.addr + "/file"}}.must(t)
	if r.stdout != "content" || !strings.Contains(r.stderr, "< 232") {
		t.Errorf("curl got %q\n%s", r.stdout, r.stderr)
	}
}

// Data connections may have to be protected where control connections need not.
func TestSettingDataAlone(t *testing.T) {
	t.Parallel()
	s := newPlace(t).serve(t, "listeners: [{ name: main, address: \"127.0.0.1:0\", tls: { control: optional, data: required } }]\n")
	c := s.dial(t)
	ok(t, c.Identify("dev", secret))
	c.want(t, "EPSV", 550, 521, 522)
	c.want(t, "PASV", 550, 521, 522)
	c = s.dial(t)
	ok(t, c.Protect(s.trust(t)))
	ok(t, c.Identify("dev", secret))
	c.put(t, "STOR a", strings.NewReader("x"))
	c.want(t, "PROT C", 534, 536)
	s.stop(t)
}

// Each listener has the certificate, the version and the suites that it names.
func TestSettingProtection(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, _, ca := issue(t, "authority", nil)
	cert, key, leaf := issue(t, "ftp.example.org", ca)
	p.store(t, "both.pem", cert, key) // the key lies in the file of the certificate
	one := func(name, conf string) string {
		return fmt.Sprintf("  - { name: %s, address: \"127.0.0.1:0\", tls: { %s } }\n", name, conf)
	}
	s := p.serve(t, "listeners:\n"+one("dev", "certificate: dev")+one("files", "certificate: files")+
		one("new", "certificate: files, min_version: \"1.3\"")+
		one("narrow", "certificate: files, ciphers: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]")+
		"certificates: { files: [{ cert: both.pem }] }\n")
	c := s.login(t) // trusts the development authority alone
	c.put(t, "STOR a", strings.NewReader("x"))
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(ca.pem)
	shake := func(n int, change func(*tls.Config)) (tls.ConnectionState, error) {
		conf := &tls.Config{RootCAs: trusted, ServerName: "ftp.example.org", MinVersion: tls.VersionTLS12}
		change(conf)
		c := s.at(t, n).dial(t)
		c.want(t, "AUTH TLS", 234)
		if err := c.StartTLS(conf); err != nil {
			return tls.ConnectionState{}, err
		}
		return c.Conn().(*tls.Conn).ConnectionState(), nil
	}
	old := func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }
	state, err := shake(1, old)
	ok(t, err)
	if !state.PeerCertificates[0].Equal(leaf.cert) || state.Version != tls.VersionTLS12 {
		t.Errorf("version %x, certificate %v", state.Version, state.PeerCertificates[0].Subject)
	}
	if _, err := shake(0, old); err == nil {
		t.Error("the listener with dev has the certificate of the files")
	}
	if _, err := shake(2, old); err == nil {
		t.Error("TLS 1.2 where the least is 1.3")
	}
	_, err = shake(2, func(*tls.Config) {})
	ok(t, err)
	state, err = shake(3, old)
	ok(t, err)
	if state.CipherSuite != tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 {
		t.Errorf("suite %s", tls.CipherSuiteName(state.CipherSuite))
	}
	if _, err := shake(3, func(c *tls.Config) {
		old(c)
		c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	}); err == nil {
		t.Error("a suite that was not named")
	}
	s.stop(t)
}

// A file that is named but does not fit is refused before anybody can connect.
func TestSettingCertificateFiles(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, key, _ := issue(t, "authority", nil)
	p.store(t, "key.pem", key)
	for conf, want := range map[string]string{
		"listeners: [{ name: a, address: \"127.0.0.1:0\", tls: { client_certs: optional, client_ca: key.pem } }]\n":                       "key.pem",
		"listeners: [{ name: a, address: \"127.0.0.1:0\", tls: { certificate: files } }]\ncertificates: { files: [{ cert: key.pem }] }\n": "key.pem",
	} {
		r := edgeftp(t, "serve", "--config", p.file(t, conf))
		if r.code != 3 || !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, "= help: ") {
			t.Errorf("%s: exit code %d\n%s", conf, r.code, r.both())
		}
	}
}

// Certificates are chosen by the name that a client asks for, and taken over when
// their files change, unless the file says otherwise.
func TestSettingCertificatesWatched(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, _, ca := issue(t, "authority", nil)
	write := func(name string) *authority {
		cert, key, leaf := issue(t, name, ca)
		ok(t, os.WriteFile(p.out(name+".tmp"), append(cert, key...), 0o600))
		ok(t, os.Rename(p.out(name+".tmp"), p.out(name+".pem")))
		return leaf
	}
	first, two, kept := write("one.example"), write("two.example"), write("kept.example")
	s := p.serve(t, "listeners:\n"+
		"  - { name: a, address: \"127.0.0.1:0\", tls: { certificate: files } }\n"+
		"  - { name: b, address: \"127.0.0.1:0\", tls: { certificate: files, strict_sni: true } }\n"+
		"certificates: { files: [{ cert: one.example.pem }, { cert: two.example.pem }, { cert: kept.example.pem, watch: false }] }\n"+
		"events: { file: events.json }\n")
	presented := func(n int, name string) (*x509.Certificate, error) {
		c := s.at(t, n).dial(t)
		defer c.Close()
		c.want(t, "AUTH TLS", 234)
		if err := c.StartTLS(&tls.Config{ServerName: name, InsecureSkipVerify: true}); err != nil {
			return nil, err
		}
		return c.Conn().(*tls.Conn).ConnectionState().PeerCertificates[0], nil
	}
	for name, want := range map[string]*authority{"one.example": first, "two.example": two, "kept.example": kept, "other.example": first, "": first} {
		if got := must(presented(0, name))(t); !got.Equal(want.cert) {
			t.Errorf("%q is shown the certificate of %s", name, got.Subject)
		}
		_, err := presented(1, name)
		if refused := err != nil; refused != (name == "other.example") {
			t.Errorf("strict: %q is refused: %v", name, err)
		}
	}
	newer := write("two.example")
	write("kept.example")
	until(t, "the new certificate is in use", func() bool { return must(presented(0, "two.example"))(t).Equal(newer.cert) })
	if got := must(presented(0, "kept.example"))(t); !got.Equal(kept.cert) {
		t.Error("a file that is not watched was taken over")
	}
	s.stop(t)
	if e := one(t, events(t, p.out("events.json")), "cert_renewed"); !strings.Contains(e["text"].(string), "two.example") {
		t.Errorf("cert_renewed: %v", e)
	}
}

// A user's old client may be let off what TLS asks of others.
func TestSettingLenience(t *testing.T) {
	t.Parallel()
	s := newPlace(t).serve(t, "listeners: [{ name: a, address: \"127.0.0.1:0\", tls: { session_reuse: require } }]\n"+`users:
  list:
    - { name: dev, password_hash: @HASH@, perm: elradfmwMT }
    - { name: old, password_hash: @HASH@, perm: elradfmwMT, tls: { session_reuse: lenient, close_notify: lenient } }
`)
	// put uploads without close_notify, by a connection that resumes or not.
	put := func(user, name string, resume bool) userpi.Reply {
		c := s.loginAs(t, user, secret)
		prepared := must(c.Prepare(userpi.EPSV))(t)
		c.want(t, "STOR "+name, 150)
		raw := must(prepared.Open())(t)
		defer raw.Close()
		if !resume {
			sealed := tls.Client(raw, s.trust(t))
			if sealed.Handshake() == nil {
				_, _ = sealed.Write([]byte("content"))
			}
		} else {
			sealed := must(c.Seal(raw))(t)
			_, err := sealed.Write([]byte("content"))
			ok(t, err)
		}
		raw.Close()
		return must(c.Reply())(t)
	}
	if r := put("dev", "a", false); r.Code != 522 {
		t.Errorf("without resumption: %s", r)
	}
	if r := put("dev", "b", true); r.Code != 426 {
		t.Errorf("without close_notify: %s", r)
	}
	for _, resume := range []bool{true, false} {
		if r := put("old", "c", resume); r.Code != 226 {
			t.Errorf("an old client is told %s", r)
		}
	}
	if data := string(must(os.ReadFile(s.in("c")))(t)); data != "content" {
		t.Errorf("the file holds %q", data)
	}
	s.stop(t)
}
