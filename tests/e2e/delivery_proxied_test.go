package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// Two headers of one client, in version 1 and version 2 of the PROXY protocol; of others the
// last number of the address is another one.
const (
	announced1 = "PROXY TCP4 203.0.113.1 198.51.100.1 40000 443\r\n"
	announced2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x02\xc6\x33\x64\x01\x9c\x40\x01\xbb" // 203.0.113.2
	stranger1  = "PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\n"
)

// through is a client whose connections begin with what a proxy says.
func (s *server) through(t *testing.T, header string, two bool) *http.Client {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: s.trusting(t), Protocols: new(http.Protocols), DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			_, err = io.WriteString(conn, header)
		}
		return conn, err
	}}
	tr.Protocols.SetHTTP1(!two)
	tr.Protocols.SetHTTP2(two)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience()}
}

// Whom a proxy announces is whom limits, policies and logs of HTTP are about, in the clear and
// over TLS, in both versions of HTTP; nobody else is believed, or served.
func TestDeliveryProxied(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	access, events := p.out("access.json"), p.out("events.json")
	const trusted = "proxy_protocol: { mode: required, trusted: [127.0.0.1] }"
	s := p.serve(t, fmt.Sprintf(`listeners:
  - { name: files, address: "127.0.0.1:0" }
  - { name: web, protocol: http, address: "127.0.0.1:0", delivery: { anonymous: anonymous }, %s }
  - { name: clear, protocol: http, address: "127.0.0.1:0", tls: { control: off }, delivery: { anonymous: anonymous, basic: false }, %s }
  - { name: foreign, protocol: http, address: "127.0.0.1:0", tls: { control: off }, delivery: { anonymous: anonymous, basic: false }, proxy_protocol: { mode: required, trusted: [192.0.2.0/24] } }
limits: { sessions: { per_ip: 1 }, logins: { attempts: 0, delay_after_failure: 0 } }
users: { list: [{ name: dev, password_hash: @HASH@, perm: elr, networks: [203.0.113.0/24] }], anonymous: { enabled: true } }
telemetry: { access_log: { file: %q, format: json } }
events: { file: %q }
`, trusted, trusted, access, events))
	textFile(t, p.in("a"), "content")
	web, clear, foreign := "https://"+s.at(t, 1).addr+"/a", "http://"+s.at(t, 2).addr+"/a", "http://"+s.at(t, 3).addr+"/a"
	for _, of := range []struct {
		url, header, client, protocol string
	}{
		{clear, announced1, "203.0.113.1", "http/1.1"},
		{web, announced2, "203.0.113.2", "http/1.1"},
		{web, strings.Replace(announced1, "113.1", "113.3", 1), "203.0.113.3", "h2"},
	} {
		c := s.through(t, of.header, of.protocol == "h2")
		if got := ask(t, c, of.url); got.StatusCode != 200 || got.body != "content" {
			t.Errorf("%s, %s: %s", of.url, of.client, got.Status)
		}
		if list := s.admin(t, "sessions", "-o", "json"); !strings.Contains(list.stdout, of.client) {
			t.Errorf("%s is no session's: %s", of.client, list.both())
		}
		for what, file := range map[string]string{"access log": access, "events": events} {
			until(t, "the "+what+" names "+of.client, func() bool {
				return strings.Contains(lineWith(t, file, of.client), `"protocol":"`+of.protocol+`"`)
			})
		}
		if res, err := s.through(t, of.header, of.protocol == "h2").Get(of.url); err == nil {
			t.Errorf("%s: a second connection: %s", of.client, res.Status)
			res.Body.Close()
		}
		c.CloseIdleConnections()
	}
	until(t, "the sessions have ended", func() bool { return strings.TrimSpace(s.admin(t, "sessions", "-o", "json").stdout) == "[]" })
	for header, want := range map[string]int{announced1: 200, stranger1: 401} {
		if got := ask(t, s.through(t, header, true), web, "Authorization: "+basic("dev", secret)); got.StatusCode != want {
			t.Errorf("dev, announced by %q: %s", header, got.Status)
		}
	}
	for what, of := range map[string]struct{ url, header string }{"forged": {foreign, announced1}, "without a header": {clear, ""}, "without a header, over TLS": {web, ""}} {
		if res, err := s.through(t, of.header, false).Get(of.url); err == nil {
			t.Errorf("%s: %s", what, res.Status)
			res.Body.Close()
		}
	}
	s.expect(t, "nobody has said whose it is")
	s.stop(t)
}
