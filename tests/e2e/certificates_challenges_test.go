package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	authorities "github.com/edgeftp/edgeftp/tests/authority"
)

// A secret of the name server, and one of an account with the authority.
const (
	updateSecret  = "c2VjcmV0IG9mIHRoZSBlZGdlZnRwIHRlc3RzISEhISE="
	bindingSecret = "b25lIG1vcmUgc2VjcmV0IG9mIHRoZSBlZGdlZnRwIHRlc3Rz"
)

// way is one way to a certificate.
type way struct {
	what      string
	domain    string
	name      string // that clients use; empty: domain
	options   authorities.Options
	listeners func(*authorities.Authority) string // nil: certListeners
	lines     func(*authorities.Authority) []string
	look      func(*testing.T, *authorities.Authority) // at what the authority was asked
}

func byPort(challenge, section string, addr func(*authorities.Authority) string) func(*authorities.Authority) []string {
	return func(ca *authorities.Authority) []string {
		return []string{"challenges: [" + challenge + "]", fmt.Sprintf("%s: { listen: [%q] }", section, addr(ca))}
	}
}

func byUpdates(ca *authorities.Authority) []string {
	return []string{"challenges: [dns-01]", fmt.Sprintf("dns: { provider: rfc2136, settings: { server: %q, key_name: edgeftp, key: %q }, resolvers: [%q] }",
		ca.DNS.Addr, updateSecret, ca.DNS.Addr)}
}

func noRecord(name string) func(*testing.T, *authorities.Authority) {
	return func(t *testing.T, ca *authorities.Authority) {
		if left := ca.DNS.Records("_acme-challenge." + name); len(left) > 0 {
			t.Errorf("records are left: %q", left)
		}
		if n := len(ca.DNS.Updates()); n != 2 {
			t.Errorf("%d updates of the zone, want 2", n)
		}
	}
}

// handsOut looks whether HTTP is spoken where the challenge was answered, with the certificate
// that came of it.
func handsOut(t *testing.T, ca *authorities.Authority) {
	for protocol, major := range map[string]int{"http/1.1": 1, "h2": 2} {
		conf := trusting(ca, certName)
		conf.NextProtos = []string{protocol}
		conn := must(tls.Dial("tcp", ca.TLSAddr(), conf))(t)
		if got := conn.ConnectionState().NegotiatedProtocol; got != protocol {
			t.Errorf("%q is spoken, not %q", got, protocol)
		}
		ok(t, conn.Close())
		tr := &http.Transport{TLSClientConfig: conf, Protocols: new(http.Protocols), DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, ca.TLSAddr())
			}}
		tr.Protocols.SetHTTP1(major == 1)
		tr.Protocols.SetHTTP2(major == 2)
		c := &http.Client{Transport: tr, Timeout: patience()}
		if got := ask(t, c, "https://"+certName+"/", "Authorization: "+basic("dev", secret)); got.StatusCode != 200 || got.ProtoMajor != major {
			t.Errorf("%s: %s %s", protocol, got.Proto, got.Status)
		}
	}
}

func ways() []way {
	http := byPort("http-01", "http", (*authorities.Authority).HTTPAddr)
	alpn := byPort("tls-alpn-01", "tls_alpn", (*authorities.Authority).TLSAddr)
	updates := authorities.Options{DNS: authorities.NameOptions{Zones: []string{"example.org"}, Key: "edgeftp", Secret: updateSecret}}
	profiles := authorities.Options{Profiles: map[string]time.Duration{"default": 90 * 24 * time.Hour, "shortlived": 6 * 24 * time.Hour}}
	address := func(lines func(*authorities.Authority) []string) func(*authorities.Authority) []string {
		return func(ca *authorities.Authority) []string {
			return append(lines(ca), "profile: default", "address_profile: shortlived")
		}
	}
	profile := func(t *testing.T, ca *authorities.Authority) {
		if !slices.ContainsFunc(ca.Requests(), func(r authorities.Request) bool { return r.Profile == "shortlived" }) {
			t.Error("no order has named the profile")
		}
	}
	return []way{
		{what: "http-01", domain: certName, lines: http},
		{what: "tls-alpn-01, a listener for challenges", domain: certName, lines: alpn},
		{what: "tls-alpn-01, an implicit FTPS listener", domain: certName,
			listeners: func(ca *authorities.Authority) string {
				return strings.Replace(certListeners, `ftps, address: "127.0.0.1:0"`, fmt.Sprintf("ftps, address: %q", ca.TLSAddr()), 1)
			},
			lines: func(*authorities.Authority) []string {
				return []string{"challenges: [tls-alpn-01]", "tls_alpn: { listen: [] }"}
			}},
		{what: "tls-alpn-01, a listener of HTTP", domain: certName,
			listeners: func(ca *authorities.Authority) string {
				return certListeners + fmt.Sprintf("  - { name: web, protocol: http, address: %q, tls: { certificate: auto } }\n", ca.TLSAddr())
			},
			lines: func(*authorities.Authority) []string {
				return []string{"challenges: [tls-alpn-01]", "tls_alpn: { listen: [] }"}
			},
			look: handsOut},
		{what: "dns-01", domain: certName, options: updates, lines: byUpdates, look: noRecord(certName)},
		{what: "dns-01, a wildcard", domain: `"*.files.example.org"`, name: "any.files.example.org", options: updates, lines: byUpdates, look: noRecord("files.example.org")},
		{what: "http-01, an address", domain: "127.0.0.1", options: profiles, lines: address(http), look: profile},
		{what: "tls-alpn-01, an address", domain: "127.0.0.1", options: profiles, lines: address(alpn), look: profile},
		{what: "http-01, an external account", domain: certName, options: authorities.Options{Bindings: map[string]string{"customer-7": bindingSecret}},
			lines: func(ca *authorities.Authority) []string {
				return append(http(ca), "account_binding: { key_id: customer-7, mac: "+bindingSecret+" }")
			}},
	}
}

// Every challenge leads from an empty directory to clients that verify the certificate,
// over explicit and implicit TLS.
func TestCertificateByEachChallenge(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	for _, w := range ways() {
		t.Run(w.what, func(t *testing.T) {
			t.Parallel()
			w.obtain(t)
		})
	}
}

func (w *way) obtain(t *testing.T) {
	ca, p := authorities.Start(t, w.options), newPlace(t)
	listeners := certListeners
	if w.listeners != nil {
		listeners = w.listeners(ca)
	}
	name := w.name
	if name == "" {
		name = w.domain
	}
	conf := p.certified(t, ca, listeners, append(w.lines(ca), "domains: ["+w.domain+"]")...)
	began := time.Now()
	s := p.serve(t, conf).issued(ca)
	cert := s.verified(t, ca, name)
	t.Logf("%s: %s from the start to the first verified handshake", w.what, seconds(time.Since(began)))
	if life := cert.NotAfter.Sub(cert.NotBefore).Round(time.Hour); name == "127.0.0.1" && life != 6*24*time.Hour {
		t.Errorf("the certificate is for %v", life)
	}
	s.visit(t, name)
	if n := ca.Orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
	shut(t, ca.HTTPAddr())
	if w.listeners == nil {
		shut(t, ca.TLSAddr())
	}
	if w.look != nil {
		w.look(t, ca)
	}
	s.stop(t)
}

// byRecord is a configuration whose name dns-persist-01 proves.
func (p place) byRecord(t *testing.T, ca *authorities.Authority) string {
	t.Helper()
	return p.certified(t, ca, certListeners, "domains: ["+certName+"]", "challenges: [dns-persist-01]", fmt.Sprintf("dns_persist: { resolver: %q }", ca.DNS.Addr))
}

// addRecords adds what cert dns-record prints.
func (p place) addRecords(t *testing.T, ca *authorities.Authority) {
	t.Helper()
	for line := range strings.Lines(edgeftp(t, "cert", "dns-record", "--config", p.out("edgeftp.yaml")).stdout) {
		if !strings.HasPrefix(line, ";") {
			ca.DNS.Add(line)
		}
	}
}

// dns-persist-01 wants one record, which a command prints before the first start.
func TestCertificateByPersistentRecord(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	ca, p := authorities.Start(t, authorities.Options{}), newPlace(t)
	conf := p.byRecord(t, ca)
	p.file(t, conf)
	p.addRecords(t, ca)
	began := time.Now()
	s := p.serve(t, conf).issued(ca)
	s.verified(t, ca, certName)
	t.Logf("dns-persist-01: %s from the start to the first verified handshake", seconds(time.Since(began)))
	s.visit(t, certName)
	if n := ca.Orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
	s.stop(t)
}

// Who forgets the record is asked for it by the log, and after a restart told when it is
// looked for again. It need not be waited for.
func TestCertificateForgottenRecord(t *testing.T) {
	t.Parallel()
	ca, p := authorities.Start(t, authorities.Options{}), newPlace(t)
	conf := p.byRecord(t, ca)
	s := p.serve(t, conf)
	asked := regexp.MustCompile(`needs the record (\S+) IN TXT \\"(.*?)\\"`).FindStringSubmatch(s.expect(t, "could not be obtained", "dns-persist-01 needs the record"))
	if asked == nil {
		t.Fatal("the log does not say which record")
	}
	s.stop(t)
	for range 2 { // somebody may have added it: three starts in a row look
		s = p.serve(t, conf)
		s.expect(t, "could not be obtained", "dns-persist-01 needs the record")
		s.stop(t)
	}
	s = p.serve(t, conf)
	s.expect(t, `"level":"WARN"`, certName, "needs the record", `"next_attempt"`, "edgeftp cert renew")
	if n := ca.Tried(); n > 0 {
		t.Errorf("%d orders without the record", n)
	}
	p.addRecords(t, ca)
	if got := ca.DNS.Records(strings.TrimSuffix(asked[1], ".")); len(got) != 1 || !strings.Contains(got[0], asked[2]) {
		t.Fatalf("cert dns-record prints %q, the log asks for %q %q", got, asked[1], asked[2])
	}
	if r := s.admin(t, "cert", "renew", certName); r.code != 0 {
		t.Errorf("cert renew: exit code %d\n%s", r.code, r.both())
	}
	_, err := shake(s.addr, trusting(ca, certName))
	ok(t, err)
	s.stop(t)
}
