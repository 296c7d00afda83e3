package acme

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Certificate is what is known of a certificate that is served, or wanted. It has no
// secrets.
type Certificate struct {
	// Name is what it was asked for: a host name, a wildcard or an address. Of files it
	// is the certificate file.
	Name   string   `json:"name"`
	Names  []string `json:"names,omitempty"` // names and addresses that it holds; none: there is no certificate yet
	Source string   `json:"source"`          // acme, dev or files
	// Issuer is the common name of the authority's certificate that signed it, or
	// where that has none its organization.
	Issuer    string    `json:"issuer,omitempty"`
	CA        string    `json:"ca,omitempty"` // of acme: the directory
	Serial    string    `json:"serial,omitempty"`
	SHA256    string    `json:"sha256,omitempty"` // see Fingerprint
	Key       string    `json:"key,omitempty"`    // kind and size: ECDSA P-256, RSA 2048
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// Renew is when it is to be renewed, as the authority suggests (RFC 9773) or by its
	// age. Zero for files.
	Renew    time.Time `json:"renew,omitzero"`
	OnDemand bool      `json:"on_demand,omitempty"`
	// Failed says why the last order, or look at changed files, came to nothing; empty
	// after a success. Help is what can be done about it, FailedAt when that was, Failures
	// how often in a row, Next when it is tried again.
	Failed   string    `json:"failed,omitempty"`
	Help     string    `json:"help,omitempty"`
	FailedAt time.Time `json:"failed_at,omitzero"`
	Failures int       `json:"failures,omitempty"`
	Next     time.Time `json:"next,omitzero"`
}

// describe fills in what the leaf says.
func (c *Certificate) describe(leaf *x509.Certificate) {
	c.Names = hostNames(leaf)
	for _, ip := range leaf.IPAddresses {
		c.Names = append(c.Names, ip.String())
	}
	c.Issuer = leaf.Issuer.CommonName
	if c.Issuer == "" {
		c.Issuer = strings.Join(leaf.Issuer.Organization, " ")
	}
	c.Serial = fmt.Sprintf("%x", leaf.SerialNumber)
	c.SHA256, c.Key = Fingerprint(leaf), keyWords(leaf)
	c.NotBefore, c.NotAfter = leaf.NotBefore, leaf.NotAfter
}

// CertEvent says what has happened to a certificate: cert_obtained, cert_renewed, or
// with an Err cert_failed.
type CertEvent struct {
	Name  string            // as in [Certificate]
	First bool              // there was none before
	Leaf  *x509.Certificate // in use from now on, or still in use; nil: there is none, or it is near its end
	Err   error             // why there is no new one, of files a [*FileError], or that the end is near; nil: there is
}

// String is the event in one line.
func (e CertEvent) String() string {
	switch {
	case e.Err == nil:
		if what := subject(e.Leaf); what != e.Name {
			return fmt.Sprintf("%s: %s, valid until %s", e.Name, what, day(e.Leaf.NotAfter))
		}
		return fmt.Sprintf("%s, valid until %s", e.Name, day(e.Leaf.NotAfter))
	case errors.As(e.Err, new(*endingError)):
		return fmt.Sprintf("%s: %v", e.Name, e.Err)
	case e.Leaf == nil:
		return fmt.Sprintf("%s: %s; there is no certificate yet", e.Name, brief(e.Err))
	}
	return fmt.Sprintf("%s; the certificate in use stays, it is valid until %s", brief(e.Err), day(e.Leaf.NotAfter))
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// subject names what a certificate is for.
func subject(leaf *x509.Certificate) string {
	names := hostNames(leaf)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no name"
	}
	return strings.Join(names, " ")
}
