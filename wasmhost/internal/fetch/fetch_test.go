package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// web is a server on loopback.
type web struct {
	*httptest.Server
	hits atomic.Int64
	done chan struct{} // closed when the test ends: what is slow is slow until then
}

func newWeb(t testing.TB) *web {
	w := &web{done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		rw.Header().Set("X-Seen", r.Method+" "+r.Host+" "+r.Header.Get("X-Token")+" "+r.UserAgent()+" "+r.Header.Get("Accept-Encoding"))
		rw.Header().Set("Set-Cookie", "a=b")
		rw.WriteHeader(http.StatusCreated)
		_, _ = rw.Write(append([]byte(r.Header.Get("Cookie")+"|"), body...))
	})
	mux.HandleFunc("/redirect", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	})
	mux.HandleFunc("/huge", func(rw http.ResponseWriter, r *http.Request) {
		for range 1 << 10 {
			if _, err := rw.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/bomb", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Encoding", "gzip")
		_, _ = rw.Write(bomb(t))
	})
	mux.HandleFunc("/fields", func(rw http.ResponseWriter, r *http.Request) {
		for i := range 200 {
			rw.Header().Add("X-Many", fmt.Sprint(i))
		}
	})
	mux.HandleFunc("/long", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Long", strings.Repeat("x", 2*MaxFieldBytes))
	})
	mux.HandleFunc("/silent", func(rw http.ResponseWriter, r *http.Request) { w.wait(r) })
	mux.HandleFunc("/drip", func(rw http.ResponseWriter, r *http.Request) {
		for range 1 << 20 {
			_, _ = rw.Write([]byte("x"))
			rw.(http.Flusher).Flush()
			select {
			case <-time.After(5 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
	})
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.hits.Add(1)
		mux.ServeHTTP(rw, r)
	}))
	w.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are what is wanted
	t.Cleanup(func() { close(w.done); w.Close() })
	return w
}

func (w *web) wait(r *http.Request) {
	select {
	case <-w.done:
	case <-r.Context().Done():
	}
}

// bomb is 10 MiB of nothing, packed.
func bomb(t testing.TB) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(make([]byte, 10<<20)); err != nil {
		t.Error(err)
	}
	if err := z.Close(); err != nil {
		t.Error(err)
	}
	return b.Bytes()
}

func newClient(t testing.TB, c Config) *Client {
	t.Helper()
	cl, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// plainWeb is a server without protection and a client that may go there.
func plainWeb(t testing.TB) (*web, *Client) {
	w := newWeb(t)
	w.Start()
	return w, newClient(t, Config{Allow: []string{w.URL}, Timeout: 5 * time.Second})
}

func get(u string) *Request { return &Request{Method: "GET", URL: u} }

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%.100s: got %v, want %v", what, err, want)
	}
}

func TestExchange(t *testing.T) {
	w, c := plainWeb(t)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	for range 2 { // the second one must not bring the first one's cookie along
		res, err := c.Do(t.Context(), &Request{Method: "POST", URL: w.URL + "/echo?a=b", Body: []byte("body"),
			Headers: []Header{{"X-Token", "s3cret"}, {"Accept", "text/plain"}}})
		if err != nil {
			t.Fatal(err)
		}
		if res.Status != 201 || string(res.Body) != "|body" {
			t.Errorf("%d %q", res.Status, res.Body)
		}
		var seen []string
		for _, h := range res.Headers {
			seen = append(seen, h.Name+": "+h.Value)
		}
		want := "X-Seen: POST " + strings.TrimPrefix(w.URL, "http://") + " s3cret edgeftp "
		if all := strings.Join(seen, "\n"); !strings.Contains(all, strings.TrimSpace(want)) || !strings.Contains(all, "Set-Cookie: a=b") {
			t.Errorf("fields:\n%s\nwant\n%s", all, want)
		}
	}
	res, err := c.Do(t.Context(), &Request{Method: "HEAD", URL: w.URL + "/bomb", MaxBody: 1})
	if err != nil || res.Status != 200 || len(res.Body) != 0 {
		t.Errorf("HEAD: %+v, %v", res, err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	w, c := plainWeb(t)
	res, err := c.Do(t.Context(), get(w.URL+"/redirect"))
	if err != nil || res.Status != 302 || w.hits.Load() != 1 {
		t.Errorf("%+v, %v, %d requests", res, err, w.hits.Load())
	}
	_, err = c.Do(t.Context(), get("http://169.254.169.254/latest/meta-data/"))
	wantErr(t, "where it led", err, ErrDenied)
}

func TestResponseIsBounded(t *testing.T) {
	w, c := plainWeb(t)
	for path, limit := range map[string]int{"/huge": 0, "/huge?": 1 << 30, "/bomb": 100, "/echo": -1, "/fields": 0, "/long": 0} {
		r := get(w.URL + path)
		r.MaxBody = limit
		_, err := c.Do(t.Context(), r)
		wantErr(t, path, err, ErrLarge)
	}
	r := get(w.URL + "/bomb")
	r.MaxBody = 64 << 10
	res, err := c.Do(t.Context(), r)
	if err != nil || !bytes.Equal(res.Body, bomb(t)) {
		t.Errorf("what is packed: %v", err)
	}
}

func TestTimeIsBounded(t *testing.T) {
	w := newWeb(t)
	w.Start()
	c := newClient(t, Config{Allow: []string{w.URL}, Timeout: 200 * time.Millisecond})
	for _, path := range []string{"/silent", "/drip"} {
		start := time.Now()
		_, err := c.Do(t.Context(), get(w.URL+path))
		wantErr(t, path, err, ErrTimeout)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", path, took)
		}
	}
	// A request may want less, never more.
	long := newClient(t, Config{Allow: []string{w.URL}, Timeout: time.Hour})
	if long.timeout != MaxTimeout {
		t.Errorf("a client has %v", long.timeout)
	}
	r := get(w.URL + "/silent")
	r.Timeout = 50 * time.Millisecond
	_, err := long.Do(t.Context(), r)
	wantErr(t, "its own time", err, ErrTimeout)
	r.Timeout = time.Hour
	_, err = c.Do(t.Context(), r)
	wantErr(t, "more than the client's", err, ErrTimeout)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := long.Do(ctx, get(w.URL+"/echo")); err == nil {
		t.Error("a fetch for nobody")
	}
}

// TestSilentServers connects to what accepts and says nothing: below HTTP, and
// below TLS.
func TestSilentServers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host := l.Addr().String()
	c := newClient(t, Config{Allow: []string{"http://" + host, "https://" + host}, Timeout: 100 * time.Millisecond})
	for _, scheme := range []string{"http://", "https://"} {
		_, err := c.Do(t.Context(), get(scheme+host))
		wantErr(t, scheme, err, ErrTimeout)
	}
	// Close does not wait for a handshake's own time.
	slow, err := New(Config{Allow: []string{"https://" + host}, Timeout: MaxTimeout})
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := slow.Do(context.Background(), get("https://"+host))
		failed <- err
	}()
	for len(slow.slots) == 0 { // until it is under way
		select {
		case err := <-failed:
			t.Fatalf("it ended before Close: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	start := time.Now()
	slow.Close()
	if err := <-failed; err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	_, err = slow.Do(t.Context(), get("https://"+host))
	wantErr(t, "after Close", err, ErrFailed)
}

func TestBusy(t *testing.T) {
	w := newWeb(t)
	w.Start()
	c := newClient(t, Config{Allow: []string{w.URL}, Concurrent: 2, Timeout: MaxTimeout})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { _, _ = c.Do(ctx, get(w.URL+"/silent")) })
	}
	for w.hits.Load() < 2 {
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal("the requests did not arrive")
		}
	}
	_, err := c.Do(t.Context(), get(w.URL+"/echo"))
	wantErr(t, "a third", err, ErrBusy)
	cancel()
	wg.Wait()
	if _, err := c.Do(t.Context(), get(w.URL+"/echo")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestTLS(t *testing.T) {
	w := newWeb(t)
	w.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(w.Certificate())
	_, port, err := net.SplitHostPort(w.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	loopback := func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	u := "https://example.com:" + port // a name of httptest's certificate
	c := newClient(t, Config{Private: []string{u, "https://other.example:" + port}, Roots: roots, Resolve: loopback})
	res, err := c.Do(t.Context(), get(u+"/echo"))
	if err != nil || res.Status != 201 {
		t.Errorf("%+v, %v", res, err)
	}
	_, err = c.Do(t.Context(), get("https://other.example:"+port+"/echo"))
	wantErr(t, "another name", err, ErrFailed)
	strange := newClient(t, Config{Private: []string{u}, Resolve: loopback})
	_, err = strange.Do(t.Context(), get(u+"/echo"))
	wantErr(t, "unknown root", err, ErrFailed)
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("the reason is %v", err)
	}
	_, err = c.Do(t.Context(), get("http://example.com:"+port+"/echo"))
	wantErr(t, "without protection", err, ErrDenied)
}

// TestResolver holds that an allowed name leads nowhere inside.
func TestResolver(t *testing.T) {
	w := newWeb(t)
	w.Start()
	u, err := url.Parse(w.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range []string{"127.0.0.1", "::1", "10.1.2.3", "169.254.169.254", "fe80::1", "fd00::1",
		"::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "0.0.0.0", "100.64.0.1", "93.184.216.34 127.0.0.1"} {
		asked := 0
		resolve := func(context.Context, string) (addrs []netip.Addr, _ error) {
			asked++
			for _, a := range strings.Fields(answer) {
				addrs = append(addrs, netip.MustParseAddr(a))
			}
			return addrs, nil
		}
		c := newClient(t, Config{Allow: []string{"http://evil.example:" + u.Port()}, Resolve: resolve})
		_, err := c.Do(t.Context(), get("http://evil.example:"+u.Port()+"/echo"))
		wantErr(t, answer, err, ErrDenied)
		if asked != 1 {
			t.Errorf("%s: the resolver was asked %d times", answer, asked)
		}
	}
	if n := w.hits.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	// The operator may mean it.
	c := newClient(t, Config{Private: []string{"http://*.lan.example:" + u.Port()}, Resolve: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}})
	if _, err := c.Do(t.Context(), get("http://IDP.lan.example:"+u.Port()+"/echo")); err != nil {
		t.Error(err)
	}
	none := newClient(t, Config{Allow: []string{"http://a.example"}, Resolve: func(context.Context, string) ([]netip.Addr, error) { return nil, nil }})
	_, err = none.Do(t.Context(), get("http://a.example/"))
	wantErr(t, "no address", err, ErrFailed)
}

// TestBadAnswers talks to servers that are none. Nothing of what they send may be
// in the error.
func TestBadAnswers(t *testing.T) {
	for _, answer := range []string{"SECRET\r\n\r\n", "HTTP/1.1 SECRET\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: SECRET\r\n\r\n",
		"HTTP/1.1 200 OK\r\nSECRET\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nSECRET",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nSECRET\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: SECRET\r\n\r\n", ""} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 1000))
				_, _ = conn.Write([]byte(answer))
				_ = conn.Close()
			}
		})
		c := newClient(t, Config{Allow: []string{"http://" + l.Addr().String()}})
		_, err = c.Do(t.Context(), get("http://"+l.Addr().String()))
		wantErr(t, answer, err, ErrFailed)
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("the error holds the response: %v", err)
		}
		_ = l.Close()
		wg.Wait()
	}
}
