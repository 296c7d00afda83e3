package acme

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// leaf is the certificate of one configuration, made anew as it ages.
type leaf struct {
	ca    *DevCA
	names []string

	mu   sync.Mutex
	cert *tls.Certificate
}

// get returns the current certificate, and issues another first when less than a
// third of its life is left. It is the GetCertificate of a configuration.
func (l *leaf) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.ca.now()
	if l.cert != nil && fresh(l.cert.Leaf, now) {
		return l.cert, nil
	}
	cert, err := l.ca.issue(l.names, now)
	switch {
	case err == nil:
		l.cert = cert
	case l.cert == nil || now.After(l.cert.Leaf.NotAfter):
		return nil, err
	}
	return l.cert, nil // the old one still holds; the next handshake tries again
}

func fresh(c *x509.Certificate, now time.Time) bool {
	return c.NotAfter.Sub(now) >= c.NotAfter.Sub(c.NotBefore)/3 && !now.Before(c.NotBefore)
}

// issue signs a certificate for names with a key of its own, and makes the
// authority anew first if it is about to expire.
func (ca *DevCA) issue(names []string, now time.Time) (*tls.Certificate, error) {
	subjects, err := ca.host.expand(names)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if why := ca.unfit(ca.cert); why != "" {
		if err := ca.make(why); err != nil {
			return nil, err
		}
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{CommonName: "edgeftp development server"},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(leafLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              subjects.dns,
		IPAddresses:           subjects.ips,
	}
	cert, err := sign(template, ca.cert, key, ca.key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

// Leaf returns the certificate that config presents to a client which names no
// server (RFC 6066 §3), for the operator's eyes. The error says that it has none.
func Leaf(config *tls.Config) (*x509.Certificate, error) {
	if config.GetCertificate != nil {
		cert, err := config.GetCertificate(&tls.ClientHelloInfo{})
		if err != nil {
			return nil, err
		}
		if cert != nil && cert.Leaf != nil {
			return cert.Leaf, nil
		}
	}
	if len(config.Certificates) > 0 && config.Certificates[0].Leaf != nil {
		return config.Certificates[0].Leaf, nil
	}
	return nil, errors.New("the TLS configuration has no certificate")
}

// Fingerprint returns the SHA-256 digest of cert's DER form, in lower-case
// hexadecimal bytes between colons.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":")
}
