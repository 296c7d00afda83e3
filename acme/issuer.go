package acme

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	rfc8555 "github.com/mholt/acmez/v3/acme"
)

// issuer orders certificates from one authority.
type issuer struct {
	life     context.Context // the manager's
	conf     *Config
	at       Authority
	solving  *challenges
	failures func(name string) int // in a row, before this order
	log      *slog.Logger
	real     *directory
	staging  *directory // nil: there is none
	seats    chan struct{}

	mu      sync.Mutex
	limited map[string]time.Time // until when the authority has refused a name
	alone   map[string]bool      // names whose next order does not say what it replaces
}

func newIssuer(life context.Context, conf *Config, at Authority, solving *challenges, failures func(string) int, log *slog.Logger) *issuer {
	is := &issuer{life: life, conf: conf, at: at, solving: solving, failures: failures, log: log,
		seats: make(chan struct{}, mostOrders), limited: map[string]time.Time{}, alone: map[string]bool{}}
	is.real = newDirectory(conf, at, at.Directory, log)
	solving.know(is.real)
	if at.Staging != "" && at.Staging != at.Directory {
		is.staging = newDirectory(conf, at, at.Staging, log)
		solving.know(is.staging)
	}
	return is
}

// checkAuthorities says what is wrong with a list of authorities.
func checkAuthorities(list []Authority) error {
	for i, a := range list {
		if err := a.check(); err != nil {
			return err
		}
		if slices.ContainsFunc(list[:i], func(other Authority) bool { return other.Directory == a.Directory }) {
			return fmt.Errorf("the authority %s is there twice; a fallback has to be another one", a.Directory)
		}
	}
	return nil
}

// check says what is wrong with the addresses and the binding of an authority.
func (a Authority) check() error {
	for _, directory := range []string{a.Directory, a.Staging} {
		u, err := url.Parse(directory)
		if err == nil && (directory != "" || a.Directory == "") {
			err = secure(u)
		}
		if err != nil {
			return fmt.Errorf("the authority's directory %q: %w", directory, err)
		}
	}
	if a.Binding == nil {
		return nil
	}
	if a.Binding.KeyID == "" {
		return errors.New("the account binding has no key id")
	}
	return a.Binding.usable()
}

// IssuerKey implements certmagic.Issuer.
func (is *issuer) IssuerKey() string { return is.real.key }

const (
	orderTime = 15 * time.Minute // for one order, DNS.Wait aside
	longest   = 7 * 24 * time.Hour

	mostOrders = 16 // at once with an authority
	mostChain  = 10 // certificates
)

// Issue implements certmagic.Issuer: it makes one order, after failures a dry run with
// the test directory first. The error is of kind *limitedError if the authority has
// said when to come again.
func (is *issuer) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	name, err := requested(csr)
	if err != nil {
		return nil, err
	}
	select { // an order that waits for others does not take its time yet
	case is.seats <- struct{}{}:
		defer func() { <-is.seats }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	patience := orderTime
	if is.conf.Challenges.DNS != nil {
		patience += max(0, is.conf.Challenges.DNS.Wait)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cert, err := is.issue(ctx, name, csr)
	if err != nil {
		if len(is.conf.Authorities) > 1 { // the others' errors may hide it
			is.log.Warn("an authority has issued no certificate", "name", name, "ca", is.at.Directory, "error", brief(err), "help", Advice(err))
		}
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: cert.ChainPEM, Metadata: cert}, nil
}

func (is *issuer) issue(ctx context.Context, name string, csr *x509.CertificateRequest) (rfc8555.Certificate, error) {
	if err := is.mayAsk(ctx, name); err != nil {
		return rfc8555.Certificate{}, err
	}
	if is.staging != nil && is.failures(name) > 0 {
		_, err := is.order(ctx, is.staging, name, csr, nil)
		if err != nil && (blames(err) || ctx.Err() != nil) {
			return rfc8555.Certificate{}, err
		}
		if err != nil {
			is.log.Info("the dry run says nothing of the name, the real order is tried", "name", name, "staging", is.at.Staging, "error", brief(err))
		}
	}
	old := is.replaced(ctx, name)
	cert, err := is.order(ctx, is.real, name, csr, old)
	is.note(name, old != nil, err)
	return cert, err
}

// requested is the one name that a request is for.
func requested(csr *x509.CertificateRequest) (string, error) {
	switch {
	case len(csr.DNSNames) == 1 && len(csr.IPAddresses) == 0:
		return csr.DNSNames[0], nil
	case len(csr.DNSNames) == 0 && len(csr.IPAddresses) == 1:
		return csr.IPAddresses[0].String(), nil
	}
	return "", fmt.Errorf("a certificate is for one name or address, and %d names and %d addresses were asked for", len(csr.DNSNames), len(csr.IPAddresses))
}

// mayAsk refuses what the authority has just refused, unless somebody asks for it now.
// A fallback's pauses would otherwise be too short for the first authority.
func (is *issuer) mayAsk(ctx context.Context, name string) error {
	is.mu.Lock()
	defer is.mu.Unlock()
	until := is.limited[name]
	if !time.Now().Before(until) || ctx.Value(nowKey{}) != nil {
		delete(is.limited, name)
		return nil
	}
	return &limitedError{fmt.Errorf("%s: the authority %s limits orders, it may be asked again at %s", name, is.real.host(), until.UTC().Format(time.RFC3339)), until}
}

// note remembers what an order's outcome means for the next one.
func (is *issuer) note(name string, replacing bool, err error) {
	is.mu.Lock()
	defer is.mu.Unlock()
	delete(is.alone, name)
	var limited *limitedError
	var problem rfc8555.Problem
	switch {
	case errors.As(err, &limited):
		for other, until := range is.limited {
			if !time.Now().Before(until) {
				delete(is.limited, other)
			}
		}
		is.limited[name] = limited.until
	case replacing && errors.As(err, &problem) && problem.Resource == nil:
		is.alone[name] = true // it may be the certificate that is not known there (RFC 9773 §5)
	}
}

// replaced is the certificate that an order renews: the stored one, if it is of the
// same authority and account (RFC 9773 §5). Nil: there is none, or the authority has
// refused an order that named it.
func (is *issuer) replaced(ctx context.Context, name string) *x509.Certificate {
	is.mu.Lock()
	alone := is.alone[name]
	is.mu.Unlock()
	if alone {
		return nil
	}
	var known facts
	text, err := is.conf.Storage.Load(ctx, certmagic.StorageKeys.SiteMeta(is.IssuerKey(), name))
	if err != nil || json.Unmarshal(text, &known) != nil || known.Issuer.CA != is.at.Directory {
		return nil
	}
	account, err := is.real.account(ctx)
	if err != nil || account.Location != known.Issuer.Account {
		return nil
	}
	chain, err := is.conf.Storage.Load(ctx, certmagic.StorageKeys.SiteCert(is.IssuerKey(), name))
	if err != nil {
		return nil
	}
	block, _ := pem.Decode(chain)
	if block == nil {
		return nil
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil || len(leaf.AuthorityKeyId) == 0 {
		return nil
	}
	return leaf
}

// order orders one certificate, and counts the order.
func (is *issuer) order(ctx context.Context, d *directory, name string, csr *x509.CertificateRequest, old *x509.Certificate) (rfc8555.Certificate, error) {
	later := &pause{}
	cert, err := is.try(context.WithValue(ctx, pauseKey{}, later), d, name, csr, old)
	if err != nil {
		err = &orderError{ca: d.host(), name: name, err: err}
		if until, limited := later.of(err); limited {
			err = &limitedError{err, until}
		}
	}
	d.count(ctx, err)
	return cert, err
}

// try makes an order. An authority that has forgotten the account gets another one.
func (is *issuer) try(ctx context.Context, d *directory, name string, csr *x509.CertificateRequest, old *x509.Certificate) (rfc8555.Certificate, error) {
	for first := true; ; first = false {
		account, err := d.account(ctx)
		if err != nil {
			return rfc8555.Certificate{}, err
		}
		cert, err := is.with(ctx, d, account, name, csr, old)
		var problem rfc8555.Problem
		if first && errors.As(err, &problem) && problem.Type == rfc8555.ProblemTypeAccountDoesNotExist {
			is.log.Warn("the authority does not know its account any more, a new one is made", "ca", d.url, "account", account.Location)
			old = nil // of the old account
			if err := d.forget(ctx, account); err != nil {
				return rfc8555.Certificate{}, err
			}
			continue
		}
		return cert, err
	}
}

// with makes an order with an account.
func (is *issuer) with(ctx context.Context, d *directory, account rfc8555.Account, name string, csr *x509.CertificateRequest, old *x509.Certificate) (rfc8555.Certificate, error) {
	solvers, done, err := is.solving.ready(ctx, d, account, name)
	if err != nil {
		return rfc8555.Certificate{}, err
	}
	defer done()
	params, err := acmez.OrderParametersFromCSR(account, csr)
	if err != nil {
		return rfc8555.Certificate{}, err
	}
	params.Profile = is.at.profile(name)
	if old != nil {
		about, err := d.client.GetDirectory(ctx)
		if err != nil {
			return rfc8555.Certificate{}, err
		}
		if about.RenewalInfo != "" {
			params.Replaces = old
		}
	}
	client := acmez.Client{Client: d.client, ChallengeSolvers: solvers}
	chains, err := client.ObtainCertificate(ctx, params)
	switch {
	case err != nil:
		return rfc8555.Certificate{}, err
	case len(chains) == 0:
		return rfc8555.Certificate{}, errors.New("the authority has answered without a certificate")
	}
	return chains[0], whole(chains[0].ChainPEM, csr, name)
}

// whole says what is wrong with the chain that an authority gave for a request: an
// answer may have been cut off, or be somebody else's.
func whole(chain []byte, csr *x509.CertificateRequest, name string) error {
	var certs []*x509.Certificate
	for rest := chain; len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return errors.New("the authority's certificate is not whole")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("the authority's certificate cannot be read: %w", err)
		}
		certs = append(certs, cert)
	}
	switch {
	case len(certs) == 0:
		return errors.New("the authority's certificate is empty")
	case len(certs) > mostChain: // every client would be sent all of them
		return fmt.Errorf("the authority gave a chain of %d certificates; more than %d are of no use", len(certs), mostChain)
	}
	if key, ok := csr.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !key.Equal(certs[0].PublicKey) {
		return errors.New("the authority's certificate is for another key")
	}
	if !holds(certs[0], name) {
		return fmt.Errorf("the authority's certificate is for another name: it is for %s", subject(certs[0]))
	}
	for i := range certs[1:] {
		if err := certs[i].CheckSignatureFrom(certs[i+1]); err != nil {
			return fmt.Errorf("the certificates that the authority gave are no chain: %w", err)
		}
	}
	return nil
}

// profile is the kind of certificate for a name.
func (a Authority) profile(name string) string {
	if _, err := netip.ParseAddr(name); err != nil {
		return a.Profile
	}
	encrypt := ""
	if u, err := url.Parse(a.Directory); err == nil && strings.HasSuffix(u.Hostname(), ".letsencrypt.org") {
		encrypt = "shortlived" // the only one for addresses there
	}
	return cmp.Or(a.AddressProfile, encrypt, a.Profile)
}

// GetRenewalInfo implements certmagic.RenewalInfoGetter (RFC 9773).
func (is *issuer) GetRenewalInfo(ctx context.Context, cert certmagic.Certificate) (rfc8555.RenewalInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	defer context.AfterFunc(is.life, cancel)() // certmagic does not stop before it has asked for all certificates
	return is.real.client.GetRenewalInfo(ctx, cert.Leaf)
}
