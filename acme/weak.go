package acme

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
)

// minRSA is the fewest bits of an RSA key (RFC 9325 §4.5).
const minRSA = 2048

// weak says what makes a server's chain unfit, in words that continue "FILE ",
// or nothing. A root that comes along is not looked at: nobody checks it.
func weak(chain []*x509.Certificate) string {
	for i, cert := range chain {
		if i > 0 && bytes.Equal(cert.RawIssuer, cert.RawSubject) {
			continue
		}
		which := fmt.Sprintf("certificate %d", i+1)
		if why := weakKey(cert); why != "" {
			return "is too weak: " + which + " has " + why
		}
		if forgeable(cert.SignatureAlgorithm) {
			return fmt.Sprintf("is too weak: %s is signed with %s, which can be forged", which, cert.SignatureAlgorithm)
		}
	}
	if key, ok := chain[0].PublicKey.(*ecdsa.PublicKey); ok && key.Curve == elliptic.P224() {
		return "cannot be used for TLS: its key is on the curve P-224"
	}
	return ""
}

// weakKey says what is wrong with the key in cert, or nothing.
func weakKey(cert *x509.Certificate) string {
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minRSA {
		return fmt.Sprintf("an RSA key of %d bits, and %d are needed", key.N.BitLen(), minRSA)
	}
	return ""
}

// forgeable reports whether signatures of that kind can be made for something
// else (RFC 9325 §4.5, RFC 9155 §2).
func forgeable(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256, x509.ECDSAWithSHA1:
		return true
	}
	return false
}

// Fingerprint returns the SHA-256 digest of cert's DER form, in lower-case
// hexadecimal bytes between colons.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":")
}

// keyWords names the kind and size of a certificate's key.
func keyWords(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	}
	return cert.PublicKeyAlgorithm.String()
}
