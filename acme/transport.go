package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	rfc8555 "github.com/mholt/acmez/v3/acme"
)

const (
	dialTime    = 10 * time.Second
	answerTime  = 30 * time.Second // until the header of an answer
	wholeTime   = 60 * time.Second
	mostAnswer  = 1 << 20 // bytes; a chain of certificates has some thousand
	mostHeaders = 64 << 10
	downAfter   = 3 // failures in a row
	downTime    = 20 * time.Second
)

// web is the way to an authority. It goes nowhere in clear text, reads no endless
// answers, and does not let every name wait for an authority that is down.
type web struct {
	next      *http.Transport
	directory string
	patience  time.Duration // with the directory: everybody who needs any waits for it

	mu    sync.Mutex
	fails int // of the directory, in a row
	last  error
	until time.Time // the directory is not asked for before
}

func newWeb(conf *Config, roots *x509.CertPool, directory string) *web {
	dialer := &net.Dialer{Timeout: dialTime, Resolver: resolver(conf.Resolver)}
	return &web{directory: directory, patience: dialTime, next: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   dialTime,
		ResponseHeaderTimeout: answerTime,
		IdleConnTimeout:       answerTime,
		MaxIdleConnsPerHost:   4,
		ForceAttemptHTTP2:     true,

		MaxResponseHeaderBytes: mostHeaders,
	}}
}

// resolver asks one DNS server, HOST:PORT. Empty: those of the operating system.
func resolver(server string) *net.Resolver {
	if server == "" {
		return net.DefaultResolver
	}
	dialer := net.Dialer{Timeout: dialTime}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, server)
	}}
}

func (w *web) client() *http.Client { return &http.Client{Transport: w, Timeout: wholeTime} }

// close ends connections that are idle.
func (w *web) close() { w.next.CloseIdleConnections() }

// secure refuses clear text, but on this machine.
func secure(u *url.URL) error {
	host := u.Hostname()
	ip, err := netip.ParseAddr(host)
	switch local := host == "localhost" || err == nil && ip.IsLoopback(); {
	case host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%s is no https address", u.Redacted())
	case u.Scheme == "http" && !local:
		return fmt.Errorf("%s is not encrypted; an authority is asked by https (RFC 8555 §6.1)", u.Redacted())
	}
	return nil
}

// RoundTrip implements http.RoundTripper.
func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := secure(r.URL); err != nil {
		return nil, err
	}
	if r.URL.Scheme == "http" && strings.HasPrefix(w.directory, "https:") { // of a program on this machine
		return nil, fmt.Errorf("%s is not encrypted, and the authority's directory is", r.URL.Redacted())
	}
	first := r.Method == http.MethodGet && r.URL.String() == w.directory
	if err := w.down(); first && err != nil && r.Context().Value(nowKey{}) == nil {
		return nil, err
	}
	end, whole := func() {}, r.Context()
	if first {
		ctx, cancel := context.WithTimeout(whole, w.patience)
		r, end = r.WithContext(ctx), cancel
	}
	resp, err := w.next.RoundTrip(r)
	if first && whole.Err() == nil {
		w.note(err)
	}
	if err != nil {
		end()
		return nil, err
	}
	if p, ok := r.Context().Value(pauseKey{}).(*pause); ok {
		p.note(resp)
	}
	pace(resp.Header)
	resp.Body = &atMost{resp.Body, mostAnswer, end}
	return resp, nil
}

func (w *web) down() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Now().Before(w.until) {
		return fmt.Errorf("it did not answer just now: %w", w.last)
	}
	return nil
}

func (w *web) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last = err; err == nil {
		w.fails, w.until = 0, time.Time{}
	} else if w.fails++; w.fails >= downAfter {
		w.fails, w.until = 0, time.Now().Add(downTime)
	}
}

// atMost is the body of an answer that may have left bytes.
type atMost struct {
	io.ReadCloser
	left int
	end  func() // called when it is closed
}

// Read implements io.Reader.
func (a *atMost) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if a.left -= n; a.left < 0 {
		return 0, errors.New("the answer is longer than any that an authority gives")
	}
	return n, err
}

// Close implements io.Closer.
func (a *atMost) Close() error {
	a.end()
	return a.ReadCloser.Close()
}

type pauseKey struct{}

// pause is when an authority may be asked again, as the answers to one order say.
type pause struct {
	mu    sync.Mutex
	until time.Time
}

func (p *pause) note(resp *http.Response) {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = retryAfter(resp.Header.Get("Retry-After"), time.Now())
}

// of reports whether err is a limit, and until when. The time is zero if the authority
// does not say.
func (p *pause) of(err error) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var problem rfc8555.Problem
	limited := errors.As(err, &problem) && problem.Type == rfc8555.ProblemTypeRateLimited
	return p.until, limited || !p.until.IsZero()
}

// retryAfter reads the header field (RFC 9110 §10.2.3): seconds or a date, a week at
// most. Zero: it says nothing.
func retryAfter(value string, now time.Time) time.Time {
	at := now
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		at = now.Add(min(time.Duration(min(seconds, int(longest/time.Second)))*time.Second, longest))
	} else if date, err := http.ParseTime(value); err == nil {
		at = date
	}
	switch {
	case !at.After(now):
		return time.Time{}
	case at.After(now.Add(longest)):
		return now.Add(longest)
	}
	return at
}

// pace makes Retry-After a number of seconds from 1 to a week. The ACME library waits as
// long as it is told, not at all where that has passed, and gives up an order whose value
// it cannot read.
func pace(h http.Header) {
	value, now := h.Get("Retry-After"), time.Now()
	if value == "" {
		return
	}
	_, noNumber := strconv.ParseUint(value, 10, 63)
	_, noDate := http.ParseTime(value)
	if noNumber != nil && noDate != nil {
		h.Del("Retry-After")
		return
	}
	wait := retryAfter(value, now).Sub(now)
	h.Set("Retry-After", strconv.Itoa(int(max(wait, time.Second).Round(time.Second)/time.Second)))
}

// quiet leads the ACME library's log to the lowest level, without what it says there
// itself: the manager tells what an operator has to know.
type quiet struct{ to slog.Handler }

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l > slog.LevelDebug && q.to.Enabled(ctx, slog.LevelDebug)
}

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level, r.Message = slog.LevelDebug, "acme: "+r.Message
	return q.to.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.to.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.to.WithGroup(name)} }
