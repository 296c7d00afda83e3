package delivery

import (
	"context"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func mustURL(path string) *url.URL { return &url.URL{Path: path} }

func TestBasic(t *testing.T) {
	conf := Config{Anonymous: "anonymous", Basic: true, Realm: `the "realm"`}
	for _, protocol := range []string{"https", "h2"} {
		w := served(t, protocol, newFakeSite(), conf)
		r, _ := w.do("GET", "/a.txt", "Authorization", basicOf("ann", "secret"))
		if r.StatusCode != 200 || r.Header.Get("Cache-Control") != "private" || r.Header.Get("Vary") != "Authorization" {
			t.Errorf("%s %v", r.Status, r.Header)
		}
		r, _ = w.do("GET", "/a.txt", "Authorization", basicOf("ann", "wrong"))
		if r.StatusCode != 401 || r.Header.Get("WWW-Authenticate") != `Basic realm="the \"realm\"", charset="UTF-8"` || r.Header.Get("Vary") != "Authorization, Accept" {
			t.Errorf("%s %v", r.Status, r.Header)
		}
		for given, want := range map[string]int{basicOf("ann", "a\r\nDELE x"): 400, basicOf("a\nb", "x"): 400, basicOf("", ""): 401,
			"Bearer abc": 401, "Basic !!": 401, "Basic": 401, "": 401, basicOf("ann", "pä:ss"): 401} {
			if r, body := w.do("GET", "/a.txt", "Authorization", given); r.StatusCode != want || strings.Contains(body, "abc") {
				t.Errorf("%q: %s %s", given, r.Status, body)
			}
		}
		if r, _ := w.do("GET", "/pub/", "Authorization", basicOf("ann", "secret")); r.Header.Get("Cache-Control") != "private, no-cache" || r.Header.Get("Vary") != "Authorization, Accept" {
			t.Errorf("%v", r.Header)
		}
		if r, _ := w.do("GET", "/a.txt"); r.StatusCode != 200 || r.Header.Get("Cache-Control") != "" {
			t.Errorf("%s %v", r.Status, r.Header)
		}
		for _, line := range w.site.did() {
			if strings.ContainsAny(line, "\r\n") {
				t.Errorf("a session was told %q", line)
			}
		}
	}
}

func TestBasicInClear(t *testing.T) {
	site := newFakeSite()
	w := served(t, "http", site, Config{Anonymous: "anonymous", Basic: true})
	if r, _ := w.do("GET", "/a.txt", "Authorization", basicOf("ann", "secret")); r.StatusCode != 403 || r.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("%s", r.Status)
	}
	w = served(t, "http", site, Config{Basic: true})
	if r, _ := w.do("GET", "/a.txt"); r.StatusCode != 403 || r.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("%s", r.Status)
	}
	if did := site.did(); len(did) > 0 {
		t.Errorf("sessions were asked: %q", did)
	}
	w = served(t, "http", newFakeSite(), Config{Basic: true, BasicInClear: true})
	if r, _ := w.do("GET", "/a.txt"); r.StatusCode != 401 || r.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%s", r.Status)
	}
	if r, _ := w.do("GET", "/a.txt", "Authorization", basicOf("ann", "secret")); r.StatusCode != 200 {
		t.Errorf("%s", r.Status)
	}
}

func TestNobody(t *testing.T) {
	w := served(t, "https", newFakeSite(), Config{})
	for _, header := range [][]string{nil, {"Authorization", basicOf("ann", "secret")}} {
		if r, _ := w.do("GET", "/a.txt", header...); r.StatusCode != 403 {
			t.Errorf("%s", r.Status)
		}
	}
	w = served(t, "https", newFakeSite(), Config{Anonymous: "nosuch"})
	if r, _ := w.do("GET", "/a.txt"); r.StatusCode != 403 || r.Header.Get("WWW-Authenticate") != "" {
		t.Errorf("%s", r.Status)
	}
}

func TestHostIsTold(t *testing.T) {
	w := served(t, "http", newFakeSite(), anonymous())
	w.do("GET", "/a.txt", "Host", "Files.Example:8080")
	if did := w.site.did(); did[0] != "HOST Files.Example" {
		t.Errorf("%q", did)
	}
	w.do("GET", "/a.txt", "Host", "other.example") // another host is another login
	if did := w.site.did(); did[4] != "HOST other.example" {
		t.Errorf("%q", did)
	}
	for host, want := range map[string]string{"[::1]:80": "[::1]", "[::1]": "[::1]", "1.2.3.4": "1.2.3.4", "a:b:c": "a:b", "": ""} {
		if got := hostOf(host); got != want {
			t.Errorf("%s: %s", host, got)
		}
	}
	w = served(t, "h2", newFakeSite(), anonymous())
	if r, _ := w.do("GET", "/a.txt", "Host", "example.com"); r.StatusCode != 200 {
		t.Errorf("%s", r.Status)
	}
}

// Requests that come beside each other have a session each, of which there are not more
// than may be.
func TestConcurrent(t *testing.T) {
	site := newFakeSite()
	site.gate = make(chan struct{})
	conf := anonymous()
	conf.PerConnection = 3
	w := served(t, "h2", site, conf)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if r, body := w.do("GET", "/pub/b.bin"); r.StatusCode != 200 || len(body) != 100_000 {
				t.Errorf("%s, %d bytes", r.Status, len(body))
			}
		})
	}
	for end := time.Now().Add(time.Minute); ; <-time.After(time.Millisecond) { // until as many are at the gate as may be
		site.mu.Lock()
		open := site.open
		site.mu.Unlock()
		if open == 3 || time.Now().After(end) {
			break
		}
	}
	for range 20 {
		site.gate <- struct{}{}
	}
	all.Wait()
	if site.most != 3 || site.opened != 3 {
		t.Errorf("%d sessions at once, %d in all", site.most, site.opened)
	}
}

// Sessions of other users make room.
func TestManyUsers(t *testing.T) {
	site := newFakeSite()
	w := served(t, "h2", site, Config{Basic: true, PerConnection: 2})
	for _, user := range []string{"a", "b", "c", "a", "c"} {
		if r, _ := w.do("GET", "/a.txt", "Authorization", basicOf(user, "secret")); r.StatusCode != 200 {
			t.Errorf("%s: %s", user, r.Status)
		}
	}
	if site.most > 2 || site.opened != 4 {
		t.Errorf("%d at once, %d in all", site.most, site.opened)
	}
}

// A session that has ended meanwhile is replaced.
func TestEndedSession(t *testing.T) {
	site := newFakeSite()
	w := served(t, "http", site, anonymous())
	w.do("GET", "/a.txt")
	site.all[0].Close()
	if r, _ := w.do("GET", "/a.txt"); r.StatusCode != 200 || site.opened != 2 {
		t.Errorf("%s, %d sessions", r.Status, site.opened)
	}
}

// Whoever serves a Handler by other means says what a connection is, and its sessions end
// with it; without that each request has a session of its own.
func TestConnection(t *testing.T) {
	site := newFakeSite()
	h, err := newHandler(anonymous(), site.visit)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(ctx context.Context) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/a.txt", nil))
		if w.Code != 200 || w.Body.String() != "0123456789" {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	conn := h.Connection(ctx)
	ask(conn)
	ask(conn)
	if site.opened != 1 {
		t.Errorf("%d sessions for one connection", site.opened)
	}
	cancel()
	for end := time.Now().Add(time.Minute); !site.all[0].Closed(); <-time.After(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the session has not ended with its connection")
		}
	}
	ask(t.Context())
	ask(t.Context())
	if site.opened != 3 || site.open != 0 {
		t.Errorf("%d sessions, %d of them open", site.opened, site.open)
	}
}
