package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
)

// Config is what a [Manager] is made of. It needs Names or OnDemand, Storage, and
// Authorities or Local; a zero field otherwise stands for what its comment says.
type Config struct {
	// Names are to have certificates, each one of its own: host names, wildcards
	// (*.example.org) and IP addresses (RFC 8738), in the form that [Subject] gives.
	// The first is presented to clients that name none.
	Names []string
	// Authorities are asked in this order until one issues a certificate.
	Authorities []Authority
	// Local issues the certificates in the place of Authorities: the development
	// authority.
	Local *DevCA
	// Challenges are the ways to prove that a name is ours. An authority needs at
	// least one.
	Challenges Challenges
	// OnDemand issues certificates for further names when clients ask for them. Nil:
	// none.
	OnDemand *OnDemand
	// Key is the kind of the certificates' keys. Zero is ECDSA with P-256.
	Key KeyKind
	// KeepKey renews certificates with the same key (for clients that pin it).
	KeepKey bool
	// Storage holds certificates, keys and accounts, see [OpenStorage].
	Storage Storage
	// Fleet says that other nodes use the same Storage: challenge listeners then stay
	// open, because the order of another node may be pending.
	Fleet bool
	// Resolver is the DNS server by which authorities are found, and records of
	// dns-persist-01, HOST:PORT. Empty: that of the operating system.
	Resolver string
	// Log is told of orders, their outcome, and what to do about failures. Nil: nobody
	// is.
	Log *slog.Logger
	// Event is called when a certificate was obtained, renewed, or could not be. It
	// must not block. Nil: it is not called.
	Event func(CertEvent)

	every   time.Duration      // between looks at what is due, 0 is 10 minutes; tests look sooner
	issuers []certmagic.Issuer // in the place of Authorities, for tests
}

// Authority is a certificate authority that speaks ACME (RFC 8555).
type Authority struct {
	Directory string // the URL of its directory; https, or http on loopback addresses
	// Staging is the URL of the authority's test directory. After a failure it is asked
	// first, so that the authority's limits are not used up. Empty: there is none.
	Staging string
	Email   string // where the authority may write to; may be empty
	// Profile is the kind of certificate that is ordered. Empty: the authority's
	// choice.
	Profile string
	// AddressProfile is the same for IP addresses. Empty: shortlived where the
	// authority is Let's Encrypt, which issues no other for them, else Profile.
	AddressProfile string
	Binding        *Binding       // the external account (RFC 8555 §7.3.4), or nil
	Roots          *x509.CertPool // verify the authority's own certificate; nil: the system's
}

// Binding ties an account to one that the operator has with the authority (RFC 8555
// §7.3.4).
type Binding struct {
	KeyID string
	MAC   string // base64url, as the authority shows it
}

// Challenges are the ways in which names are proven, all that are set may be used; the
// zero value has none. Wildcards need DNS or Persist, IP addresses HTTP or TLSALPN.
type Challenges struct {
	// HTTP are addresses, HOST:PORT, of listeners for HTTP-01 (RFC 8555 §8.3), which
	// are opened while an order is pending. The authority comes to port 80 of the name.
	HTTP []string
	// TLSALPN are addresses of listeners for TLS-ALPN-01 (RFC 8737), opened likewise;
	// the authority comes to port 443 of the name.
	TLSALPN []string
	// TLSALPNServed says that handshakes with [Manager.Config] answer TLS-ALPN-01,
	// because a listener of the server's own has port 443. TLSALPN may be empty then.
	TLSALPNServed bool
	DNS           *DNS     // DNS-01 (RFC 8555 §8.4), or nil
	Persist       *Persist // dns-persist-01, or nil
}

// DNS proves names by records that the provider adds for each order.
type DNS struct {
	Provider Provider
	// Delegate is the name under which records are added instead of
	// _acme-challenge.NAME, which a CNAME there points to. Empty: none.
	Delegate string
	// TTL is that of the records. Zero: the provider's.
	TTL time.Duration
	// Wait is how long to wait at most until all name servers of the zone have the
	// record. Zero: 2 minutes. Negative: it is not looked for.
	Wait time.Duration
	// Resolvers are the DNS servers, HOST:PORT, by which the zone is found, and which are
	// then asked for the record in the place of the zone's own. Empty: those of the
	// operating system find it.
	Resolvers []string
}

// Provider adds records to a zone and removes them. Package providers has some; every
// package of the libdns project is one.
type Provider = certmagic.DNSProvider

// Persist proves names by a record that the operator adds once, under
// _validation-persist.NAME (dns-persist-01, draft-ietf-acme-dns-persist). Experimental:
// the draft may change, and few authorities know it.
type Persist struct {
	// Resolver is asked for the record before an order is made, HOST:PORT. Empty: that
	// of [Config].
	Resolver string
}

// OnDemand says for which further names clients can make certificates be issued. Both
// Allow and Ask have to grant a name.
type OnDemand struct {
	// Allow are the names and wildcards that may be issued. *.example.org stands for
	// one label before example.org. None: no name is allowed.
	Allow []string
	// Ask decides on a name that Allow holds; its error is a refusal. It is called in
	// the goroutine of the client's handshake, and with a nil hello before a
	// certificate is renewed. Nil: Allow alone decides.
	Ask func(ctx context.Context, name string, hello *tls.ClientHelloInfo) error
	// Most is how many such certificates are kept in memory; the one that was not used
	// for the longest time is dropped, and loaded again when it is asked for. Zero:
	// 1,000.
	Most int
	// Rate is how many names an hour may be ordered for the first time. Zero: 60.
	Rate int
}

// allows reports whether a name is among those that may be issued. A wildcard is not
// one: a client asks for a name.
func (o *OnDemand) allows(name string) bool {
	return name != "" && !strings.Contains(name, "*") && slices.ContainsFunc(o.Allow, func(allowed string) bool {
		return name == allowed || wildcard(name) == allowed
	})
}

// KeyKind is the kind of a certificate's key. The zero value is P256.
type KeyKind uint8

// The kinds of keys.
const (
	P256    KeyKind = iota // ECDSA with P-256
	P384                   // ECDSA with P-384
	RSA2048                // RSA with 2048 bits
	RSA4096                // RSA with 4096 bits
)

// String returns the name in the configuration file.
func (k KeyKind) String() string {
	switch k {
	case P384:
		return "p384"
	case RSA2048:
		return "rsa2048"
	case RSA4096:
		return "rsa4096"
	}
	return "p256"
}

// Choice says which certificate is for clients that name no server or an unknown one.
type Choice struct {
	// Default is the name whose certificate is for clients that name none and have
	// come to an address without a certificate. Empty: the first certificate.
	Default string
	// Fallback is the name whose certificate is for clients that ask for a name which
	// none holds. Empty: the first certificate.
	Fallback string
}

// Storage is where certificates, keys and accounts are kept. It is certmagic's
// interface, for which stores of many kinds exist; acmetest.Storage tests one.
type Storage = certmagic.Storage
