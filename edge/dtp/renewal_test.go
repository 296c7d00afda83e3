package dtp

import (
	"crypto"
	"crypto/tls"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// renewed is a site whose certificate can be changed while it runs. The client trusts
// whatever it is shown.
func renewed(s *site, first *tls.Certificate) (current *atomic.Pointer[tls.Certificate], client *tls.Config) {
	current = new(atomic.Pointer[tls.Certificate])
	current.Store(first)
	s.base.Certificates = nil
	s.base.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.Load(), nil }
	client = s.client()
	client.InsecureSkipVerify = true
	return current, client
}

// TestRenewal: a session goes on when its server presents another certificate, also
// one with a key of another kind. Five transfers before, ten after, whether they
// resume or not; a new control connection gets the new one.
func TestRenewal(t *testing.T) {
	kinds := map[string]func(testing.TB) crypto.Signer{"ECDSA": ecdsaKey, "RSA": rsaKey}
	for _, change := range [][2]string{{"ECDSA", "ECDSA"}, {"ECDSA", "RSA"}, {"RSA", "ECDSA"}} {
		a := certificateOf(t, kinds[change[0]](t), time.Hour, serverName)
		b := certificateOf(t, kinds[change[1]](t), time.Hour, serverName)
		t.Run(change[0]+" to "+change[1], func(t *testing.T) {
			versions(t, func(t *testing.T, s *site) {
				current, client := renewed(s, a)
				p := s.control(t, client, BindAuto)
				fresh := client.Clone()
				fresh.ClientSessionCache = nil
				full := *p
				full.Binding = BindOff
				for i := range 15 {
					if i == 5 {
						current.Store(b)
					}
					if !served(t, p, client) {
						t.Errorf("transfer %d did not resume", i)
					}
					if got := shown(t, &full, fresh); got != a.Leaf.SerialNumber.String() {
						t.Errorf("transfer %d, of a full handshake, has another certificate than the control connection", i)
					}
				}
				fresh.ClientSessionCache = tls.NewLRUClientSessionCache(4)
				k := &Control{Tag: NewTag()}
				if seen, _, err := s.shake(t, k, fresh); err != nil || !seen.PeerCertificates[0].Equal(b.Leaf) {
					t.Errorf("a new control connection is not shown the new certificate: %v", err)
				}
			})
		})
	}
}

// TestRenewalAfterTheEnd: a certificate that has ended is not presented any more. The
// session can still be resumed.
func TestRenewalAfterTheEnd(t *testing.T) {
	a, b := certificateOf(t, ecdsaKey(t), time.Hour, serverName), certificateOf(t, ecdsaKey(t), 9*time.Hour, serverName)
	a.Leaf = nil // as some make them
	versions(t, func(t *testing.T, s *site) {
		current, client := renewed(s, a)
		var later atomic.Bool
		s.base.Time = func() time.Time {
			if later.Load() {
				return time.Now().Add(2 * time.Hour)
			}
			return time.Now()
		}
		p := s.control(t, client, BindAuto)
		current.Store(b)
		later.Store(true)
		if !served(t, p, client) {
			t.Error("not resumed")
		}
		full := *p
		full.Binding = BindOff
		client.ClientSessionCache = nil
		if got := shown(t, &full, client); got != b.Leaf.SerialNumber.String() {
			t.Error("the certificate that has ended is presented")
		}
	})
}

// shown does a download by a full handshake and returns the serial number of the
// server's certificate.
func shown(t *testing.T, p *Protection, client *tls.Config) string {
	t.Helper()
	c, done := beginTLS(t, within(t), p, client, &Transfer{Send: strings.NewReader(secret)})
	if got, err := io.ReadAll(c); err != nil || string(got) != secret {
		t.Errorf("the client reads %q, %v", got, err)
	}
	if res := await(t, done); res.Err != nil {
		t.Error(res.Err)
	}
	state := c.ConnectionState()
	if state.DidResume || len(state.PeerCertificates) == 0 {
		t.Error("that was no full handshake")
		return ""
	}
	return state.PeerCertificates[0].SerialNumber.String()
}
