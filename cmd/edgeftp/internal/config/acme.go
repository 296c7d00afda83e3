package config

import (
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/edgeftp/edgeftp/acme"
)

// ACME is where the certificates of listeners with certificate auto come from.
type ACME struct {
	// Names are those that are to have certificates, in the form of acme.Subject.
	Names []string
	// Authorities are asked in this order; there is at least one.
	Authorities []Authority
	Challenges  Challenges
	Key         acme.KeyKind
	KeepKey     bool
	OnDemand    *OnDemand // nil: nothing is issued on demand
	Resolver    string    // HOST:PORT, or empty
	Storage     string    // a directory
	Fleet       bool      // other nodes use the same Storage
}

// Authority is a certificate authority. Its fields are those of acme.Authority.
type Authority struct {
	Directory      string // URL
	Staging        string // URL, or empty
	Email          string
	Profile        string
	AddressProfile string
	Binding        *Binding // nil: none
	Roots          string   // PEM file, or empty
}

// Binding is the account with an authority that its ACME account is tied to.
type Binding struct {
	KeyID string
	MAC   Secret // base64url without padding
}

// Challenges are the ways to prove names; what is empty or nil is not used.
type Challenges struct {
	HTTP    []string // HOST:PORT
	TLSALPN []string // HOST:PORT of those that no listener of ours has
	// TLSALPNServed says that an implicit listener of ours answers TLS-ALPN-01.
	TLSALPNServed bool
	DNS           *DNS
	Persist       *Persist

	listen []string // of tls_alpn, as the file has it
}

// DNS says how records for DNS-01 are added.
type DNS struct {
	Provider  string
	Settings  map[string]Secret
	Delegate  string        // name of the record, or empty
	TTL       time.Duration // 0 is the provider's choice
	Wait      time.Duration // 0: the record is not looked for
	Resolvers []string      // HOST:PORT; empty: the system's
}

// Persist is dns-persist-01.
type Persist struct {
	Resolver string // HOST:PORT, or empty
}

// OnDemand says what may be issued for clients that ask.
type OnDemand struct {
	Allow []string // in the form of acme.Subject; at least one
	Most  int
	Rate  int // in an hour
}

type fileACME struct {
	Domains     []string        `json:"domains"`
	Email       string          `json:"email,omitempty"`
	Agree       bool            `json:"agree_to_terms"`
	CA          string          `json:"ca"`
	Staging     string          `json:"staging,omitempty"`
	Profile     string          `json:"profile,omitempty"`
	AddressProf string          `json:"address_profile,omitempty"`
	Binding     *fileBinding    `json:"account_binding,omitempty"`
	Roots       string          `json:"trusted_roots,omitempty"`
	Fallback    []fileAuthority `json:"fallback"`
	Challenges  []string        `json:"challenges"`
	HTTP        *fileListen     `json:"http,omitempty"`
	TLSALPN     *fileListen     `json:"tls_alpn,omitempty"`
	DNS         *fileDNS        `json:"dns,omitempty"`
	Persist     *filePersist    `json:"dns_persist,omitempty"`
	Resolver    string          `json:"resolver,omitempty"`
	Key         string          `json:"key"`
	KeepKey     bool            `json:"keep_key"`
	OnDemand    fileOnDemand    `json:"on_demand"`
	Storage     string          `json:"storage,omitempty"`
	Fleet       bool            `json:"fleet"`
}

type fileAuthority struct {
	CA          string       `json:"ca"`
	Staging     string       `json:"staging,omitempty"`
	Email       string       `json:"email,omitempty"`
	Profile     string       `json:"profile,omitempty"`
	AddressProf string       `json:"address_profile,omitempty"`
	Roots       string       `json:"trusted_roots,omitempty"`
	Binding     *fileBinding `json:"account_binding,omitempty"`
}

type fileBinding struct {
	KeyID string `json:"key_id"`
	MAC   string `json:"mac"`
}

type fileListen struct {
	Listen []string `json:"listen"`
}

type fileDNS struct {
	Provider  string                  `json:"provider"`
	Settings  map[string]textOrNumber `json:"settings"`
	Delegate  string                  `json:"delegate,omitempty"`
	TTL       textOrNumber            `json:"ttl"`
	Wait      textOrNumber            `json:"wait"`
	Resolvers []string                `json:"resolvers"`
}

type filePersist struct {
	Resolver string `json:"resolver,omitempty"`
}

type fileOnDemand struct {
	Enabled bool     `json:"enabled"`
	Allow   []string `json:"allow"`
	Most    int      `json:"most"`
	Rate    int      `json:"rate"`
}

// Config returns what package acme makes a manager of. Left to the caller are
// Storage, Challenges.DNS.Provider where there is DNS, OnDemand.Ask, Log and Event.
// The error says that a file of roots cannot be read.
func (a *ACME) Config() (acme.Config, error) {
	c := acme.Config{Names: a.Names, Key: a.Key, KeepKey: a.KeepKey, Fleet: a.Fleet, Resolver: a.Resolver,
		Challenges: acme.Challenges{HTTP: a.Challenges.HTTP, TLSALPN: a.Challenges.TLSALPN, TLSALPNServed: a.Challenges.TLSALPNServed}}
	for _, from := range a.Authorities {
		to, err := from.authority()
		if err != nil {
			return acme.Config{}, err
		}
		c.Authorities = append(c.Authorities, to)
	}
	if d := a.Challenges.DNS; d != nil {
		c.Challenges.DNS = &acme.DNS{Delegate: d.Delegate, TTL: d.TTL, Wait: d.Wait, Resolvers: d.Resolvers}
		if d.Wait == 0 { // acme's zero is a default
			c.Challenges.DNS.Wait = -1
		}
	}
	if p := a.Challenges.Persist; p != nil {
		c.Challenges.Persist = &acme.Persist{Resolver: p.Resolver}
	}
	if o := a.OnDemand; o != nil {
		c.OnDemand = &acme.OnDemand{Allow: o.Allow, Most: o.Most, Rate: o.Rate}
	}
	return c, nil
}

func (a *Authority) authority() (acme.Authority, error) {
	to := acme.Authority{Directory: a.Directory, Staging: a.Staging, Email: a.Email, Profile: a.Profile, AddressProfile: a.AddressProfile}
	if a.Binding != nil {
		to.Binding = &acme.Binding{KeyID: a.Binding.KeyID, MAC: a.Binding.MAC.Value()}
	}
	if a.Roots != "" {
		data, err := os.ReadFile(a.Roots)
		if err != nil {
			return to, fmt.Errorf("the trusted roots %s cannot be read: %s\n   = help: correct trusted_roots, or let the server's user read the file", a.Roots, reason(err))
		}
		to.Roots = x509.NewCertPool()
		if !to.Roots.AppendCertsFromPEM(data) {
			return to, fmt.Errorf("the file of trusted roots %s holds no certificate\n   = help: name a PEM file with the roots of the authority's own certificate", a.Roots)
		}
	}
	return to, nil
}

// Values returns the settings as the provider takes them.
func (d *DNS) Values() map[string]string {
	values := make(map[string]string, len(d.Settings))
	for name, s := range d.Settings {
		values[name] = s.Value()
	}
	return values
}
