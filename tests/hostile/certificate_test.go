package hostile

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// issuer makes certificates of clients.
type issuer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{t: t}
	own := i.issue(func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.KeyUsage = "authority", true, x509.KeyUsageCertSign
	})
	i.cert, i.key = own.Leaf, own.PrivateKey.(*ecdsa.PrivateKey)
	return i
}

// issue makes the certificate of anna, but for what change does; it is self-signed
// where there is no issuer yet.
func (i *issuer) issue(change func(*x509.Certificate)) tls.Certificate {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "anna"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(form)
	}
	parent, by := i.cert, i.key
	if parent == nil {
		parent, by = form, key
	}
	der, err := x509.CreateCertificate(rand.Reader, form, parent, &key.PublicKey, by)
	if err != nil {
		i.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		i.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// vouching lets anna in who shows a certificate.
type vouching struct{ *porter }

func (v vouching) Hooks() policy.Hooks {
	h := v.porter.Hooks()
	h.Authenticator = v
	return h
}

func (v vouching) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Early && (l.Session.TLS.ClientSubject == "" || l.Session.TLS.ClientSHA256 == "") {
		panic("an early question without a certificate")
	}
	if l.Early && l.Session.User == "anna" && l.Session.TLS.ClientSubject == "CN=anna" {
		all := policy.Perms(policy.PermAll)
		return policy.Identity{Verdict: policy.Allow, Perms: &all}, nil
	}
	return v.porter.Authenticate(ctx, l)
}

// unverified shows certificates that prove nothing: nobody is logged in for them.
func unverified(t *testing.T) {
	authority := newIssuer(t)
	nobody := &issuer{t: t}
	good := authority.issue(nil)
	fakes := map[string]tls.Certificate{
		"of its own": nobody.issue(nil),
		"of its own authority": nobody.issue(func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
		}),
		"expired":      authority.issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
		"of tomorrow":  authority.issue(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }),
		"a server's":   authority.issue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
		"a stolen one": {Certificate: good.Certificate, PrivateKey: nobody.issue(nil).PrivateKey},
	}
	other := newIssuer(t)
	fakes["of another authority"] = other.issue(nil)
	for kind, name := range map[tls.ClientAuthType]string{tls.RequestClientCert: "asked for", tls.RequireAnyClientCert: "wanted, whichever", tls.VerifyClientCertIfGiven: "verified if given", tls.RequireAndVerifyClientCert: "required"} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, func(s *setup) {
				conf := s.Listeners[0].TLS.Clone()
				conf.ClientAuth, conf.ClientCAs = kind, x509.NewCertPool()
				conf.ClientCAs.AddCert(authority.cert)
				s.Listeners[0].TLS = conf
				s.Policies[0].Policy = vouching{s.Policies[0].Policy.(*porter)}
			})
			for what, cert := range fakes {
				for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
					r.notVouched(what, cert, version)
				}
			}
			if kind >= tls.VerifyClientCertIfGiven {
				c := r.meet()
				conf := r.client.Clone()
				conf.Certificates = []tls.Certificate{good}
				r.must(c.Protect(conf))
				r.do(c, "USER anna", 232)
				r.put(c, "STOR hers", "x")
			}
		})
	}
}

// notVouched shows a certificate; the server has no use for it, or for the client.
func (r *rig) notVouched(what string, cert tls.Certificate, version uint16) {
	r.Helper()
	c := r.meet()
	conf := r.client.Clone()
	conf.MinVersion, conf.MaxVersion = version, version
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	if err := c.Protect(conf); err != nil {
		return // refused in the handshake
	}
	for _, name := range []string{"anna", "ANNA", ""} {
		if reply, err := c.Do("USER " + name); err != nil || reply.Is(232, 230) {
			r.Errorf("%s, %s: USER %s is answered %q, %v", what, tls.VersionName(version), name, reply, err)
		}
	}
	r.do(c, "PWD", 530)
	r.do(c, "USER anna", 331)
	r.do(c, "PASS wrong", 530)
}

// hugeCertificates sends certificates, and chains of them, as large as it likes.
func hugeCertificates(t *testing.T) {
	authority := newIssuer(t)
	r := serve(t, func(s *setup) {
		conf := s.Listeners[0].TLS.Clone()
		conf.ClientAuth, conf.ClientCAs = tls.RequestClientCert, x509.NewCertPool()
		conf.ClientCAs.AddCert(authority.cert)
		s.Listeners[0].TLS = conf
	})
	stuffed := func(n int) tls.Certificate {
		return authority.issue(func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: make([]byte, n)}}
		})
	}
	many := authority.issue(nil)
	for range 300 {
		many.Certificate = append(many.Certificate, many.Certificate[0])
	}
	const n = 10
	for name, cert := range map[string]tls.Certificate{"200 KiB": stuffed(200 << 10), "1 MiB": stuffed(1 << 20), "a chain of 300": many} {
		before, taken := live(), 0
		for i := range n {
			c := r.meet()
			conf := r.client.Clone()
			conf.MinVersion = []uint16{tls.VersionTLS12, tls.VersionTLS13}[i%2]
			conf.MaxVersion, conf.SessionTicketsDisabled = conf.MinVersion, true // or its own end would not take them
			conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
			if c.Protect(conf) == nil {
				taken++
				r.do(c, "USER anna", 331)
			}
		}
		t.Logf("%s: %d of %d are taken", name, taken, n)
		r.meanwhile()
		r.bounded("bytes for a client with a certificate of "+name, (live()-before)/n, 2<<20)
		r.hangUp()
	}
}
