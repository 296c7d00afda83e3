package e2e

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// filesListeners are an explicit and an implicit listener with the operator's own files.
const filesListeners = `listeners:
  - { name: explicit, address: "127.0.0.1:0", tls: { certificate: files } }
  - { name: implicit, protocol: ftps, address: "127.0.0.1:0", tls: { certificate: files } }
`

// pair is a certificate and its key, also as files hold them.
type pair struct {
	leaf      *x509.Certificate
	cert, key []byte
}

// newKey makes a key of a kind.
func newKey(t *testing.T, kind string) crypto.Signer {
	t.Helper()
	switch kind {
	case "rsa":
		return must(rsa.GenerateKey(rand.Reader, 2048))(t)
	case "p384":
		return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)
	}
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
}

// newPair makes a certificate of certName for the key, of 90 days that end after left.
func newPair(t *testing.T, ca *authority, key crypto.Signer, left time.Duration) pair {
	t.Helper()
	end := time.Now().Add(left)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: certName},
		NotBefore: end.AddDate(0, 0, -90), NotAfter: end, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{certName}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der := must(x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key))(t)
	private := must(x509.MarshalPKCS8PrivateKey(key))(t)
	return pair{must(x509.ParseCertificate(der))(t), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}
}

// trusting is a client that knows the authority and nobody else.
func (a *authority) trusting() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{RootCAs: pool, ServerName: certName, MinVersion: tls.VersionTLS12}
}

// The same with files, whose key is of another kind each time: what sessions have was
// signed with the first, and data connections of TLS 1.2 cannot resume beside another
// kind unless they are shown that.
func TestFilesReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, _, ca := issue(t, "authority", nil)
	put := func(cert, key []byte) {
		ok(t, os.WriteFile(p.out("new"), append(cert, key...), 0o600))
		ok(t, os.Rename(p.out("new"), p.out("pair.pem")))
	}
	first := newPair(t, ca, newKey(t, "p256"), 60*24*time.Hour)
	put(first.cert, first.key)
	s := p.serve(t, filesListeners+"certificates: { files: [{ cert: pair.pem }] }\n"+slowly)
	trust := ca.trusting()
	w := gather(t, s, trust, 40, 8)
	shown := first.leaf
	for i, kind := range []string{"rsa", "p384", "p256"} {
		next := newPair(t, ca, newKey(t, kind), 60*24*time.Hour)
		put(next.cert, next.key)
		until(t, "the new certificate is in use", func() bool {
			got, err := shake(s.addr, trust)
			ok(t, err)
			return got.Equal(next.leaf)
		})
		shown = w.newcomers(t, fmt.Sprintf("files-%d", i), shown)
	}
	w.whole(t, s)
	if !t.Failed() {
		t.Logf("ECDSA P-256 -> RSA 2048 -> ECDSA P-384 -> ECDSA P-256 by files: 0 of %d sessions broken, %d transfers whole", len(w.sessions), len(w.transfers))
	}
	s.stop(t)
}

// A file whose key belongs to another certificate changes nothing, and is told in the
// log, as an event, and by cert list.
func TestFilesThatDoNotMatch(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, _, ca := issue(t, "authority", nil)
	first, other := newPair(t, ca, newKey(t, "p256"), 60*24*time.Hour), newPair(t, ca, newKey(t, "p256"), 60*24*time.Hour)
	p.store(t, "cert.pem", first.cert)
	p.store(t, "key.pem", first.key)
	s := p.serve(t, filesListeners+"certificates: { files: [{ cert: cert.pem, key: key.pem }] }\nevents: { file: events.json }\n")
	trust := ca.trusting()
	ok(t, os.WriteFile(p.out("new"), other.cert, 0o600))
	ok(t, os.Rename(p.out("new"), p.out("cert.pem")))
	until(t, "the trouble is told", func() bool { // clients make the server look
		if got := must(shake(s.addr, trust))(t); !got.Equal(first.leaf) {
			t.Fatalf("a client is shown serial %x", got.SerialNumber)
		}
		return strings.Contains(s.log.String(), "cannot be used; the certificate before stays in use")
	})
	s.expect(t, "stays in use", `"level":"ERROR"`, "key.pem", `"help":`, "does not match", first.leaf.NotAfter.UTC().Format(time.DateOnly))
	r := s.admin(t, "cert", "list")
	if r.code == 0 && !strings.Contains(r.stdout, "failing") || !strings.Contains(r.stdout, "key") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	t.Logf("cert list, exit code %d:\n%s", r.code, r.stdout)
	ok(t, os.WriteFile(p.out("new"), other.key, 0o600))
	ok(t, os.Rename(p.out("new"), p.out("key.pem")))
	until(t, "the new pair is in use", func() bool { return must(shake(s.addr, trust))(t).Equal(other.leaf) })
	if r := s.admin(t, "cert", "list"); r.code != 0 || strings.Contains(r.stdout, "failing") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	s.stop(t)
	text := string(must(os.ReadFile(p.out("events.json")))(t))
	if !strings.Contains(text, `"cert_failed"`) || !strings.Contains(text, `"cert_renewed"`) {
		t.Errorf("the events are\n%s", text)
	}
	if bytes.Contains([]byte(text), first.key[30:60]) {
		t.Error("a key is among the events")
	}
}

// A certificate that nobody renews is warned of when the server starts: in the log, as
// an event, and in the figures.
func TestFilesNearTheirEnd(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, _, ca := issue(t, "authority", nil)
	short := newPair(t, ca, newKey(t, "p256"), 24*time.Hour)
	p.store(t, "short.pem", short.cert, short.key)
	figures := ports.Addr(t)
	s := p.serve(t, filesListeners+"certificates: { files: [{ cert: short.pem }] }\nevents: { file: events.json }\n"+
		fmt.Sprintf("telemetry: { metrics: { listen: %q } }\n", figures))
	end := short.leaf.NotAfter.UTC().Format(time.RFC3339)
	s.expect(t, `"level":"ERROR"`, "a certificate is about to end", "short.pem", end, `"help":"put the renewed certificate and its key in place"`)
	until(t, "the event is written", func() bool {
		data, _ := os.ReadFile(p.out("events.json"))
		return bytes.Contains(data, []byte(`"cert_expiring"`))
	})
	if e := one(t, events(t, p.out("events.json")), "cert_expiring"); !strings.Contains(e["text"].(string), "about to end") {
		t.Errorf("cert_expiring: %v", e)
	}
	name := fmt.Sprintf("edgeftp_certificate_not_after_timestamp_seconds{name=%q}", p.out("short.pem"))
	if at := figure(read(t, "http://"+figures+"/metrics"), name); int64(at) != short.leaf.NotAfter.Unix() {
		t.Errorf("%s is %g, want %d", name, at, short.leaf.NotAfter.Unix())
	}
	if r := s.admin(t, "cert", "list"); !strings.Contains(r.stdout, "1 day") && !strings.Contains(r.stdout, "23 hours") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	} else {
		t.Logf("cert list, exit code %d:\n%s", r.code, r.stdout)
	}
	if _, err := shake(s.addr, ca.trusting()); err != nil {
		t.Error(err)
	}
	s.stop(t)
}
