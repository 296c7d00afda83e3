package delivery

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// fakeSite is a server whose sessions know a few files.
type fakeSite struct {
	files   map[string]string // by canonical path
	changed time.Time
	filter  bool
	refuse  error         // what Visit fails with
	listing string        // in place of what the files make
	broken  string        // a path whose transfer breaks in the middle
	gate    chan struct{} // Get waits for it; nil: it does not

	mu     sync.Mutex
	log    []string
	open   int
	most   int
	opened int
	all    []*fakeVisit
}

func newFakeSite() *fakeSite {
	return &fakeSite{changed: time.Date(2026, 3, 1, 12, 0, 0, 5e8, time.UTC), files: map[string]string{
		"/a.txt": "0123456789", "/empty.txt": "", "/page.html": "<b>hi</b>", "/pub/b.bin": strings.Repeat("x", 100_000),
		"/pub/sub/c.txt": "c"}}
}

func (s *fakeSite) visit(context.Context, *http.Request) (session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return nil, s.refuse
	}
	s.open++
	s.opened++
	s.most = max(s.most, s.open)
	v := &fakeVisit{site: s}
	s.all = append(s.all, v)
	return v, nil
}

func (s *fakeSite) did() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.log...)
}

type fakeVisit struct {
	site   *fakeSite
	user   string
	in     bool
	closed bool
	busy   bool
}

func (v *fakeVisit) Do(_ context.Context, e pi.Errand) wire.Reply {
	switch e.Verb {
	case "RETR":
		return v.get(e)
	case "MLSD":
		return v.list(e)
	}
	verb, arg := e.Verb, e.Argument
	if verb == "TYPE" || verb == "CLNT" {
		return wire.Say(200, "Noted.")
	}
	v.site.mu.Lock()
	defer v.site.mu.Unlock()
	v.site.log = append(v.site.log, verb+" "+arg)
	switch {
	case verb == "HOST":
		return wire.Say(504, "There is no such host here.")
	case verb == "USER":
		v.user = arg
		return wire.Say(331, "Password?")
	case verb == "PASS" && (v.user == "anonymous" || arg == "secret"):
		v.in = true
		return wire.Say(230, "Welcome.")
	}
	return wire.Say(530, "The login is refused.")
}

func (v *fakeVisit) get(e pi.Errand) wire.Reply {
	path := e.Argument
	v.site.mu.Lock()
	v.site.log = append(v.site.log, "RETR "+path)
	if v.busy {
		panic("two things at once")
	}
	v.busy = true
	gate := v.site.gate
	v.site.mu.Unlock()
	if gate != nil {
		<-gate
	}
	defer func() { v.site.mu.Lock(); v.busy = false; v.site.mu.Unlock() }()
	if v.closed {
		return wire.Say(421, "Gone.")
	}
	p, _ := vfs.Clean(vfs.Root, path)
	if no := v.site.refusal(string(p)); !no.IsZero() {
		return no
	}
	text, ok := v.site.files[string(p)]
	if !ok {
		if v.site.isDir(string(p)) {
			return because(wire.Say(550, "That is a directory."), vfs.ErrIsDirectory)
		}
		return because(wire.Say(550, "No such file or directory."), fs.ErrNotExist)
	}
	parts, send := e.Offer(pi.Offered{FileInfo: fakeInfo{int64(len(text)), v.site.changed}, Filtered: v.site.filter})
	if !send {
		return wire.Say(226, "Nothing was to be sent.")
	}
	conn, err := e.Port.Open(context.Background())
	if err != nil {
		return wire.Say(425, "No connection.")
	}
	for _, part := range parts {
		_, _ = io.WriteString(conn, part.Before)
		if string(p) == v.site.broken {
			_, _ = io.WriteString(conn, text[:part.Size/2])
			_ = conn.Close()
			v.Close()
			return wire.Say(426, "Broken.")
		}
		if _, err := io.WriteString(conn, text[part.From:part.From+part.Size]); err != nil {
			_ = conn.Close()
			return wire.Say(426, "Broken.")
		}
	}
	if e, ok := conn.(interface{ End(error) error }); ok {
		_ = e.End(nil)
	}
	_ = conn.Close()
	return wire.Say(226, "Done.")
}

func because(r wire.Reply, err error) wire.Reply { r.Cause = err; return r }

// refusal is what the names of some paths stand for.
func (s *fakeSite) refusal(p string) wire.Reply {
	switch {
	case strings.HasPrefix(p, "/denied"):
		return wire.Say(550, "The keeper refuses. (ref 7-3)")
	case strings.HasPrefix(p, "/failed"):
		return wire.Say(451, "That could not be decided and is refused (ref 7-4).")
	case p == "/busy":
		return because(wire.Say(450, "Another session is writing to that file."), vfs.ErrBusy)
	case p == "/out":
		return because(wire.Say(550, "That leads out of the served tree."), vfs.ErrEscapes)
	case p == "/limited":
		return wire.Say(425, "The server has no memory for another transfer at the moment; try again.")
	}
	return wire.Reply{}
}

func (s *fakeSite) isDir(p string) bool {
	for name := range s.files {
		if vfs.Path(name).Within(vfs.Path(p)) {
			return true
		}
	}
	return false
}

func (v *fakeVisit) list(e pi.Errand) wire.Reply {
	path := e.Argument
	v.site.mu.Lock()
	v.site.log = append(v.site.log, "MLSD "+path)
	v.site.mu.Unlock()
	p, _ := vfs.Clean(vfs.Root, path)
	if no := v.site.refusal(string(p)); !no.IsZero() {
		return no
	}
	to, err := e.Port.Open(context.Background())
	if err != nil {
		return wire.Say(425, "No connection.")
	}
	defer func() {
		_ = to.(interface{ End(error) error }).End(nil)
		_ = to.Close()
	}()
	if v.site.listing != "" {
		_, err := io.WriteString(to, v.site.listing)
		if err != nil || v.site.broken == string(p) {
			return wire.Say(451, "Broken.")
		}
		return wire.Say(226, "Done.")
	}
	if _, ok := v.site.files[string(p)]; ok {
		return because(wire.Say(550, "That is not a directory."), vfs.ErrNotDirectory)
	}
	if !v.site.isDir(string(p)) {
		return because(wire.Say(550, "No such file or directory."), fs.ErrNotExist)
	}
	fmt.Fprintf(to, "type=cdir; %s\r\n", p)
	dirs := map[string]bool{}
	for name, text := range v.site.files {
		rest, ok := strings.CutPrefix(name, strings.TrimSuffix(string(p), "/")+"/")
		if !ok {
			continue
		}
		if dir, _, below := strings.Cut(rest, "/"); !below {
			fmt.Fprintf(to, "modify=20260301120000;perm=r;size=%d;type=file;unique=1g2; %s\r\n", len(text), rest)
		} else if !dirs[dir] {
			dirs[dir] = true
			fmt.Fprintf(to, "modify=20260301120000;perm=el;size=4096;type=dir;unique=1g3; %s\r\n", dir)
		}
	}
	return wire.Say(226, "Done.")
}

func (v *fakeVisit) Closed() bool { v.site.mu.Lock(); defer v.site.mu.Unlock(); return v.closed }

func (v *fakeVisit) Close() {
	v.site.mu.Lock()
	defer v.site.mu.Unlock()
	if !v.closed {
		v.closed = true
		v.site.open--
	}
}

// fakeInfo is of a file.
type fakeInfo struct {
	size    int64
	changed time.Time
}

func (i fakeInfo) Name() string       { return "" }
func (i fakeInfo) Size() int64        { return i.size }
func (i fakeInfo) Mode() fs.FileMode  { return 0o644 }
func (i fakeInfo) ModTime() time.Time { return i.changed }
func (i fakeInfo) IsDir() bool        { return false }
func (i fakeInfo) Sys() any           { return nil }

// web is a Handler that is served.
type web struct {
	*httptest.Server
	t      *testing.T
	site   *fakeSite
	client *http.Client
}

// served serves a site by a protocol: "http", "https" or "h2".
func served(t *testing.T, protocol string, site *fakeSite, conf Config) *web {
	t.Helper()
	h, err := newHandler(conf, site.visit)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(nil)
	srv.Config = h.Server()
	srv.EnableHTTP2 = protocol == "h2"
	if protocol == "http" {
		srv.Start()
	} else {
		srv.StartTLS()
	}
	client := srv.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Transport.(*http.Transport).DisableCompression = true
	if protocol == "https" {
		client.Transport.(*http.Transport).TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		srv.Close()
		site.mu.Lock()
		defer site.mu.Unlock()
		if site.open != 0 {
			t.Errorf("%d sessions were left open", site.open)
		}
	})
	return &web{srv, t, site, client}
}

// get sends a request; header is pairs of names and values. The path goes as it is.
func (w *web) do(method, path string, header ...string) (*http.Response, string) {
	w.t.Helper()
	resp, body, err := w.try(method, path, header...)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, body
}

func (w *web) try(method, path string, header ...string) (*http.Response, string, error) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.URL, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	p, query, _ := strings.Cut(path, "?")
	req.URL.Opaque, req.URL.RawQuery = p, query
	if strings.HasPrefix(p, "//") { // which net/url would take for a host
		req.URL.Opaque = w.URL + p
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// basicOf is the credentials of Basic authentication.
func basicOf(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
