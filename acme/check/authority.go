package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	rfc8555 "github.com/mholt/acmez/v3/acme"

	"github.com/edgeftp/edgeftp/acme"
)

// endpoint is a directory that orders are made at.
type endpoint struct {
	at     acme.Authority
	url    string
	role   string // "", staging or fallback
	staged bool

	dir    rfc8555.Directory
	public bool          // it has a public address
	skew   time.Duration // what its clock is ahead of ours
	dated  bool          // skew is known
	limits []string      // header fields that speak of limits
	err    error
	nonce  error
}

func endpoints(authorities []acme.Authority) []*endpoint {
	var all []*endpoint
	add := func(a acme.Authority, url, role string, staged bool) {
		if !slices.ContainsFunc(all, func(e *endpoint) bool { return e.url == url }) {
			all = append(all, &endpoint{at: a, url: url, role: role, staged: staged})
		}
	}
	for i, a := range authorities {
		role := ""
		if i > 0 {
			role = "fallback"
		}
		add(a, a.Directory, role, false)
		if a.Staging != "" {
			add(a, a.Staging, "staging", true)
		}
	}
	return all
}

// errDirectory says that an answer is no directory.
var errDirectory = errors.New("what it answers is no ACME directory (RFC 8555 §7.1.1)")

// statusError is an answer without a directory.
type statusError struct {
	code int
	text string
}

// Error implements error.
func (e *statusError) Error() string { return "it answers " + quoted(e.text) }

// look asks for the directory and for a nonce. It goes around all caches, also those of
// this process.
func (e *endpoint) look(ctx context.Context, resolver string) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	client := e.client(resolver)
	defer client.CloseIdleConnections()
	resp, body, err := e.get(ctx, client, http.MethodGet, e.url)
	if err != nil {
		e.err = err
		return
	}
	e.facts(resp)
	switch {
	case resp.StatusCode != http.StatusOK:
		e.err = &statusError{resp.StatusCode, resp.Status}
		return
	case json.Unmarshal(body, &e.dir) != nil, e.dir.NewNonce == "", e.dir.NewOrder == "", e.dir.NewAccount == "":
		e.err = errDirectory
		return
	}
	for _, to := range []string{e.dir.NewNonce, e.dir.NewAccount, e.dir.NewOrder} {
		if e.err = e.encrypted(to); e.err != nil {
			return
		}
	}
	resp, _, err = e.get(ctx, client, http.MethodHead, e.dir.NewNonce)
	switch {
	case err != nil:
		e.nonce = errors.New(reason(err))
	case resp.Header.Get("Replay-Nonce") == "":
		e.nonce = fmt.Errorf("it answers %s without a Replay-Nonce", quoted(resp.Status))
	default:
		e.facts(resp)
	}
}

const mostRedirects = 10

// encrypted refuses what leads from an encrypted directory into clear text: so do orders.
func (e *endpoint) encrypted(to string) error {
	if strings.HasPrefix(e.url, "https:") && !strings.HasPrefix(to, "https:") {
		return fmt.Errorf("it leads to %s, which is not encrypted", quoted(to))
	}
	return nil
}

// facts takes from the header fields what they say of time and limits.
func (e *endpoint) facts(resp *http.Response) {
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil && resp.Header.Get("Age") == "" && !e.dated {
		e.skew, e.dated = time.Until(at), true
	}
	for name, values := range resp.Header {
		if n := strings.ToLower(name); strings.HasPrefix(n, "ratelimit") || strings.HasPrefix(n, "x-ratelimit") || n == "retry-after" {
			if line := quoted(name + ": " + list(values)); !slices.Contains(e.limits, line) {
				e.limits = append(e.limits, line)
			}
		}
	}
	slices.Sort(e.limits)
}

func (e *endpoint) client(resolver string) *http.Client {
	dialer := &net.Dialer{Timeout: probeTime}
	if resolver != "" {
		server := newResolver(resolver).servers[0]
		dialer.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server)
		}}
	}
	redirect := func(r *http.Request, via []*http.Request) error {
		if len(via) >= mostRedirects {
			return errors.New("it leads in circles")
		}
		return e.encrypted(r.URL.String())
	}
	return &http.Client{CheckRedirect: redirect, Transport: &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DialContext:       dialer.DialContext,
		TLSClientConfig:   &tls.Config{RootCAs: e.at.Roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}}
}

// get makes one request, and notes at which address it was answered.
func (e *endpoint) get(ctx context.Context, client *http.Client, method, at string) (*http.Response, []byte, error) {
	const most = 1 << 20
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if p, err := netip.ParseAddrPort(c.Conn.RemoteAddr().String()); err == nil && private(p.Addr()) == "" {
			e.public = true
		}
	}}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), method, at, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("User-Agent", "edgeftp-check")
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	return resp, body, err
}

// checkAuthorities tells what was found. What is wrong with a fallback or a staging
// directory is a warning: orders are made without them.
func (r *run) checkAuthorities() {
	if len(r.ends) == 0 {
		r.add(areaAuthority, "ca", Fail, "no authority is configured", "set certificates.acme.ca")
	}
	for _, e := range r.ends {
		worst := Fail
		if e.role != "" {
			worst = Warn
		}
		if e.err != nil {
			text, help := e.unreachable()
			r.add(areaAuthority, e.url, worst, text, help)
			r.checkClock(e)
			continue
		}
		r.add(areaAuthority, e.url, OK, e.offer(), "")
		if e.nonce != nil {
			r.add(areaAuthority, e.url, worst, "it gives no nonce, without which nothing can be asked of it: "+e.nonce.Error(),
				"the authority has a fault, or something between cuts its answers; its status page may say more")
		}
		r.checkBinding(e, worst)
		r.checkProfiles(e, worst)
		if e.dir.RenewalInfo == "" {
			r.add(areaAuthority, e.url, Note, "it offers no renewal information (RFC 9773): certificates are renewed by their age alone", "nothing is to be done")
		}
		if len(e.limits) > 0 {
			r.add(areaAuthority, e.url, Note, "it speaks of limits: "+list(e.limits), "make no orders before the time that it names")
		}
		r.checkClock(e)
	}
}

// unreachable says why a directory cannot be had.
func (e *endpoint) unreachable() (text, help string) {
	var (
		of      *url.Error
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		dns     *net.DNSError
	)
	var status *statusError
	if errors.As(e.err, &status) && (status.code >= 500 || status.code == http.StatusTooManyRequests) {
		text = "the authority gives no directory: " + e.err.Error()
		if len(e.limits) > 0 {
			text += " with " + list(e.limits)
		}
		return text, "it is in maintenance, overloaded, or has had too many requests from here: its status page may say more; try again later"
	}
	if !errors.As(e.err, &of) {
		return "this is no directory: " + e.err.Error(), "compare ca: with the URL of the directory in the authority's documentation"
	}
	text = "the directory cannot be reached: " + reason(e.err)
	switch {
	case errors.As(e.err, &unknown):
		help = "for an authority of your own, give its root certificate as trusted_roots; otherwise update this machine's roots (package ca-certificates)"
		if e.at.Roots != nil {
			help = "the file of trusted_roots holds other certificates than the one that signed the directory's"
		}
	case errors.As(e.err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		text = fmt.Sprintf("the directory's certificate is valid from %s to %s, and by this machine's clock it is %s",
			stamp(invalid.Cert.NotBefore), stamp(invalid.Cert.NotAfter), stamp(time.Now()))
		help = "compare the clock with another one (timedatectl); if it is right, the authority is to renew its certificate"
	case errors.As(e.err, &dns):
		help = "look at the spelling of ca:, and at the DNS servers of this machine (or resolver:)"
	default:
		help = "the server makes connections to it: allow them in the firewall, and look whether a proxy is needed (HTTPS_PROXY)"
	}
	return text, help
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// offer is what a directory says of itself.
func (e *endpoint) offer() string {
	words := []string{"the directory answers and gives a nonce"}
	if e.nonce != nil {
		words[0] = "the directory answers"
	}
	if e.role != "" {
		words[0] += " (" + e.role + ")"
	}
	m := e.dir.Meta
	if m == nil {
		return words[0]
	}
	if len(m.Profiles) > 0 {
		words = append(words, "profiles "+quoted(list(slices.Sorted(maps.Keys(m.Profiles)))))
	}
	if m.TermsOfService != "" {
		words = append(words, "terms "+quoted(m.TermsOfService))
	}
	if e.dir.RenewalInfo != "" {
		words = append(words, "renewal information")
	}
	return strings.Join(words, "; ")
}

// checkBinding looks at the external account (RFC 8555 §7.3.4).
func (r *run) checkBinding(e *endpoint, worst Level) {
	needed := e.dir.Meta != nil && e.dir.Meta.ExternalAccountRequired
	b := e.at.Binding
	switch {
	case needed && b == nil:
		r.add(areaAuthority, e.url, worst, "it makes accounts only for customers (externalAccountRequired), and no account_binding is configured",
			"get a key id and a MAC key from the authority, and set account_binding: { key_id: ..., mac: ... }")
	case b != nil:
		_, err := base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(strings.TrimSpace(b.MAC), "=")))
		if err != nil || b.MAC == "" || b.KeyID == "" {
			r.add(areaAuthority, e.url, worst, "the key id is empty, or the MAC key of account_binding is not base64url (RFC 8555 §7.3.4)",
				"copy both as the authority shows them, without spaces and line ends")
		}
	}
}

// checkProfiles looks whether the kinds of certificates that are configured are offered.
func (r *run) checkProfiles(e *endpoint, worst Level) {
	offered := []string{}
	if e.dir.Meta != nil {
		offered = slices.Sorted(maps.Keys(e.dir.Meta.Profiles))
	}
	want := map[string]string{}
	for _, s := range r.names {
		switch {
		case s.wrong != nil:
		case s.ip.IsValid() && e.at.AddressProfile != "":
			want[e.at.AddressProfile] = "address_profile"
		case e.at.Profile != "":
			want[e.at.Profile] = "profile"
		}
	}
	for _, profile := range slices.Sorted(maps.Keys(want)) {
		if slices.Contains(offered, profile) {
			continue
		}
		has := "it offers " + quoted(list(offered))
		if len(offered) == 0 {
			has = "it offers no profiles"
		}
		r.add(areaAuthority, e.url, worst, fmt.Sprintf("the %s %s is not offered; %s", want[profile], quoted(profile), has),
			fmt.Sprintf("set %s to one that is offered, or leave it out", want[profile]))
	}
}

// checkClock compares the clocks. Nonces and certificates do not bear large
// differences.
func (r *run) checkClock(e *endpoint) {
	const much, tooMuch = 5 * time.Minute, time.Hour
	if !e.dated || e.role != "" {
		return
	}
	off := e.skew.Abs().Round(time.Second)
	if off > much {
		off = off.Round(time.Minute)
	}
	where := "behind"
	if e.skew < 0 {
		where = "ahead of"
	}
	text := fmt.Sprintf("this machine's clock is %s %s the authority's", off, where)
	help := "set the clock, and keep it by NTP (timedatectl set-ntp true)"
	switch {
	case off > tooMuch:
		r.add(areaClock, e.url, Fail, text, help)
	case off > much:
		r.add(areaClock, e.url, Warn, text, help)
	default:
		r.add(areaClock, e.url, OK, fmt.Sprintf("this machine's clock and the authority's are %s apart", off), "")
	}
}
