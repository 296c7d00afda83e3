package check

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// acmeTLS is the protocol of TLS-ALPN-01 (RFC 8737 §6.2).
const acmeTLS = "acme-tls/1"

// visit is what an authority would meet at one address.
type visit struct {
	right bool   // this check has answered
	shape string // what has answered otherwise, to compare: the same server has the same
	words string // what has answered, for people
	token string
	hops  []string
	err   error // nothing has answered

	refused bool // of TLS: by an alert that this server might send as well
	foreign bool // of TLS: in a way in which this server does not
}

// redirectError says why an authority would not follow.
type redirectError struct{ why string }

// Error implements error.
func (e *redirectError) Error() string { return e.why }

// visitHTTP fetches a token as an authority does (RFC 8555 §8.3), from the given
// address: redirects are followed, certificates behind them are not verified.
func (r *run) visitHTTP(ctx context.Context, d *doors, s *subject, at netip.AddrPort) visit {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	token, value := d.token()
	if len(d.open) == 0 {
		token = "check-" + rand.Text() // nobody knows it, and all answer it alike
	}
	v := visit{token: token}
	client := r.visitor(s, at, &v)
	defer client.CloseIdleConnections()
	host := s.base
	if s.ip.Is6() {
		host = "[" + host + "]"
	}
	if at.Port() != 80 {
		host += ":" + strconv.Itoa(int(at.Port()))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+challengePath+token, nil)
	if err != nil {
		return visit{err: err}
	}
	req.Header.Set("User-Agent", "edgeftp-check")
	resp, err := client.Do(req)
	if err != nil {
		v.err = err
		return v
	}
	defer func() { _ = resp.Body.Close() }() // was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		v.err = err
		return v
	}
	v.right = resp.StatusCode == http.StatusOK && string(bytes.TrimSpace(body)) == value
	v.words = "it answers " + quoted(resp.Status)
	if name := resp.Header.Get("Server"); name != "" {
		v.words += " as " + quoted(name)
	}
	v.shape = fmt.Sprintf("%d %q %x", resp.StatusCode, resp.Header.Get("Server"), sha256.Sum256(bytes.ReplaceAll(body, []byte(token), nil)))
	return v
}

// visitor is a client that finds the subject at one address, and notes redirects.
func (r *run) visitor(s *subject, at netip.AddrPort, v *visit) *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		ip := at.Addr()
		if host != s.base {
			others, _, err := r.dns.addresses(ctx, host)
			if err == nil && len(others) == 0 {
				err = errors.New("it has no address")
			}
			if err != nil {
				return nil, &net.DNSError{Err: err.Error(), Name: host}
			}
			ip = others[0]
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
	}
	return &http.Client{
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			const most = 10
			if hop := quoted(strings.ReplaceAll(req.URL.Redacted(), v.token, "TOKEN")); !slices.Contains(v.hops, hop) {
				v.hops = append(v.hops, hop)
			}
			port := req.URL.Port()
			usual := []string{"", "80", "443", strconv.Itoa(r.opt.Ports.HTTP), strconv.Itoa(r.opt.Ports.TLS)}
			switch {
			case len(via) >= most:
				return &redirectError{fmt.Sprintf("there are more than %d redirects", most)}
			case req.URL.Scheme != "http" && req.URL.Scheme != "https", !slices.Contains(usual, port):
				return &redirectError{"authorities follow to HTTP on port 80 and HTTPS on port 443 alone"}
			}
			return nil
		},
	}
}

// sni is the server name of a challenge: that of an address is in reverse (RFC 8738 §6).
func sni(s *subject) string {
	if s.ip.IsValid() {
		if name, err := dns.ReverseAddr(s.ip.String()); err == nil {
			return plain(name)
		}
	}
	return s.base
}

// visitTLS makes the handshake of TLS-ALPN-01 (RFC 8737 §3).
func (r *run) visitTLS(ctx context.Context, d *doors, s *subject, address string) visit {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return visit{err: err}
	}
	defer func() { _ = c.Close() }() // nothing is sent any more
	t := tls.Client(c, &tls.Config{ServerName: sni(s), NextProtos: []string{acmeTLS}, InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch err := t.HandshakeContext(ctx); {
	case errors.As(err, &record):
		return visit{words: "something that is not TLS answers", shape: "plain", foreign: true}
	case err != nil && strings.Contains(err.Error(), "no application protocol"): // alert 120, RFC 7301 §3.2
		return visit{words: "its TLS does not take part in " + acmeTLS, shape: err.Error(), foreign: true}
	case errors.As(err, &alert), err != nil && strings.Contains(err.Error(), "remote error"):
		return visit{words: "it refuses a handshake for " + acmeTLS + " (" + quoted(err.Error()) + ")", shape: err.Error(), refused: true}
	case err != nil && ctx.Err() == nil && !isTimeout(err):
		return visit{words: "it ends the handshake (" + quoted(err.Error()) + ")", shape: "closed"}
	case err != nil:
		return visit{err: err}
	}
	state := t.ConnectionState()
	v := visit{shape: state.NegotiatedProtocol + " " + leafWords(state)}
	leaf := state.PeerCertificates[0].Raw
	v.right = state.NegotiatedProtocol == acmeTLS && d.cert != nil && bytes.Equal(leaf, d.cert.Certificate[0])
	v.words = "it answers with a certificate for " + leafWords(state)
	if state.NegotiatedProtocol != acmeTLS {
		v.foreign = true
		v.words += " and does not take part in " + acmeTLS
	}
	return v
}

// leafAt is the certificate that ordinary clients of a name are shown, or nil.
func (r *run) leafAt(ctx context.Context, s *subject, address string) []byte {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	conf := &tls.Config{InsecureSkipVerify: true}
	if !s.ip.IsValid() {
		conf.ServerName = s.base
	}
	c, err := (&tls.Dialer{Config: conf}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil
	}
	defer func() { _ = c.Close() }() // nothing is sent any more
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw
}

// visitAny is the visit of a challenge to an address.
func (r *run) visitAny(ctx context.Context, d *doors, s *subject, at netip.AddrPort) visit {
	if d.kind == http01 {
		return r.visitHTTP(ctx, d, s, at)
	}
	return r.visitTLS(ctx, d, s, at.String())
}

// atHome is what a held door shows to a visitor from this machine. Without a shape it
// is not known.
func (r *run) atHome(ctx context.Context, d *doors, s *subject) visit {
	for _, address := range d.held {
		at, err := net.ResolveTCPAddr("tcp", inside(address))
		if err != nil {
			continue
		}
		if v := r.visitAny(ctx, d, s, at.AddrPort()); v.err == nil {
			return v
		}
	}
	return visit{}
}

// stay is a moment between two looks. False: ctx has ended.
func stay(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
