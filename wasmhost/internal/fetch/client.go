package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/outbound"
)

// Times of a fetch, from the look-up of the name to the last byte of the body.
const (
	DefaultTimeout = 2 * time.Second
	MaxTimeout     = 10 * time.Second
)

// DefaultConcurrent is how many fetches a client carries out at one time.
const DefaultConcurrent = 8

// Config says where a [Client] may go. The zero value goes nowhere.
type Config struct {
	// Allow lists origins: "https://api.example.com", "api.example.com:8443",
	// "*.example.com" (all names below it), "http://192.0.2.7". Without a scheme
	// only https is meant, and only what says http:// is fetched unprotected. A name
	// must resolve to public addresses alone; an address literal may be any.
	Allow []string
	// Private lists origins like Allow whose names may lead anywhere, also into the
	// server's own network and to the server itself.
	Private []string
	// Concurrent is how many fetches there may be at one time, 0 for
	// DefaultConcurrent.
	Concurrent int
	// Timeout bounds one fetch, 0 for DefaultTimeout. Above MaxTimeout it is
	// MaxTimeout.
	Timeout time.Duration
	// Roots verify the servers' certificates; nil stands for the system's.
	Roots *x509.CertPool
	// Resolve looks names up; nil stands for the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Check returns what is wrong with an entry of Allow or Private, nil if nothing is.
func Check(origin string) error {
	_, err := parseRule(origin, false)
	return err
}

// Client carries out fetches. It is safe for concurrent use.
type Client struct {
	rules     []rule
	slots     chan struct{}
	timeout   time.Duration
	roots     *x509.CertPool
	dialer    outbound.Dialer
	transport *http.Transport

	mu     sync.Mutex // guards closed, and that nothing is added to busy afterwards
	closed bool
	busy   sync.WaitGroup // fetches, and connections that are being made
	stop   context.CancelFunc
	life   context.Context // ends with Close
}

// New returns a client. It fails if an entry of the lists is malformed.
func New(c Config) (*Client, error) {
	cl := &Client{timeout: c.Timeout, roots: c.Roots}
	cl.dialer = outbound.Dialer{Resolve: c.Resolve, May: cl.may}
	for i, origins := range [][]string{c.Allow, c.Private} {
		for _, o := range origins {
			r, err := parseRule(o, i == 1)
			if err != nil {
				return nil, fmt.Errorf("the origin %q %w", o, err)
			}
			cl.rules = append(cl.rules, r)
		}
	}
	if cl.timeout <= 0 {
		cl.timeout = DefaultTimeout
	}
	cl.timeout = min(cl.timeout, MaxTimeout)
	if c.Concurrent <= 0 {
		c.Concurrent = DefaultConcurrent
	}
	cl.slots = make(chan struct{}, c.Concurrent)
	cl.life, cl.stop = context.WithCancel(context.Background())
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	cl.transport = &http.Transport{
		Proxy:                  nil, // also none of the environment
		DialContext:            cl.dial,
		DialTLSContext:         cl.dialTLS,
		DisableCompression:     true, // what is packed stays packed: it has the size that it says
		MaxIdleConns:           c.Concurrent,
		MaxIdleConnsPerHost:    c.Concurrent,
		MaxConnsPerHost:        c.Concurrent,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: MaxFieldBytes,
		Protocols:              protocols,
	}
	return cl, nil
}

// Close ends the fetches that run and waits for them. Later ones fail.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.busy.Wait()
	c.transport.CloseIdleConnections()
}

// enter counts one more goroutine that Close waits for, false after Close.
func (c *Client) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.busy.Add(1)
	}
	return !c.closed
}

// Do carries out one fetch. Its errors wrap one of this package's; their text says
// more and is for a log. It never waits for another fetch.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	req, err := c.prepare(r)
	if err != nil {
		return nil, err
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		return nil, ErrBusy
	}
	if !c.enter() {
		return nil, fmt.Errorf("%w: the client is closed", ErrFailed)
	}
	defer c.busy.Done()
	timeout := c.timeout
	if r.Timeout > 0 {
		timeout = min(timeout, r.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	res, err := c.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, sort(ctx, err)
	}
	defer res.Body.Close()
	return read(ctx, res, r.MaxBody)
}

// Allows reports whether requests to an origin are allowed. host is a name in lower
// case, or an address without brackets.
func (c *Client) Allows(scheme, host string, port uint16) bool {
	return slices.ContainsFunc(c.rules, func(r rule) bool { return r.scheme == scheme && r.matches(host, port) })
}

// plain gives an address its one form, and leaves a name alone.
func plain(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	return host
}

// prepare checks everything that can be known before a connection is made.
func (c *Client) prepare(r *Request) (*http.Request, error) {
	if !methodAllowed(r.Method) {
		return nil, fmt.Errorf("%w: the method is none of GET, HEAD, POST, PUT, PATCH, DELETE", ErrRequest)
	}
	if len(r.Body) > MaxBody {
		return nil, fmt.Errorf("%w: a body of %d bytes, at most %d are sent", ErrRequest, len(r.Body), MaxBody)
	}
	u, host, port, err := target(r.URL)
	if err != nil {
		return nil, err
	}
	if !c.Allows(u.Scheme, host, port) || r.Permit != nil && !r.Permit(u.Scheme, plain(host), port) {
		return nil, fmt.Errorf("%w: %s://%s", ErrDenied, u.Scheme, net.JoinHostPort(host, strconv.Itoa(int(port))))
	}
	h, err := fields(r.Headers)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(r.Method, u.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	req.Header = h
	return req, nil
}

// sort gives an error of the transport one of this package's meanings.
//
// The text of an error of the protocol may hold bytes of the response, so it is not
// passed on; errors of the connection do not.
func sort(ctx context.Context, err error) error {
	var timeout net.Error
	var cert *tls.CertificateVerificationError
	var dial *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, outbound.ErrDenied):
		return fmt.Errorf("%w: %w", ErrDenied, err)
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout(): // or nobody waits any more
		return ErrTimeout
	case strings.Contains(err.Error(), "server response headers exceeded"):
		return fmt.Errorf("%w: more than %d bytes of fields", ErrLarge, MaxFieldBytes)
	case errors.As(err, &cert):
		return fmt.Errorf("%w: %w", ErrFailed, cert)
	case errors.As(err, &dns):
		return fmt.Errorf("%w: %w", ErrFailed, dns)
	case errors.As(err, &dial):
		return fmt.Errorf("%w: %w", ErrFailed, dial)
	}
	return fmt.Errorf("%w: the server's answer is no valid response", ErrFailed)
}

// read takes the response, at most limit bytes of its body.
func read(ctx context.Context, res *http.Response, limit int) (*Response, error) {
	if limit == 0 || limit > MaxResponse {
		limit = MaxResponse
	}
	limit = max(limit, 0)
	out := &Response{Status: res.StatusCode}
	for name, values := range res.Header {
		for _, v := range values {
			out.Headers = append(out.Headers, Header{Name: name, Value: v})
		}
	}
	if len(out.Headers) > MaxFields {
		return nil, fmt.Errorf("%w: %d fields", ErrLarge, len(out.Headers))
	}
	slices.SortStableFunc(out.Headers, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	if res.ContentLength > int64(limit) && res.Request.Method != "HEAD" {
		return nil, fmt.Errorf("%w: a body of %d bytes", ErrLarge, res.ContentLength)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(limit)+1))
	if err != nil {
		return nil, sort(ctx, err)
	}
	if len(body) > limit {
		return nil, fmt.Errorf("%w: a body of more than %d bytes", ErrLarge, limit)
	}
	out.Body = body
	return out, nil
}

// dial connects to what a host and port of an allowed origin resolve to.
//
// The transport may finish a connection for a later request than the one that
// wanted it, so it has a time of its own and ends with the client.
func (c *Client) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	if !c.enter() {
		return nil, net.ErrClosed
	}
	defer c.busy.Done()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	return c.dialer.DialContext(ctx, network, hostport)
}

// dialTLS is dial with a verified handshake on top.
func (c *Client) dialTLS(ctx context.Context, network, hostport string) (net.Conn, error) {
	if !c.enter() {
		return nil, net.ErrClosed
	}
	defer c.busy.Done()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	raw, err := c.dialer.DialContext(ctx, network, hostport)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	conn := tls.Client(raw, &tls.Config{ServerName: host, RootCAs: c.roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return conn, nil
}

// may reports whether a connection may go to an address that a host of an allowed origin
// is, or leads to.
func (c *Client) may(host string, port uint16, addr netip.Addr) bool {
	private := slices.ContainsFunc(c.rules, func(r rule) bool { return r.private && r.matches(host, port) })
	_, err := netip.ParseAddr(host)
	return private || err != nil && outbound.Public(addr)
}
