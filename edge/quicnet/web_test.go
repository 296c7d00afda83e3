package quicnet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// nowhere is a site without pages.
type nowhere struct{}

func (nowhere) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

// browser is a client of HTTP/3.
func (s *site) browser(t testing.TB) *http.Client {
	t.Helper()
	conf := s.client.Clone()
	conf.ServerName = hostName
	tr := &http3.Transport{TLSClientConfig: conf}
	t.Cleanup(func() { _ = tr.Close() })
	return &http.Client{Transport: tr, Timeout: patience}
}

// do asks for a page, and returns the response and its body, which was read.
func do(b *http.Client, r *http.Request) (*http.Response, string, error) {
	res, err := b.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

func (s *site) get(t testing.TB, b *http.Client, path string) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(b, r)
}

func (s *site) url(path string) string { return "https://" + s.Addr().String() + path }

// HTTP/3 and FTP share a socket.
func TestBothProtocols(t *testing.T) {
	requests := make(chan *http.Request, 1)
	s := listen(t, func(c *Config) {
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests <- r
			fmt.Fprint(w, "a page")
		})
	})
	far, near := s.session(t, s.dial(t))
	res, body, err := s.get(t, s.browser(t), "/x")
	if err != nil || body != "a page" || res.ProtoMajor != 3 {
		t.Errorf("%q, %v, %+v", body, err, res)
	}
	seen := <-requests
	if seen.TLS == nil || seen.TLS.NegotiatedProtocol != "h3" || seen.TLS.ServerName != hostName || !strings.HasPrefix(seen.RemoteAddr, "127.0.0.1:") {
		t.Errorf("the request has %+v, %q", seen.TLS, seen.RemoteAddr)
	}
	if a, ok := seen.Context().Value(http.LocalAddrContextKey).(net.Addr); !ok || a.String() != s.Addr().String() {
		t.Errorf("the request has the local address %v", a)
	}
	writes(t, far, "220 ready\r\n")
	reads(t, near, "220 ready\r\n")
	if st := s.Stats(); st.FTP != 1 || st.HTTP != 1 || st.Handshakes != 2 {
		t.Errorf("%+v", st)
	}
}

// A listener of HTTP alone has no sessions.
func TestWebAlone(t *testing.T) {
	s := listen(t, func(c *Config) { c.FTP, c.HTTP = false, nowhere{} })
	if _, err := Dial(within(t), s.dialConfig()); !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
	res, _, err := s.get(t, s.browser(t), "/")
	if err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("%v, %v", res, err)
	}
}

// A head of a request that is too large costs the request, a panic the same.
func TestWebFaults(t *testing.T) {
	log := make(lines, 4)
	s := listen(t, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(log, nil))
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/panic":
				panic("a mistake")
			case "/abort":
				panic(http.ErrAbortHandler)
			}
		})
	})
	b := s.browser(t)
	for _, path := range []string{"/abort", "/panic"} {
		if _, _, err := s.get(t, b, path); err == nil {
			t.Errorf("%s is a response", path)
		}
	}
	if line := <-log; len(log) > 0 || !strings.Contains(line, "panic=\"a mistake\"") || !strings.Contains(line, "peer=127.0.0.1:") {
		t.Errorf("the log has %q, and %d more", line, len(log))
	}
	r, err := http.NewRequestWithContext(within(t), http.MethodGet, s.url("/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Long", strings.Repeat("x", 2*webHeaders))
	if res, _, err := do(b, r); err == nil && res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a head of %d bytes: %s", 2*webHeaders, res.Status)
	}
	if res, _, err := s.get(t, b, "/"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("afterwards: %v", err)
	}
}

// Requests beyond the limit are not answered by the site.
func TestTooManyRequests(t *testing.T) {
	let := make(chan struct{})
	arrived := make(chan struct{}, 4)
	s := listen(t, func(c *Config) {
		c.Limits.Requests, c.Limits.ControlSessions = 1, 2 // the library permits two
		c.HTTP = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-let })
	})
	b := s.browser(t)
	first := make(chan error, 1)
	go func() {
		_, _, err := s.get(t, b, "/")
		first <- err
	}()
	<-arrived
	if res, _, err := s.get(t, b, "/"); err != nil || res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "1" {
		t.Errorf("%v, %v", res, err)
	}
	close(let)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// Idle connections of HTTP end, however alive they are kept.
func TestWebIdle(t *testing.T) {
	t.Parallel()
	s := listen(t, func(c *Config) { c.HTTP, c.Limits.Idle = nowhere{}, 2*time.Second }) // which is the transport's limit, too
	c, err := s.raw(t, func(c *tls.Config, q *quic.Config) {
		c.NextProtos, q.KeepAlivePeriod = []string{"h3"}, 20*time.Millisecond
	})
	if err != nil {
		t.Fatal(err)
	}
	if code := ended(t, c); code != codeWeb {
		t.Errorf("%#x", uint64(code))
	}
}

// What the certificate's choice names of the protocols is all that a client gets, and each
// connection of HTTP/3 has a context of its own.
func TestNarrowed(t *testing.T) {
	type key struct{}
	s := listen(t, func(c *Config) {
		own := c.TLS.Clone()
		own.NextProtos = []string{ProtocolHTTP}
		c.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return own, nil }}
		c.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Context().Value(key{})) })
		c.HTTPContext = func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, "its own") }
	})
	if _, err := Dial(within(t), s.dialConfig()); !errors.Is(err, ErrProtocol) {
		t.Errorf("FTP where HTTP alone was chosen: %v", err)
	}
	if _, body, err := s.get(t, s.browser(t), "/"); err != nil || body != "its own" {
		t.Errorf("%q, %v", body, err)
	}
}
