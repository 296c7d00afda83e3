package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
)

// briefLife is an authority whose certificates end after some seconds.
func briefLife(life time.Duration) authorities.Options {
	return authorities.Options{Profiles: map[string]time.Duration{"default": life}}
}

// age makes the stored certificates due, as if the time had come that the authority has
// suggested (RFC 9773).
func age(t *testing.T, dir string) {
	t.Helper()
	n := 0
	for _, file := range stored(t, dir, ".json") {
		text := must(os.ReadFile(file))(t)
		aged := regexp.MustCompile(`("_selectedTime": *)"[^"]*"`).ReplaceAll(text, fmt.Appendf(nil, `$1"%s"`, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)))
		if string(aged) != string(text) {
			ok(t, os.WriteFile(file, aged, 0o600))
			n++
		}
	}
	if n == 0 {
		t.Fatal("no certificate is stored with a time of its renewal")
	}
}

// A certificate that has come of age while the server was not there is renewed when it
// is there again; clients have the old one until then.
func TestCertificateDueAtStart(t *testing.T) {
	t.Parallel()
	ca, p := authorities.Start(t, authorities.Options{}), newPlace(t)
	conf := p.byHTTP(t, ca)
	s := p.serve(t, conf)
	first := s.verified(t, ca, certName)
	s.stop(t)
	age(t, p.certificates())
	ca.Slow(time.Minute, authorities.NewOrder) // the old one has to be seen
	s = p.serve(t, conf)
	until(t, "the new one is ordered", func() bool { return ca.Tried() == 2 })
	cert, err := shake(s.addr, trusting(ca, certName))
	ok(t, err)
	if !cert.Equal(first) {
		t.Error("at the start the old certificate is not served")
	}
	ca.Resume()
	until(t, "the certificate is renewed", func() bool {
		cert, err := shake(s.addr, trusting(ca, certName))
		ok(t, err)
		return !cert.Equal(first)
	})
	if n := ca.Orders(); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
	s.stop(t)
}

// With a certificate that has ended and an authority that is down the server presents
// what it has, tells so, and renews it when it can.
func TestCertificateExpiredAtStart(t *testing.T) {
	t.Parallel()
	ca, p := authorities.Start(t, briefLife(3*time.Second)), newPlace(t)
	conf := p.byHTTP(t, ca)
	s := p.serve(t, conf)
	s.obtained(t)
	s.stop(t)
	first := p.kept(t) // which may be the next one by now
	until(t, "the certificate has ended", func() bool { return time.Now().After(first.NotAfter) })
	ca.Down()
	s = p.serve(t, conf)
	f := s.failed(t, "could not be renewed")
	if !f.ValidUntil.Equal(first.NotAfter) || f.Failures != 1 {
		t.Errorf("the log says %+v", f)
	}
	_, err := shake(s.addr, trusting(ca, certName))
	if invalid := new(x509.CertificateInvalidError); !errors.As(err, invalid) || invalid.Reason != x509.Expired {
		t.Errorf("a client that verifies is told: %v", err)
	}
	careless, err := shake(s.addr, &tls.Config{ServerName: certName, InsecureSkipVerify: true})
	ok(t, err)
	if !careless.Equal(first) {
		t.Errorf("a client that does not verify is shown serial %x", careless.SerialNumber)
	}
	ca.Resume()
	if r := s.admin(t, "cert", "renew", certName); r.code != 0 {
		t.Errorf("cert renew: exit code %d\n%s", r.code, r.both())
	}
	until(t, "clients verify a new one", func() bool { // each of them for three seconds
		_, err := shake(s.addr, trusting(ca, certName))
		return err == nil
	})
	s.stop(t)
}

// kept is the certificate in the storage of a server that is not there.
func (p place) kept(t *testing.T) *x509.Certificate {
	t.Helper()
	files := stored(t, p.certificates(), certName+".crt")
	if len(files) != 1 {
		t.Fatalf("certificates in the storage: %q", files)
	}
	block, _ := pem.Decode(must(os.ReadFile(files[0]))(t))
	if block == nil {
		t.Fatalf("%s holds no certificate", files[0])
	}
	return must(x509.ParseCertificate(block.Bytes))(t)
}
