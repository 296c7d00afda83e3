package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// protocols runs a test by each protocol that net/http has.
func protocols(t *testing.T, test func(t *testing.T, protocol string)) {
	for _, p := range []string{"http", "https", "h2"} {
		t.Run(p, func(t *testing.T) { test(t, p) })
	}
}

func anonymous() Config { return Config{Anonymous: "anonymous"} }

func TestGet(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		w := served(t, protocol, newFakeSite(), anonymous())
		r, body := w.do("GET", "/a.txt")
		if want := map[string]int{"http": 1, "https": 1, "h2": 2}[protocol]; r.ProtoMajor != want {
			t.Fatalf("this is %s", r.Proto)
		}
		if r.StatusCode != 200 || body != "0123456789" || r.ContentLength != 10 {
			t.Fatalf("%s %q %d", r.Status, body, r.ContentLength)
		}
		for name, want := range map[string]string{"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff",
			"Accept-Ranges": "bytes", "Last-Modified": then, "Server": "", "Cache-Control": "", "Vary": "", "Content-Security-Policy": ""} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if r.Header.Get("Date") == "" || !strings.HasPrefix(r.Header.Get("ETag"), `"`) {
			t.Errorf("%v", r.Header)
		}
		if r, body := w.do("GET", "/empty.txt"); r.StatusCode != 200 || body != "" || r.ContentLength != 0 {
			t.Errorf("an empty file: %s %d", r.Status, r.ContentLength)
		}
		if r, body := w.do("GET", "/pub/b.bin"); r.StatusCode != 200 || len(body) != 100_000 {
			t.Errorf("%s, %d bytes", r.Status, len(body))
		}
		if n := w.site.opened; n != 1 {
			t.Errorf("%d sessions for one connection", n)
		}
	})
}

// HEAD is GET without the body (RFC 9110 §9.3.2), but that it knows no ranges (§14.2).
func TestHead(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		w := served(t, protocol, newFakeSite(), anonymous())
		for _, path := range []string{"/a.txt", "/empty.txt", "/page.html", "/pub/", "/", "/pub/?format=json", "/none", "/denied", "/pub", "/busy"} {
			get, _ := w.do("GET", path)
			head, body := w.do("HEAD", path)
			get.Header.Del("Date")
			head.Header.Del("Date")
			if body != "" || get.StatusCode != head.StatusCode {
				t.Errorf("%s: %s, %s, %q", path, get.Status, head.Status, body)
			}
			for name := range get.Header {
				if get.Header.Get(name) != head.Header.Get(name) {
					t.Errorf("%s: %s is %q for GET and %q for HEAD", path, name, get.Header.Get(name), head.Header.Get(name))
				}
			}
			for name := range head.Header {
				if get.Header[name] == nil {
					t.Errorf("%s: HEAD alone has %s", path, name)
				}
			}
		}
		if r, _ := w.do("HEAD", "/a.txt", "Range", "bytes=0-1"); r.StatusCode != 200 || r.ContentLength != 10 {
			t.Errorf("HEAD with Range: %s", r.Status)
		}
	})
}

func TestRanges(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		w := served(t, protocol, newFakeSite(), anonymous())
		whole, _ := w.do("GET", "/a.txt")
		tag := whole.Header.Get("ETag")
		for _, c := range []struct {
			header []string
			status int
			body   string
			within string // Content-Range
		}{
			{[]string{"Range", "bytes=2-4"}, 206, "234", "bytes 2-4/10"},
			{[]string{"Range", "bytes=-1"}, 206, "9", "bytes 9-9/10"},
			{[]string{"Range", "bytes=0-1,90-"}, 206, "01", "bytes 0-1/10"},
			{[]string{"Range", "bytes=0-5,4-6"}, 200, "0123456789", ""},
			{[]string{"Range", "bytes=x"}, 200, "0123456789", ""},
			{[]string{"Range", "bytes=0-1", "Range", "bytes=3-4"}, 200, "0123456789", ""},
			{[]string{"Range", "bytes=2-4", "If-Range", tag}, 206, "234", "bytes 2-4/10"},
			{[]string{"Range", "bytes=2-4", "If-Range", then}, 206, "234", "bytes 2-4/10"},
			{[]string{"Range", "bytes=2-4", "If-Range", `"other"`}, 200, "0123456789", ""},
			{[]string{"Range", "bytes=2-4", "If-Range", before}, 200, "0123456789", ""},
			{[]string{"Range", "bytes=10-", "If-Range", `"other"`}, 200, "0123456789", ""},
			{[]string{"Range", "bytes=2-4", "If-None-Match", tag}, 304, "", ""},
			{[]string{"Range", "bytes=2-4", "If-Match", tag}, 206, "234", "bytes 2-4/10"},
		} {
			r, body := w.do("GET", "/a.txt", c.header...)
			if r.StatusCode != c.status || body != c.body || r.Header.Get("Content-Range") != c.within {
				t.Errorf("%q: %s %q %q", c.header, r.Status, body, r.Header.Get("Content-Range"))
			}
			if r.StatusCode != 304 && r.ContentLength != int64(len(c.body)) {
				t.Errorf("%q: Content-Length %d", c.header, r.ContentLength)
			}
		}
		for _, parts := range []string{"bytes=0-", "bytes=-1", "bytes=0-0,-5"} {
			r, body := w.do("GET", "/empty.txt", "Range", parts)
			if r.StatusCode != 416 || r.Header.Get("Content-Range") != "bytes */0" || r.Header.Get("ETag") != "" {
				t.Errorf("%s of an empty file: %s %v %q", parts, r.Status, r.Header, body)
			}
			if r, body := w.do("GET", "/empty.txt", "Range", parts, "If-Range", `"other"`); r.StatusCode != 200 || body != "" {
				t.Errorf("%s of another file: %s", parts, r.Status)
			}
		}
		r, body := w.do("GET", "/a.txt", "Range", "bytes=10-")
		if r.StatusCode != 416 || r.Header.Get("Content-Range") != "bytes */10" || r.Header.Get("ETag") != "" || strings.Contains(body, "0123") {
			t.Errorf("%s %v %q", r.Status, r.Header, body)
		}
	})
}

func TestSeveralRanges(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		w := served(t, protocol, newFakeSite(), anonymous())
		r, body := w.do("GET", "/a.txt", "Range", "bytes=8-, 0-1, 4-4")
		kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if r.StatusCode != 206 || kind != "multipart/byteranges" || err != nil || r.ContentLength != int64(len(body)) || r.Header.Get("Content-Range") != "" {
			t.Fatalf("%s %v, %d bytes", r.Status, r.Header, len(body))
		}
		parts := multipart.NewReader(strings.NewReader(body), params["boundary"])
		for _, want := range [][2]string{{"89", "bytes 8-9/10"}, {"01", "bytes 0-1/10"}, {"4", "bytes 4-4/10"}} {
			p, err := parts.NextPart()
			if err != nil {
				t.Fatalf("%v in %q", err, body)
			}
			got, _ := io.ReadAll(p)
			if string(got) != want[0] || p.Header.Get("Content-Range") != want[1] || p.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("%q %v", got, p.Header)
			}
		}
		if _, err := parts.NextPart(); err != io.EOF {
			t.Errorf("after the last part: %v", err)
		}
	})
}

func TestConditionsAnswered(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		conf := anonymous()
		conf.Cache = []Rule{{"*.txt", "public, max-age=60"}}
		w := served(t, protocol, newFakeSite(), conf)
		whole, _ := w.do("GET", "/a.txt")
		tag := whole.Header.Get("ETag")
		for _, method := range []string{"GET", "HEAD"} {
			r, body := w.do(method, "/a.txt", "If-None-Match", tag)
			if r.StatusCode != 304 || body != "" || r.Header.Get("ETag") != tag || r.Header.Get("Cache-Control") != "public, max-age=60" || r.Header.Get("Content-Type") != "" {
				t.Errorf("%s: %s %v", method, r.Status, r.Header)
			}
			if r, _ := w.do(method, "/page.html", "If-None-Match", "*"); r.StatusCode != 304 || r.Header.Get("Content-Security-Policy") != "" {
				t.Errorf("%s: %s %v", method, r.Status, r.Header)
			}
			if r, _ := w.do(method, "/a.txt", "If-Modified-Since", then); r.StatusCode != 304 {
				t.Errorf("%s: %s", method, r.Status)
			}
			if r, _ := w.do(method, "/a.txt", "If-Match", `"x"`); r.StatusCode != 412 || r.Header.Get("ETag") != "" {
				t.Errorf("%s: %s %v", method, r.Status, r.Header)
			}
		}
		// What must not be read is not told of by conditions either.
		if r, _ := w.do("GET", "/denied.txt", "If-None-Match", "*"); r.StatusCode != 403 {
			t.Errorf("%s", r.Status)
		}
	})
}

// A file whose bytes a policy changes has neither validators nor parts nor a length.
func TestFiltered(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		site := newFakeSite()
		site.filter = true
		w := served(t, protocol, site, anonymous())
		r, body := w.do("GET", "/a.txt", "Range", "bytes=0-1", "If-Modified-Since", after)
		if r.StatusCode != 200 || body != "0123456789" || r.ContentLength != -1 || r.Header.Get("ETag")+r.Header.Get("Last-Modified") != "" || r.Header.Get("Accept-Ranges") != "none" {
			t.Errorf("%s %v %d %q", r.Status, r.Header, r.ContentLength, body)
		}
	})
}

// Nobody takes half a file for a whole one, also where its length was not told.
func TestBroken(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		for _, filter := range []bool{false, true} {
			site := newFakeSite()
			site.broken, site.filter = "/pub/b.bin", filter
			w := served(t, protocol, site, anonymous())
			if r, body, err := w.try("GET", "/pub/b.bin"); err == nil {
				t.Errorf("filtered %v: %s with %d bytes", filter, r.Status, len(body))
			}
			if r, body := w.do("GET", "/a.txt"); r.StatusCode != 200 || body != "0123456789" {
				t.Errorf("afterwards: %s", r.Status)
			}
		}
	})
}

func TestMethods(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		w := served(t, protocol, newFakeSite(), anonymous())
		for _, path := range []string{"/a.txt", "*"} {
			if r, _ := w.do("OPTIONS", path); r.StatusCode != 204 || r.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
				t.Errorf("OPTIONS %s: %s %v", path, r.Status, r.Header)
			}
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "PROPFIND", "PATCH", "TRACE"} {
			if r, _ := w.do(method, "/a.txt"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
				t.Errorf("%s: %s %v", method, r.Status, r.Header)
			}
		}
		if did := w.site.did(); len(did) > 0 {
			t.Errorf("sessions were asked: %q", did)
		}
	})
}

func TestBodyIsRefused(t *testing.T) {
	w := served(t, "http", newFakeSite(), anonymous())
	for method, want := range map[string]int{"GET": 400, "POST": 405} {
		req, _ := http.NewRequestWithContext(t.Context(), method, w.URL+"/a.txt", strings.NewReader("body"))
		r, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != want || !r.Close {
			t.Errorf("%s: %s, close %v", method, r.Status, r.Close)
		}
	}
}

// What is asked for goes to the session as it is, decoded once.
func TestPaths(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		for path, want := range map[string]string{
			"/a.txt": "RETR /a.txt", "/%61.txt": "RETR /a.txt", "/%2561.txt": "RETR /%61.txt", "//a.txt": "RETR //a.txt",
			"/pub/../a.txt": "RETR /pub/../a.txt", "/./a.txt": "RETR /./a.txt", "/..%2f..%2fa.txt": "RETR /../../a.txt",
			"/a.txt?x=/y": "RETR /a.txt", "/a%3Fb": "RETR /a?b", "/%ff%fe": "RETR /\xff\xfe", "/a+b": "RETR /a+b", "/a%20b": "RETR /a b",
			"/pub//": "MLSD /pub//", "/pub/%2e%2e/": "MLSD /pub/../", "/%20a": "RETR / a", "/a;b=c": "RETR /a;b=c", "/%5c..%5ca": `RETR /\..\a`,
			"//evil.example/x": "RETR //evil.example/x", "/a%09b": "RETR /a\tb",
		} {
			w := served(t, protocol, newFakeSite(), anonymous())
			w.do("GET", path)
			if did := w.site.did(); did[len(did)-1] != want {
				t.Errorf("%s: %q, want %q", path, did, want)
			}
		}
		w := served(t, protocol, newFakeSite(), anonymous())
		for path, want := range map[string]int{"/a%00b": 400, "/a%0ab": 400, "/a%0db": 400, "/" + strings.Repeat("n", 300): 414, "/" + strings.Repeat("a/", 2100): 414} {
			if r, _ := w.do("GET", path); r.StatusCode != want {
				t.Errorf("%.20s: %s", path, r.Status)
			}
		}
		if did := w.site.did(); len(did) > 0 {
			t.Errorf("sessions were asked: %q", did)
		}
	})
}

// A directory without its slash leads to the one with it, of the same host.
func TestRedirect(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		site := newFakeSite()
		site.files["/evil.example/x"] = ""
		site.files["/a:b c/x"] = ""
		w := served(t, protocol, site, anonymous())
		for path, want := range map[string]string{"/pub": "/pub/", "/pub/sub": "/pub/sub/", "/pub?format=json": "/pub/?format=json",
			"//evil.example": "//evil.example/", "/pub/sub/..": "/pub/", "/a:b%20c": "/a:b%20c/"} {
			r, _ := w.do("GET", path)
			if r.StatusCode != 301 || r.Header.Get("Cache-Control") != "no-cache" {
				t.Fatalf("%s: %s", path, r.Status)
			}
			location := r.Header.Get("Location")
			if !strings.HasPrefix(location, "./") {
				t.Errorf("%s leads to %q", path, location)
			}
			base, _ := r.Request.URL.Parse(w.URL)
			if base.Path, _, _ = strings.Cut(path, "?"); strings.HasPrefix(path, "/a:") {
				base.Path = "/a:b c"
			}
			to, err := base.Parse(location)
			if err != nil || to.Host != base.Host || to.RequestURI() != want {
				t.Errorf("%s leads to %s (%v), want %s", path, to, err, want)
			}
		}
	})
}

func TestProblems(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		w := served(t, protocol, newFakeSite(), anonymous())
		for _, c := range []struct {
			path   string
			status int
			text   string
		}{
			{"/none.txt", 404, "There is no such file or directory here."},
			{"/a.txt/", 404, "There is no such file or directory here."},
			{"/none/", 404, "There is no such file or directory here."},
			{"/denied.txt", 403, "The keeper refuses. (ref 7-3)"},
			{"/denied/", 403, "The keeper refuses. (ref 7-3)"},
			{"/failed", 500, "That could not be decided and is refused (ref 7-4)"},
			{"/busy", 503, "Another session is writing to that file."},
			{"/limited", 503, "try again"},
			{"/out", 403, "That leads out of the served tree."},
		} {
			r, body := w.do("GET", c.path)
			if r.StatusCode != c.status || !strings.Contains(body, c.text) || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("%s: %s %q", c.path, r.Status, body)
			}
			if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Vary") != "Accept" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %v", c.path, r.Header)
			}
			if (r.StatusCode == 503) != (r.Header.Get("Retry-After") != "") {
				t.Errorf("%s: %s with Retry-After %q", c.path, r.Status, r.Header.Get("Retry-After"))
			}
		}
		r, body := w.do("GET", "/denied", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		if r.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(body, "<code>7-3</code>") || r.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%v %q", r.Header, body)
		}
		if r, body := w.do("GET", "/denied", "Accept", "application/json"); r.Header.Get("Content-Type") != "application/json" ||
			body != `{"status":403,"error":"The keeper refuses.","ref":"7-3"}`+"\n" {
			t.Errorf("%v %q", r.Header, body)
		}
	})
}

func TestTurnedAway(t *testing.T) {
	for _, c := range []struct {
		refuse       error
		status       int
		limit, after string
	}{
		{pi.LimitBan, 429, "ban", "900"}, {pi.LimitAddress, 429, "address", "10"}, {pi.LimitUser, 429, "user", "10"}, {pi.LimitLogins, 429, "logins", "60"},
		{pi.LimitRate, 429, "rate", "10"}, {pi.LimitSessions, 503, "sessions", "10"}, {pi.LimitBudget, 503, "budget", "10"}, {pi.LimitPasswords, 503, "passwords", "10"},
		{pi.LimitHold, 503, "hold", "10"}, {pi.LimitShutdown, 503, "shutdown", "10"}, {edge.ErrTurnedAway, 503, "", "10"}, {errors.New("x"), 500, "", ""},
	} {
		site := newFakeSite()
		site.refuse = fmt.Errorf("wrapped: %w", c.refuse)
		w := served(t, "http", site, anonymous())
		r, body := w.do("GET", "/a.txt", "Accept", "application/json")
		var said struct {
			Status int
			Error  string
			Limit  string
			After  int `json:"retry_after"`
		}
		if err := json.Unmarshal([]byte(body), &said); err != nil || r.StatusCode != c.status || said.Status != c.status || said.Limit != c.limit ||
			r.Header.Get("Retry-After") != c.after || c.after != "" && strconv.Itoa(said.After) != c.after || strings.Contains(said.Error, "wrapped") {
			t.Errorf("%v: %s %v %q (%v)", c.refuse, r.Status, r.Header, body, err)
		}
	}
}

func TestHeadersOfConfig(t *testing.T) {
	conf := Config{Anonymous: "anonymous", HSTS: 3600e9, AltSvc: `h3=":443"; ma=60`, Attachments: []string{"*.bin"},
		Cache: []Rule{{"/pub/**", "public, max-age=60"}, {"*.html", "no-store"}}}
	protocols(t, func(t *testing.T, protocol string) {
		w := served(t, protocol, newFakeSite(), conf)
		r, _ := w.do("GET", "/pub/b.bin")
		secure := protocol != "http"
		for name, want := range map[string]string{"Strict-Transport-Security": "max-age=3600", "Alt-Svc": `h3=":443"; ma=60`} {
			if got := r.Header.Get(name); secure && got != want || !secure && got != "" {
				t.Errorf("%s: %q", name, got)
			}
		}
		if r.Header.Get("Cache-Control") != "public, max-age=60" || r.Header.Get("Content-Disposition") != `attachment; filename=b.bin` {
			t.Errorf("%v", r.Header)
		}
		if r, _ := w.do("GET", "/page.html"); r.Header.Get("Content-Security-Policy") != "sandbox" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", r.Header)
		}
		if r, _ := w.do("GET", "/pub/sub/"); r.Header.Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("%v", r.Header)
		}
		if r, _ := w.do("GET", "/"); r.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%v", r.Header)
		}
	})
}

func TestConfigFaults(t *testing.T) {
	for _, c := range []Config{{PerConnection: -1}, {Realm: "a\nb"}, {AltSvc: "h3\r\nx: y"}, {FilePolicy: "é"}, {Cache: []Rule{{"[", "x"}}},
		{Cache: []Rule{{"", "x"}}}, {Cache: []Rule{{"*", ""}}}, {Cache: []Rule{{"*", "a\nb"}}}, {Attachments: []string{"["}}} {
		if _, err := newHandler(c, nil); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"*.txt", "/a/b.txt", true}, {"*.txt", "/a.txt/b", false}, {"/*.txt", "/a.txt", true}, {"/*.txt", "/b/a.txt", false},
		{"/pub/**", "/pub/a", true}, {"/pub/**", "/pub/a/b/c", true}, {"/pub/**", "/pub", false}, {"/pub/**", "/public/a", false},
		{"/**", "/a/b", true}, {"/**", "/", false}, {"/*/x/**", "/a/x/y", true}, {"/", "/", true},
	} {
		if got := fits(c.pattern, c.path); got != c.want {
			t.Errorf("%s, %s: %v", c.pattern, c.path, got)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	for name, want := range map[string]string{"/a": octets, "/a.TXT": "text/plain; charset=utf-8", "/a.tar.gz": "application/gzip",
		"/.txt": "text/plain; charset=utf-8", "/a.svg": "image/svg+xml", "/a.nosuchthing": octets, "/dir.html/a": octets} {
		if got := mediaType(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, name := range []string{"a.html", "a.svg", "a.xhtml", "a.xml", "a.svgz"} {
		if !active(mediaType(name)) {
			t.Errorf("%s (%s) would be run", name, mediaType(name))
		}
	}
	if active("text/plain; charset=utf-8") || active("application/pdf") {
		t.Error("what cannot run is shut up")
	}
}

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{"a.txt": `attachment; filename=a.txt`, `q"t.txt`: `attachment; filename="q\"t.txt"`,
		"ü.txt": `attachment; filename*=utf-8''%C3%BC.txt`, "a\u202egpj.exe": `attachment; filename="a\\u202Egpj.exe"`} {
		if got := disposition(name); got != want {
			t.Errorf("%s: %s", strconv.QuoteToASCII(name), got)
		}
	}
}

func TestPrefers(t *testing.T) {
	for accept, want := range map[string]string{"": "text/html", "*/*": "text/html", "application/json": "application/json",
		"text/html, application/json;q=0.9": "text/html", "text/*;q=0.3, application/json;q=0.4": "application/json",
		"application/json;q=0": "text/html", "image/png": "text/html", "*/*, text/html;q=0.1": "application/json",
		"APPLICATION/JSON": "application/json", "application/json;q=nan": "text/html", ";;;,,": "text/html"} {
		if got := prefers(accept, "text/html", "application/json"); got != want {
			t.Errorf("%q: %s", accept, got)
		}
	}
}

func TestShown(t *testing.T) {
	for name, want := range map[string]string{"plain": "plain", "a\u202eb": `a\u202Eb`, "a\xffb": `a\xFFb`, "a\nb": `a\u000Ab`, "ünï": "ünï", "\ufffd": "\ufffd"} {
		if got := shown(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"/a", "//evil", "/..", "/a/../b/", "/\xff", "/a:b"} {
		f.Add(s)
	}
	h, err := newHandler(anonymous(), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		x := &exchange{h: h, r: &http.Request{Method: "GET"}}
		x.r.URL = mustURL(path)
		if no := x.understand(); no != nil {
			if no.status != 400 && no.status != 414 {
				t.Errorf("%q: %d", path, no.status)
			}
			return
		}
		for _, s := range []string{escaped(path), escaped(string(x.canonical))} {
			if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || slices.Contains([]rune(`"<>\^{|}`), r) }) {
				t.Errorf("%q is escaped as %q", path, s)
			}
		}
		if x.canonical[0] != '/' || len(x.canonical) > 1 && x.canonical[1] == '/' {
			t.Errorf("%q is %q", path, x.canonical)
		}
	})
}
