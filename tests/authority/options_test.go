package authority_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"github.com/edgeftp/edgeftp/tests/authority"
)

func TestBinding(t *testing.T) {
	t.Parallel()
	mac := base64.RawURLEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	ca := authority.Start(t, authority.Options{Bindings: map[string]string{"kid-1": mac}})
	c := client(t, ca, dns01(ca))
	mine := acme.Account{TermsOfServiceAgreed: true, PrivateKey: key(t)}
	if _, err := c.NewAccount(t.Context(), mine); err == nil {
		t.Error("an account without a binding was made")
	}
	wrong := base64.RawURLEncoding.EncodeToString([]byte("another key that is long enough!"))
	if err := mine.SetExternalAccountBinding(t.Context(), c.Client, acme.EAB{KeyID: "kid-1", MACKey: wrong}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.NewAccount(t.Context(), mine); err == nil {
		t.Error("an account with a wrong binding was made")
	}
	if err := mine.SetExternalAccountBinding(t.Context(), c.Client, acme.EAB{KeyID: "kid-1", MACKey: mac}); err != nil {
		t.Fatal(err)
	}
	made, err := c.NewAccount(t.Context(), mine)
	if err != nil {
		t.Fatal(err)
	}
	order(t, c, made, "a.example.org")
}

// Certificates may be valid for seconds; the profile of an order is written down.
func TestProfiles(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{Profiles: map[string]time.Duration{"short": 6 * time.Second, "long": time.Hour}})
	c := client(t, ca, dns01(ca))
	k := key(t)
	csr, err := acmez.NewCSR(k, []string{"a.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	params, err := acmez.OrderParametersFromCSR(account(t, c), csr)
	if err != nil {
		t.Fatal(err)
	}
	params.Profile = "short"
	chains, err := c.ObtainCertificate(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	cert := leaf(t, chains[0].ChainPEM)
	if got := cert.NotAfter.Sub(cert.NotBefore); got > 6*time.Second {
		t.Errorf("valid for %v", got)
	}
	params.Profile, params.Replaces = "long", cert
	if _, err := c.ObtainCertificate(t.Context(), params); err != nil {
		t.Fatal(err)
	}
	var profiles, replaced []string
	for _, r := range ca.Requests() {
		if r.Endpoint == authority.NewOrder {
			profiles, replaced = append(profiles, r.Profile), append(replaced, r.Replaces)
		}
	}
	id, err := acme.ARIUniqueIdentifier(cert)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(profiles, " ") != "short long" || len(replaced) != 2 || replaced[0] != "" || replaced[1] != id {
		t.Errorf("profiles %q, replaced %q", profiles, replaced)
	}
	params.Profile = "none"
	if _, err := c.ObtainCertificate(t.Context(), params); err == nil {
		t.Error("a profile that is not there was taken")
	}
}

func TestRenewalInfo(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{RenewalRetry: time.Hour})
	c := client(t, ca, dns01(ca))
	cert, _ := order(t, c, account(t, c), "a.example.org")
	before := time.Now()
	start := before.Add(-time.Hour).Truncate(time.Second)
	ca.SetRenewalInfo(cert, start, start.Add(time.Minute))
	info, err := c.GetRenewalInfo(t.Context(), cert)
	if err != nil {
		t.Fatal(err)
	}
	if !info.SuggestedWindow.Start.Equal(start) || !info.SuggestedWindow.End.Equal(start.Add(time.Minute)) {
		t.Errorf("the window is %v", info.SuggestedWindow)
	}
	if info.RetryAfter == nil || info.RetryAfter.Before(before.Add(59*time.Minute)) || info.RetryAfter.After(before.Add(61*time.Minute)) {
		t.Errorf("to be asked again at %v", info.RetryAfter)
	}
	if n := ca.Count(authority.RenewalInfo); n != 2 { // the client has asked by itself too, after the order
		t.Errorf("asked %d times", n)
	}
}

// What is revoked is to be renewed at once.
func TestRevoked(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	c := client(t, ca, dns01(ca))
	cert, _ := order(t, c, account(t, c), "a.example.org")
	if info, err := c.GetRenewalInfo(t.Context(), cert); err != nil || !info.SuggestedWindow.Start.After(time.Now()) {
		t.Fatalf("before: %v, %v", info.SuggestedWindow, err)
	}
	ca.Revoke(cert)
	if info, err := c.GetRenewalInfo(t.Context(), cert); err != nil || !info.SuggestedWindow.End.Before(time.Now()) {
		t.Errorf("after: %v, %v", info.SuggestedWindow, err)
	}
}

func TestAlternates(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{Alternates: 1})
	c := client(t, ca, dns01(ca))
	_, chains := order(t, c, account(t, c), "a.example.org")
	if len(chains) != 2 {
		t.Fatalf("%d chains", len(chains))
	}
	for _, chain := range chains {
		verify(t, ca, chain.ChainPEM, "a.example.org")
	}
	if string(ca.IssuedPEM(0)) == string(ca.IssuedPEM(1)) {
		t.Error("the roots are one")
	}
}

func TestRandomSleep(t *testing.T) {
	ca := authority.Start(t, authority.Options{RandomSleep: true, Retry: time.Second})
	c := client(t, ca, dns01(ca))
	order(t, c, account(t, c), "a.example.org")
}

// persistent checks dns-persist-01: the record is there already.
type persistent struct{}

func (persistent) Present(context.Context, acme.Challenge) error { return nil }
func (persistent) CleanUp(context.Context, acme.Challenge) error { return nil }

func TestPersist(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	c := client(t, ca, map[string]acmez.Solver{acme.ChallengeTypeDNSPersist01: persistent{}})
	a := account(t, c)
	if _, err := c.ObtainCertificateForSANs(t.Context(), a, key(t), []string{"a.example.org"}); err == nil {
		t.Error("issued without the record")
	}
	ca.DNS.Add(`_validation-persist.a.example.org. 1 IN TXT "` + authority.Identity + `; accounturi=` + a.Location + `"`)
	order(t, c, a, "a.example.org")
}

// alpn solves TLS-ALPN-01.
type alpn struct {
	addr string
	l    net.Listener
}

func (s *alpn) Present(_ context.Context, c acme.Challenge) error {
	cert, err := acmez.TLSALPN01ChallengeCert(c)
	if err != nil {
		return err
	}
	s.l, err = tls.Listen("tcp", s.addr, &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{acmez.ACMETLS1Protocol}})
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := s.l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake() // the authority sees why not
			_ = conn.Close()
		}
	}()
	return nil
}

func (s *alpn) CleanUp(context.Context, acme.Challenge) error { return s.l.Close() }

func TestTLSALPN01(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	c := client(t, ca, map[string]acmez.Solver{acme.ChallengeTypeTLSALPN01: &alpn{addr: ca.TLSAddr()}})
	cert, _ := order(t, c, account(t, c), "127.0.0.1")
	if len(cert.IPAddresses) != 1 || !cert.IPAddresses[0].Equal(net.IPv4(127, 0, 0, 1)) {
		t.Errorf("it is for %v", cert.IPAddresses)
	}
}
