package delivery_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/delivery"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/quicnet"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// keeper lets anonymous users in, though not to /members, and others who say "secret". What is called denied,
// hidden or failing it treats so. It keeps what it is asked and told.
type keeper struct {
	mu     sync.Mutex
	asked  []string
	events []policy.Event
}

func (k *keeper) Name() string { return "keeper" }

func (k *keeper) Hooks() policy.Hooks {
	return policy.Hooks{Authenticator: k, Authorizer: k, Observer: k}
}

func (k *keeper) Authenticate(_ context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Session.User != "anonymous" && l.Password != "secret" {
		return policy.Identity{}, nil
	}
	all := policy.Perms(policy.PermAll)
	id := policy.Identity{Verdict: policy.Allow, Perms: &all, Anonymous: l.Session.User == "anonymous"}
	if id.Anonymous {
		id.Rules = []policy.PathRule{{Dir: "/members", Recursive: true}}
	}
	return id, nil
}

func (k *keeper) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	k.mu.Lock()
	k.asked = append(k.asked, fmt.Sprintf("%v %q", a.Op, a.Path))
	k.mu.Unlock()
	for name := range strings.SplitSeq(a.Path, "/") {
		switch name {
		case "denied":
			return policy.Answer{Verdict: policy.Deny, Text: "The keeper refuses."}, nil
		case "hidden":
			return policy.Answer{Verdict: policy.Hide}, nil
		case "failing":
			return policy.Answer{}, errors.New("out of order")
		case "slow":
			return policy.Answer{Limits: policy.Limits{RateDown: 100_000}}, nil
		}
	}
	return policy.Answer{}, nil
}

func (k *keeper) Observe(_ context.Context, e *policy.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	e2 := *e
	s := *e.Session
	e2.Session = &s
	k.events = append(k.events, e2)
	return nil
}

// take returns what was asked since it was called last.
func (k *keeper) take() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	asked := k.asked
	k.asked = nil
	return asked
}

// told waits for an event.
func (k *keeper) told(t *testing.T, what string, is func(policy.Event) bool) policy.Event {
	t.Helper()
	end := time.After(time.Minute)
	for {
		k.mu.Lock()
		i := slices.IndexFunc(k.events, is)
		var e policy.Event
		if i >= 0 {
			e = k.events[i]
		}
		k.mu.Unlock()
		if i >= 0 {
			return e
		}
		select {
		case <-end:
			t.Fatalf("nobody was told of %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// rig is a server whose files go out by FTP and by HTTP.
type rig struct {
	*httptest.Server
	t       *testing.T
	srv     *edge.Server
	keeper  *keeper
	root    string
	handler *delivery.Handler
	client  *http.Client // of the server
	ends    []func()     // of what serve has begun
	files   atomic.Int64 // bytes that connections were handed as a file, which the kernel then moves
	end     sync.Once
}

// contents are what lies below the root, by path; a directory ends with a slash.
func contents() map[string]string {
	return map[string]string{"a.txt": "0123456789", "d/": "", "d/b.txt": "line\nline\n", "denied/": "", "denied/c.txt": "c", "members/": "", "members/m.txt": "m", "hidden/": "", "hidden/h.txt": "h",
		"failing/": "", "failing/f.txt": "f", "slow/": "", "slow/s.bin": strings.Repeat("s", 60_000), "a name ü": "1", "bad\xffutf8": "2", "%2e%2e": "3", "back\\slash": "4", " lead": "5",
		"trail ": "6", "-a": "7", "~": "8", "*": "9", "...": "10", "empty": "", "d/deep/": "", "d/deep/e.html": "<b>e</b>", "q?x": "11", "h#f": "12", "a+b": "13", "a;b": "14", "big.bin": strings.Repeat("b", 300_000)}
}

// start serves by a protocol: "http", "https", "h2" or "h3".
func start(t *testing.T, protocol string, conf delivery.Config, set func(*edge.Config)) *rig {
	t.Helper()
	r := &rig{t: t, keeper: &keeper{}, root: t.TempDir()}
	for name, text := range contents() {
		r.must(os.MkdirAll(filepath.Dir(filepath.Join(r.root, name)), 0o755))
		if strings.HasSuffix(name, "/") {
			r.must(os.MkdirAll(filepath.Join(r.root, name), 0o755))
			continue
		}
		r.must(os.WriteFile(filepath.Join(r.root, name), []byte(text), 0o644))
		old := time.Now().Add(-time.Hour)
		r.must(os.Chtimes(filepath.Join(r.root, name), old, old))
	}
	r.must(os.Symlink("/etc", filepath.Join(r.root, "out")))
	r.must(os.Symlink("d", filepath.Join(r.root, "in")))
	r.must(os.Symlink("loop", filepath.Join(r.root, "loop")))
	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: r.root, State: t.TempDir()})
	r.must(err)
	c := edge.Config{FS: disk, Listeners: []edge.Listener{{Name: "web", Address: "127.0.0.1:0"}}, Policies: []edge.Slot{{Name: "keeper", Policy: r.keeper}},
		Logins: edge.Logins{FailDelay: -1}, Log: slog.New(slog.DiscardHandler)}
	if set != nil {
		set(&c)
	}
	r.srv, err = edge.New(c)
	r.must(err)
	r.must(r.srv.Listen(t.Context()))
	served := make(chan error, 1)
	go func() { served <- r.srv.Serve(context.Background()) }()
	conf.Listener = "web"
	r.handler, err = delivery.New(r.srv, conf)
	r.must(err)
	r.Server, r.client = r.serve(protocol)
	t.Cleanup(func() {
		for _, end := range slices.Backward(r.ends) {
			end()
		}
		for end := time.Now().Add(time.Minute); len(r.srv.Sessions()) > 0 && time.Now().Before(end); {
			<-time.After(time.Millisecond)
		}
		if left := r.srv.Sessions(); len(left) > 0 {
			t.Errorf("sessions are left: %+v", left)
		}
		r.shutdown()
		<-served
		disk.Close()
	})
	return r
}

// serve serves the rig's files by a protocol.
func (r *rig) serve(protocol string) (*httptest.Server, *http.Client) {
	r.t.Helper()
	web := httptest.NewUnstartedServer(nil)
	web.Config, web.EnableHTTP2 = r.handler.Server(), protocol == "h2"
	web.Listener = counting{web.Listener, &r.files}
	if protocol == "http" {
		web.Start()
	} else {
		web.StartTLS()
	}
	c := web.Client()
	r.ends = append(r.ends, web.Close, c.CloseIdleConnections)
	switch protocol {
	case "https":
		c.Transport.(*http.Transport).TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	case "h3":
		web.URL, c.Transport = r.serveQUIC(web)
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return web, c
}

// serveQUIC serves them by HTTP/3 with the certificate of a server, as cmd/edgeftp does.
func (r *rig) serveQUIC(web *httptest.Server) (url string, client http.RoundTripper) {
	r.t.Helper()
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	r.must(err)
	l, err := quicnet.Listen(socket, quicnet.Config{TLS: &tls.Config{Certificates: web.TLS.Certificates}, HTTP: r.handler, HTTPContext: r.handler.Connection})
	r.must(err)
	transport := &http3.Transport{TLSClientConfig: web.Client().Transport.(*http.Transport).TLSClientConfig.Clone()}
	r.ends = append(r.ends, func() {
		at, once := context.WithCancel(context.Background())
		once()
		_ = l.Shutdown(at) // its error is that
	}, func() { r.must(transport.Close()) })
	return "https://" + l.Addr().String(), transport
}

// counting is a listener whose connections count.
type counting struct {
	net.Listener
	files *atomic.Int64
}

func (l counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return counted{c.(*net.TCPConn), l.files}, nil
}

// counted is a connection that counts what it is handed as a file.
type counted struct {
	*net.TCPConn
	files *atomic.Int64
}

func (c counted) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	if l, ok := r.(*io.LimitedReader); ok {
		if _, ok := l.R.(*os.File); ok {
			c.files.Add(n)
		}
	}
	return n, err
}

func (r *rig) shutdown() {
	r.end.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		r.must(r.srv.Shutdown(ctx))
	})
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// get asks for a path that needs no escaping; header is pairs of names and values.
func (r *rig) get(path string, header ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "GET", r.URL+path, nil)
	r.must(err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := r.client.Do(req)
	r.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	r.must(err)
	return resp, string(body)
}

// ftp is a session of FTP in binary mode.
func (r *rig) ftp() *userpi.Client {
	r.t.Helper()
	c, err := userpi.Dial(r.srv.Addresses()[0].String())
	r.must(err)
	r.must(c.Login("anonymous", "x@"))
	_, err = c.Must("TYPE I", 200)
	r.must(err)
	return c
}

// raw is a connection of HTTP/1.1 over which paths are sent as they are.
type raw struct {
	net.Conn
	in *bufio.Reader
}

func (r *rig) raw() *raw {
	r.t.Helper()
	c, err := net.Dial("tcp", r.Listener.Addr().String())
	r.must(err)
	return &raw{c, bufio.NewReader(c)}
}

func (c *raw) get(target string) (*http.Response, string, error) {
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n", target); err != nil {
		return nil, "", err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func basicOf(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func public() delivery.Config { return delivery.Config{Anonymous: "anonymous"} }
