package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// delivering is a server of HTTP in all its versions on one port, over TLS, with FTP over
// QUIC beside HTTP/3, and in the clear on another.
func delivering(t *testing.T, p place, more string) *server {
	t.Helper()
	udp := ports.Addr(t)
	return p.serve(t, fmt.Sprintf(`listeners:
  - { name: files, address: "127.0.0.1:0" }
  - name: web
    protocol: http
    address: %q
    http3: true
    delivery: { anonymous: anonymous, cache: [{ match: "*.iso", header: "public, max-age=60" }] }
  - { name: quic, protocol: ftp+quic, address: %q }
  - name: clear
    protocol: http
    address: "127.0.0.1:0"
    tls: { control: off }
    delivery: { anonymous: anonymous, basic: false }
limits: { logins: { attempts: 0, delay_after_failure: 0 } }
defender: { enabled: false }
users: { list: [{ name: dev, password_hash: @HASH@, perm: elradfmwMT }], anonymous: { enabled: true } }
`, udp, udp)+more)
}

// The listeners of delivering, as the line has them that says that it is ready.
const (
	atWeb, atWeb3, atQUIC, atClear = 1, 2, 3, 4
)

// trusting is a TLS configuration that trusts the server's own authority.
func (s *server) trusting(t *testing.T) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(must(os.ReadFile(s.ca))(t)) {
		t.Fatal("the authority's file holds no certificate")
	}
	return &tls.Config{RootCAs: pool}
}

// answered is what came of a request.
type answered struct {
	*http.Response
	body string
}

// browsers are clients of each version of HTTP, over TLS, by name.
func (s *server) browsers(t *testing.T) map[string]*http.Client {
	t.Helper()
	version := func(two bool) *http.Client {
		tr := &http.Transport{TLSClientConfig: s.trusting(t), Protocols: new(http.Protocols)}
		tr.Protocols.SetHTTP1(!two)
		tr.Protocols.SetHTTP2(two)
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr, Timeout: patience()}
	}
	three := &http3.Transport{TLSClientConfig: s.trusting(t)}
	t.Cleanup(func() { _ = three.Close() })
	return map[string]*http.Client{"http/1.1": version(false), "h2": version(true), "h3": {Transport: three, Timeout: patience()}}
}

// ask sends a GET with fields, of which each is "Name: value".
func ask(t *testing.T, c *http.Client, url string, fields ...string) answered {
	t.Helper()
	r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil))(t)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	res := must(c.Do(r))(t)
	defer res.Body.Close()
	return answered{res, string(must(io.ReadAll(res.Body))(t))}
}

// basic is the credentials of a user (RFC 7617).
func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// A file leaves by each version of HTTP alike: whole, in part, not again, and not to who may
// not have it; events, the access log and the figures name the protocol.
func TestDelivery(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	events, access, figures := p.out("events.json"), p.out("access.json"), ports.Addr(t)
	s := delivering(t, p, fmt.Sprintf("events: { file: %q }\ntelemetry: { access_log: { file: %q, format: json }, metrics: { listen: %q } }\n", events, access, figures))
	textFile(t, p.in("pub/hello.txt"), "hello, world\n")
	textFile(t, p.in("disk.iso"), "an image")
	old := time.Now().Add(-time.Hour) // a file that was just written may be written again within its time's second
	ok(t, os.Chtimes(p.in("pub/hello.txt"), old, old))
	url := "https://" + s.at(t, atWeb).addr
	for protocol, c := range s.browsers(t) {
		got := ask(t, c, url+"/pub/hello.txt")
		if major := map[string]int{"http/1.1": 1, "h2": 2, "h3": 3}[protocol]; got.ProtoMajor != major || got.StatusCode != 200 || got.body != "hello, world\n" {
			t.Errorf("%s: %s %s %q", protocol, got.Proto, got.Status, got.body)
		}
		if alt := got.Header.Get("Alt-Svc"); (alt == "") != (protocol == "h3") {
			t.Errorf("%s: Alt-Svc: %q", protocol, alt)
		}
		tag := got.Header.Get("ETag")
		if got := ask(t, c, url+"/pub/hello.txt", "If-None-Match: "+tag); got.StatusCode != 304 || tag == "" {
			t.Errorf("%s: not modified (%s): %s", protocol, tag, got.Status)
		}
		if got := ask(t, c, url+"/pub/hello.txt", "Range: bytes=7-11", "If-Range: "+tag); got.StatusCode != 206 || got.body != "world" {
			t.Errorf("%s: a range: %s %q", protocol, got.Status, got.body)
		}
		if got := ask(t, c, url+"/disk.iso"); got.Header.Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("%s: Cache-Control: %q", protocol, got.Header.Get("Cache-Control"))
		}
		if got := ask(t, c, url+"/", "Accept: text/html"); got.StatusCode != 200 || !strings.Contains(got.body, "disk.iso") {
			t.Errorf("%s: the listing: %s", protocol, got.Status)
		}
		if got := ask(t, c, url+"/nothing"); got.StatusCode != 404 {
			t.Errorf("%s: what is not there: %s", protocol, got.Status)
		}
		until(t, "the event names "+protocol, func() bool {
			line := lineWith(t, events, `"protocol":"`+protocol+`"`)
			return strings.Contains(line, `"listener":"web"`)
		})
		until(t, "the access log names "+protocol, func() bool { return lineWith(t, access, `"protocol":"`+protocol+`"`) != "" })
		s.expect(t, `"msg":"logged in"`, `"protocol":"`+protocol+`"`)
	}
	text := ask(t, http.DefaultClient, "http://"+figures+"/metrics").body
	for _, want := range []string{`edgeftp_http_responses_total{class="2xx",protocol="h3"}`, `edgeftp_http_responses_total{class="4xx",protocol="http/1.1"} 1`,
		`edgeftp_quic_connections{address="` + s.at(t, atWeb).addr + `",protocol="h3"} 1`, `edgeftp_quic_handshakes_total{`} {
		if !strings.Contains(text, want) {
			t.Errorf("the figures do not hold %s", want)
		}
	}
}

// Who has a password comes by it over TLS alone, and is whom the listing of sessions shows,
// with the protocol.
func TestDeliveryLogin(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := delivering(t, p, "")
	textFile(t, p.in("a"), "a")
	c := s.browsers(t)["h2"]
	url := "https://" + s.at(t, atWeb).addr
	if got := ask(t, c, url+"/a", "Authorization: "+basic("dev", secret)); got.StatusCode != 200 {
		t.Errorf("%s", got.Status)
	}
	if list := s.admin(t, "sessions", "-o", "json"); !strings.Contains(list.stdout, `"protocol": "h2"`) {
		t.Errorf("sessions: %s", list.both())
	}
	if got := ask(t, c, url+"/a", "Authorization: "+basic("dev", "wrong")); got.StatusCode != 401 {
		t.Errorf("a wrong password: %s", got.Status)
	}
	if got := ask(t, c, url+"/?login"); got.StatusCode != 401 || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("the link to log in: %s %v", got.Status, got.Header)
	}
	if got := ask(t, c, url+"/?login", "Authorization: "+basic("dev", secret), "Accept: text/html"); got.StatusCode != 200 || got.Request.URL.RequestURI() != "/" || strings.Contains(got.body, "?login") {
		t.Errorf("logged in by it: %s at %v", got.Status, got.Request.URL)
	}
	if got := ask(t, http.DefaultClient, "http://"+s.at(t, atClear).addr+"/a", "Authorization: "+basic("dev", secret)); got.StatusCode == 200 {
		t.Errorf("a password in the clear was taken: %s", got.Status)
	}
}

// What curl shows its user: a module's refusal, with the reference that leads to the log.
func TestDeliveryDenied(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	p := newPlace(t)
	s := delivering(t, p, fmt.Sprintf("policies: { modules: [{ name: guard, source: %q }] }\n", testModule(t, "deny")))
	textFile(t, p.in("a"), "a")
	url := "https://" + s.at(t, atWeb).addr + "/a"
	for _, version := range []string{"--http1.1", "--http2"} {
		r := program{name: "curl", args: []string{"-sS", version, "--cacert", s.ca, "-w", "%{http_code}", url}}.must(t)
		ref := regexp.MustCompile(`\(?ref ([0-9]+-[0-9]+)`).FindStringSubmatch(r.stdout)
		if !strings.HasSuffix(r.stdout, "403") || ref == nil {
			t.Fatalf("%s: %s", version, r.both())
		}
		s.expect(t, `"guard"`, `"`+ref[1]+`"`)
	}
	if got := ask(t, s.browsers(t)["h3"], url); got.StatusCode != 403 || !strings.Contains(got.body, "ref ") {
		t.Errorf("h3: %s %s", got.Status, got.body)
	}
}

// A reload changes what is handed out, and takes HTTP away and brings it back, while a
// download over it goes on.
func TestDeliveryReload(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	size := int64(2 * mib)
	want := noiseFile(t, p.in("big"), size)
	conf := func(web string) string {
		return listener() + web + "sandbox: { landlock: off }\nbandwidth: { transfer_default: { down: 1MB } }\nusers: { anonymous: { enabled: true } }\n"
	}
	address := ports.Addr(t)
	web := func(header string) string {
		return fmt.Sprintf("  - name: web\n    protocol: http\n    address: %q\n    http3: true\n    delivery: { anonymous: anonymous, cache: [{ match: \"*\", header: %q }] }\n", address, header)
	}
	s := p.serve(t, conf(web("public, max-age=1")))
	url := "https://" + address + "/big"
	for _, protocol := range []string{"http/1.1", "h3"} {
		c, url := s.browsers(t)[protocol], url
		res := must(c.Get(url))(t)
		if got := res.Header.Get("Cache-Control"); got != "public, max-age=1" {
			t.Errorf("%s: %q", protocol, got)
		}
		p.file(t, conf(web("public, max-age=2")))
		if out := s.reload(t, 0); len(out.Changes) != 1 || !strings.HasPrefix(out.Changes[0].Key, "listeners[web].delivery.cache") || out.Changes[0].Effect != "now" {
			t.Errorf("%+v", out)
		}
		if got := ask(t, s.browsers(t)[protocol], url, "Range: bytes=0-0").Header.Get("Cache-Control"); got != "public, max-age=2" {
			t.Errorf("%s, after a reload: %q", protocol, got)
		}
		p.file(t, conf(""))
		s.reload(t, 0)
		if res, err := s.browsers(t)["http/1.1"].Get(url); err == nil {
			t.Errorf("HTTP is still there: %s", res.Status)
		}
		body := must(io.ReadAll(res.Body))(t)
		res.Body.Close()
		if got := sum(t, strings.NewReader(string(body))); got != want {
			t.Errorf("%s: the download of %d bytes is not what the file is", protocol, len(body))
		}
		p.file(t, conf(web("public, max-age=1")))
		until(t, "the UDP port is free", func() bool { return s.admin(t, "reload").code == 0 })
		if got := ask(t, s.browsers(t)[protocol], url, "Range: bytes=0-0"); got.StatusCode != 206 {
			t.Errorf("%s, back again: %s", protocol, got.Status)
		}
	}
	s.stop(t)
}
