package acme

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// ClientCerts says whether clients are asked for a certificate (RFC 8446
// §4.3.2).
type ClientCerts uint8

// The ways to ask.
const (
	ClientCertsOff ClientCerts = iota // not asked for; the zero value
	// ClientCertsOptional asks. A client without one is served; one that shows a
	// certificate of somebody else's authority is not.
	ClientCertsOptional
	ClientCertsRequired // no certificate, no session
)

// String returns the name in the configuration file.
func (c ClientCerts) String() string {
	switch c {
	case ClientCertsOptional:
		return "optional"
	case ClientCertsRequired:
		return "required"
	}
	return "off"
}

// Apply sets ClientAuth, ClientCAs and VerifyPeerCertificate of config. Beside
// what crypto/x509 asks for, the keys of the client's chain must be strong
// enough. Revocation (CRL, OCSP) is not looked at: take the user's fingerprint
// out of the configuration, or replace the authority.
//
// The error says that there are no authorities, which would stand for those of
// the operating system: everybody who has a certificate of the Web's.
func (c ClientCerts) Apply(config *tls.Config, authorities *x509.CertPool) error {
	config.ClientAuth, config.ClientCAs, config.VerifyPeerCertificate = tls.NoClientCert, nil, nil
	if c == ClientCertsOff {
		return nil
	}
	if authorities == nil || authorities.Equal(x509.NewCertPool()) {
		return errors.New("client certificates need the certificate of the authority that issues them")
	}
	config.ClientAuth, config.ClientCAs = tls.VerifyClientCertIfGiven, authorities
	if c == ClientCertsRequired {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	config.VerifyPeerCertificate = strongChain
	return nil
}

// strongChain refuses a client whose chain, by whatever way, has a weak key.
func strongChain(_ [][]byte, chains [][]*x509.Certificate) error {
	for _, chain := range chains {
		for _, cert := range chain {
			if why := weakKey(cert); why != "" {
				return fmt.Errorf("the client's chain is too weak: %q has %s", cert.Subject.String(), why)
			}
		}
	}
	return nil
}

// ClientCAs reads the authorities whose client certificates are accepted, PEM. A
// certificate that is no authority is accepted as it stands: so a single client
// can be let in by its self-signed one.
//
// The warnings are whole lines for the operator: an authority that is expired,
// a private key that does not belong there. The error is a [*FileError]: the
// file is missing, is not PEM, holds no certificate, or one with an RSA key
// below 2048 bits.
func ClientCAs(file string) (pool *x509.CertPool, warnings []string, err error) {
	f, err := readPEM(file, "client authority")
	if err != nil {
		return nil, nil, err
	}
	certs, err := f.certificates()
	if err != nil {
		return nil, nil, err
	}
	pool = x509.NewCertPool()
	for i, cert := range certs {
		if why := weakKey(cert); why != "" {
			return nil, nil, &FileError{File: file, What: fmt.Sprintf("is too weak: certificate %d has %s", i+1, why),
				Help: "make a new authority, with ECDSA or at least 2048 bits of RSA"}
		}
		if why := untimely(cert, time.Now()); why != "" {
			warnings = append(warnings, fmt.Sprintf("%s: certificate %d (%s) %s: nobody can log in by it", file, i+1, cert.Subject, why))
		}
		pool.AddCert(cert)
	}
	if f.has("PRIVATE KEY") {
		warnings = append(warnings, file+" holds a private key, which is not needed here: keep an authority's key elsewhere")
	}
	return pool, warnings, nil
}
