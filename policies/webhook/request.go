package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/outbound"
	"github.com/edgeftp/edgeftp/edge/policy"
)

const (
	pauseFirst = time.Second     // after the first attempt that came to nothing
	pauseMost  = 5 * time.Minute // it doubles up to that
	askedMost  = time.Hour       // of a receiver's Retry-After
	readMost   = 16 << 10        // of an answer; what is more is not waited for
	maxURL     = 2048
	maxHeader  = 4096
)

// target is where requests go.
type target struct {
	url    *url.URL
	origin string // scheme, host and port
}

// Check returns what is wrong with a URL, nil if nothing is. The text does not hold it.
func Check(text string, private bool) error {
	_, err := parse(text, private)
	return err
}

// Origin is the part of a URL that is no secret, and the port; both are zero for what is
// no URL of a webhook.
func Origin(text string) (origin string, port uint16) {
	t, err := parse(text, true)
	if err != nil {
		return "", 0
	}
	return t.origin, t.port()
}

// Host is the host of a URL, as it is written, empty for what is none.
func Host(text string) string {
	t, err := parse(text, true)
	if err != nil {
		return ""
	}
	return strings.ToLower(t.url.Hostname())
}

func (t *target) port() uint16 {
	if n, err := strconv.ParseUint(t.url.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if t.url.Scheme == "http" {
		return 80
	}
	return 443
}

func parse(text string, private bool) (*target, error) {
	if len(text) > maxURL || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
		return nil, errors.New("the URL holds a space, a control character or one beyond ASCII, or is longer than 2048 bytes")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return nil, errors.New("the URL is not one such as https://hooks.example.org/ftp")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("the URL has another scheme than https")
	case u.User != nil:
		return nil, errors.New("the URL holds a user: send Authorization among the headers")
	case u.Fragment != "":
		return nil, errors.New("the URL has a fragment, which is sent to nobody")
	case u.Scheme == "http" && !private:
		return nil, errors.New("the URL is http, over which everybody on the way reads the events")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, errors.New("the URL has no valid port")
		}
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !mayReach(u.Scheme, addr, private) {
		return nil, errors.New("the URL leads to an address that is none of the Internet")
	}
	return &target{url: u, origin: u.Scheme + "://" + u.Host}, nil
}

// mayReach reports whether requests may go to an address. Without TLS they stay in the
// own network.
func mayReach(scheme string, addr netip.Addr, private bool) bool {
	public := outbound.Public(addr)
	if !private {
		return public && scheme == "https"
	}
	return outbound.Reachable(addr) && (scheme == "https" || !public)
}

// CheckHeader returns what is wrong with a field of requests, nil if nothing is. The text
// does not hold the value.
func CheckHeader(name, value string) error {
	lower := strings.ToLower(name)
	bad := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }
	switch {
	case name == "" || strings.ContainsFunc(name, bad):
		return fmt.Errorf("the header %q is no name of one", name)
	case slices.Contains([]string{"host", "connection", "content-length", "content-type", "content-encoding", "transfer-encoding", "te", "trailer", "upgrade",
		"expect", "keep-alive", "user-agent", strings.ToLower(HeaderID), strings.ToLower(HeaderTime), strings.ToLower(HeaderSignature)}, lower) || strings.HasPrefix(lower, "proxy-"):
		return fmt.Errorf("the header %s is the server's own", name)
	case len(value) > maxHeader || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return fmt.Errorf("the value of the header %s holds a control character, or is longer than %d bytes", name, maxHeader)
	}
	return nil
}

// transport makes the connections of one hook.
func transport(conf *Config) *http.Transport {
	scheme, _, _ := strings.Cut(conf.URL, ":")
	private := conf.Private
	d := &outbound.Dialer{Resolve: conf.Resolve, May: func(_ string, _ uint16, a netip.Addr) bool { return mayReach(strings.ToLower(scheme), a, private) }}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	timeout := conf.Timeout
	return &http.Transport{
		Proxy: nil, // also none of the environment
		DialContext: func(ctx context.Context, network, hostport string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, timeout) // a connection may outlive who wanted it
			defer cancel()
			return d.DialContext(ctx, network, hostport)
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    timeout,
		DisableCompression:     true,
		MaxIdleConns:           2,
		MaxConnsPerHost:        2, // one for events, one to try it
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: readMost,
		Protocols:              protocols,
	}
}

// answer is what came of a request.
type answer struct {
	status int
	err    error         // nil: it was taken
	final  bool          // repeating it would not help
	after  time.Duration // that the receiver asks for
}

// post makes one request.
func (h *Hook) post(ctx context.Context, e *policy.Event) answer {
	ctx, cancel := context.WithTimeout(ctx, h.conf.Timeout)
	defer cancel()
	req, err := h.request(ctx, e)
	if err != nil {
		return answer{err: err, final: true}
	}
	res, err := h.client.RoundTrip(req)
	if err != nil {
		return answer{err: reason(ctx, err, h.conf.Timeout)}
	}
	_, _ = io.CopyN(io.Discard, res.Body, readMost) // so that the connection can be used again; nobody looks at it
	_ = res.Body.Close()
	return judge(res, time.Now())
}

func (h *Hook) request(ctx context.Context, e *policy.Event) (*http.Request, error) {
	id := ID(h.conf.Instance, e)
	text, err := body(id, h.conf.Instance, e)
	if err != nil {
		return nil, fmt.Errorf("the event has no form: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.target.url.String(), bytes.NewReader(text))
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	for name, value := range h.conf.Headers {
		req.Header.Set(name, value)
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", h.conf.Version)
	req.Header.Set(HeaderID, id)
	req.Header.Set(HeaderTime, now)
	if h.conf.Secret != "" {
		req.Header.Set(HeaderSignature, Sign(h.conf.Secret, now, text))
	}
	return req, nil
}

// judge says what an answer means.
func judge(res *http.Response, now time.Time) answer {
	a := answer{status: res.StatusCode}
	if a.status >= 200 && a.status < 300 {
		return a
	}
	a.err = fmt.Errorf("the receiver answered %d %s", a.status, http.StatusText(a.status))
	switch {
	case a.status < 400:
		a.err = fmt.Errorf("%w: redirects are not followed, name the URL that it leads to", a.err)
	case a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable:
		a.after = retryAfter(res.Header.Get("Retry-After"), now)
	case a.status == http.StatusRequestTimeout || a.status == http.StatusTooEarly || a.status >= 500:
	default:
		a.final = true
	}
	return a
}

// retryAfter reads a field Retry-After (RFC 9110 §10.2.3), within bounds; 0 for what is none.
func retryAfter(text string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		wait = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), askedMost)
}

// pause is how long to wait after a number of attempts in a row that came to nothing: it
// doubles, and chance, 0 to 1, takes up to half of it away, so that many servers do not
// come back at one moment.
func pause(fails int, chance float64) time.Duration {
	d := pauseMost
	if fails < 10 {
		d = min(pauseFirst<<max(fails-1, 0), pauseMost)
	}
	return d - time.Duration(chance*float64(d/2))
}

// reason is the error of a request without what it might give away: the text of an error
// of the protocol may hold bytes of the answer.
func reason(ctx context.Context, err error, timeout time.Duration) error {
	var slow net.Error
	var cert *tls.CertificateVerificationError
	var alert tls.AlertError
	var dns *net.DNSError
	var dial *net.OpError
	switch {
	case errors.Is(err, outbound.ErrDenied):
		return fmt.Errorf("%w; allow_private lets a webhook lead into the own network", err)
	case errors.Is(ctx.Err(), context.Canceled):
		return errInterrupted
	case ctx.Err() != nil, errors.As(err, &slow) && slow.Timeout():
		return fmt.Errorf("there was no answer within %v", timeout)
	case errors.As(err, &cert):
		return fmt.Errorf("the receiver's certificate is not accepted: %w", cert.Err)
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &alert):
		return alert
	case errors.As(err, &dial):
		return dial
	}
	return errors.New("the connection ended without a valid answer")
}
