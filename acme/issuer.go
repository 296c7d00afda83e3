package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"

	"github.com/caddyserver/certmagic"
	rfc8555 "github.com/mholt/acmez/v3/acme"
)

// issuer orders certificates from one authority.
type issuer struct {
	conf     *Config
	at       Authority
	solving  *challenges
	failures func(name string) int // in a row, before this order
	log      *slog.Logger
}

func newIssuer(conf *Config, at Authority, solving *challenges, failures func(string) int, log *slog.Logger) *issuer {
	return &issuer{conf: conf, at: at, solving: solving, failures: failures, log: log}
}

// IssuerKey implements certmagic.Issuer.
func (is *issuer) IssuerKey() string { return is.at.Directory }

// Issue implements certmagic.Issuer.
func (is *issuer) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	return nil, errors.New("not built yet")
}

// GetRenewalInfo implements certmagic.RenewalInfoGetter (RFC 9773).
func (is *issuer) GetRenewalInfo(ctx context.Context, cert certmagic.Certificate) (rfc8555.RenewalInfo, error) {
	return rfc8555.RenewalInfo{}, errors.New("not built yet")
}
