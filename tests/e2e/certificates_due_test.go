package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
)

// briefLife is an authority whose certificates end after some seconds.
func briefLife(life time.Duration) authorities.Options {
	return authorities.Options{Profiles: map[string]time.Duration{"default": life}}
}

// A certificate that has come of age while the server was not there is renewed when it
// is there again; clients have the old one until then.
func TestCertificateDueAtStart(t *testing.T) {
	t.Parallel()
	ca, p := newAuthority(t, briefLife(20*time.Second)), newPlace(t)
	conf := p.byHTTP(t, ca)
	s := p.serve(t, conf)
	first := s.verified(t, ca, certName)
	s.stop(t)
	until(t, "the certificate is due", func() bool { return time.Now().After(first.NotAfter.Add(-9 * time.Second)) })
	ca.Slow(time.Second, authorities.NewOrder) // the old one has to be seen
	s = p.serve(t, conf)
	if cert, err := shake(s.addr, trusting(ca, certName)); err != nil || !cert.Equal(first) {
		t.Errorf("at the start the old certificate is not served: %v", err)
	}
	until(t, "the certificate is renewed", func() bool {
		cert, err := shake(s.addr, trusting(ca, certName))
		return err == nil && !cert.Equal(first)
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
	ca, p := newAuthority(t, briefLife(3*time.Second)), newPlace(t)
	conf := p.byHTTP(t, ca)
	s := p.serve(t, conf)
	first := s.verified(t, ca, certName)
	s.stop(t)
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
	_, err = shake(s.addr, trusting(ca, certName))
	ok(t, err)
	s.stop(t)
}
