package edge

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// Each login has the filesystem that Home makes for it, which is given back once
// when the login ends, however it ends.
func TestHome(t *testing.T) {
	var out, back atomic.Int32
	own := vfs.NewMem()
	if err := own.WriteFile("/mine", []byte("12345")); err != nil {
		t.Fatal(err)
	}
	r := start(t, func(c *Config) {
		c.Home = func(_ context.Context, who policy.Session, _ policy.Identity) (vfs.FS, func(), error) {
			if who.User == "lost" {
				return nil, nil, errors.New("there is no such tenant")
			}
			out.Add(1)
			return own, func() { back.Add(1) }, nil
		}
	})
	defer r.stop()
	c := r.login()
	r.do(c, "SIZE mine", 213)
	r.do(c, "REIN", 220)
	if out.Load() != 1 || back.Load() != 1 {
		t.Errorf("after REIN %d were made and %d given back", out.Load(), back.Load())
	}
	r.do(c, "USER lost", 331)
	r.do(c, "PASS secret", 530)
	r.must(c.Quit())
	cut := r.login()
	r.must(cut.Close())
	r.free()
	if out.Load() != 2 || back.Load() != 2 {
		t.Errorf("at the end %d were made and %d given back", out.Load(), back.Load())
	}
}

func TestReplies(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Limits = Limits{Sessions: 1, SessionsPerIP: -1}
		c.Replies = pi.Replies{MaxSessions: wire.Say(420, "Full."), Idle: wire.Say(422, "Asleep?")}
		c.Timeouts.Login = 50 * time.Millisecond
	})
	defer r.stop()
	first := r.dial()
	r.expect(first, "the connection", 220)
	second := r.dial()
	r.expect(second, "the second connection", 420)
	r.must(second.Closed())
	r.expect(first, "the login limit", 422)
	r.must(first.Closed())
}

func TestSessionsPerUser(t *testing.T) {
	r := start(t, func(c *Config) { c.Limits.SessionsPerUser = 1 })
	defer r.stop()
	first := r.login()
	second := r.dial()
	r.expect(second, "the connection", 220)
	r.do(second, "USER dev", 331)
	r.do(second, "PASS secret", 421)
	r.do(first, "NOOP", 200)
}

// clientCert makes an authority and a client certificate of it.
func clientCert(t *testing.T) (authority *x509.CertPool, cert tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "anna"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	authority = x509.NewCertPool()
	authority.AddCert(leaf)
	return authority, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// vouching is a policy that lets in who has shown a certificate, and who knows the
// password.
type vouching struct{ *keeper }

func (v vouching) Hooks() policy.Hooks {
	return policy.Hooks{Authenticator: v, Authorizer: v.keeper, Observer: v.keeper}
}

func (v vouching) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Early && l.Session.User == "anna" && l.Session.TLS.ClientSubject == "CN=anna" {
		all := policy.Perms(policy.PermAll)
		return policy.Identity{Verdict: policy.Allow, Perms: &all}, nil
	}
	return v.keeper.Authenticate(ctx, l)
}

// A verified client certificate can take the password's place (232), and its data
// connections are bound as ever.
func TestClientCertificate(t *testing.T) {
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	authority, cert := clientCert(t)
	server.ClientAuth, server.ClientCAs = tls.VerifyClientCertIfGiven, authority
	r := start(t, func(c *Config) {
		c.Listeners[0].TLS, c.Listeners[0].Require = server, TLSRequired
		c.Policies = []Slot{{Name: "vouching", Policy: vouching{newKeeper()}}}
	})
	defer r.stop()
	for _, lowest := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conf := client.Clone()
		conf.Certificates, conf.MinVersion, conf.MaxVersion = []tls.Certificate{cert}, lowest, lowest
		c := r.dial()
		r.expect(c, "the connection", 220)
		r.must(c.Protect(conf))
		r.do(c, "USER bert", 331)
		r.do(c, "USER anna", 232)
		r.do(c, "PASS secret", 503)
		r.do(c, "TYPE I", 200)
		if _, err := c.Put(userpi.EPSV, "STOR a", strings.NewReader("hello")); err != nil {
			t.Errorf("an upload under TLS %x: %v", lowest, err)
		}
		r.must(c.Quit())
		plain := client.Clone()
		plain.MinVersion, plain.MaxVersion = lowest, lowest
		c = r.dial()
		r.expect(c, "the connection", 220)
		r.must(c.Protect(plain))
		r.do(c, "USER anna", 331)
		r.must(c.Quit())
	}
}

// A name that needs TLS is refused in the clear before anybody sends a password, and over
// TLS it is as any other. Nothing is left of it for a PASS that comes all the same.
func TestNeedsTLS(t *testing.T) {
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, func(c *Config) {
		c.Listeners[0].TLS = server
		c.NeedsTLS = func(user string) bool { return user != "old" }
	})
	defer r.stop()
	c := r.dial()
	r.expect(c, "greeting", 220)
	r.do(c, "USER anna", 534)
	r.do(c, "PASS secret", 503)
	r.do(c, "USER old", 331)
	r.do(c, "USER anna", 534)
	r.do(c, "PASS secret", 503)
	r.do(c, "USER old", 331)
	r.do(c, "PASS secret", 230)
	r.do(c, "AUTH TLS", 234)
	r.must(c.StartTLS(client))
	r.do(c, "USER anna", 331)
	r.do(c, "PASS secret", 230)
	r.must(c.Quit())
}
