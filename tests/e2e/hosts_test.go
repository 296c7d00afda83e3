package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// tenants is a server with two virtual hosts: a has a certificate of its own and comes by
// name alone; b is also what the second listener serves. Each has a user anna, and a file
// /which that tells whose it is. more is what its configuration says beside.
func tenants(t *testing.T, more string) (s *server, client *tls.Config) {
	t.Helper()
	p := newPlace(t)
	_, _, ca := issue(t, "authority", nil)
	cert, key, _ := issue(t, "a.example.test", ca)
	ok(t, os.WriteFile(p.out("a.pem"), append(cert, key...), 0o600))
	hash := func(password string) string { return must(edge.HashPassword(password))(t) }
	for _, host := range []string{"", "a", "b"} {
		dir := p.root
		if host != "" {
			dir = p.out("root-" + host)
			ok(t, os.Mkdir(dir, 0o755))
		}
		ok(t, os.WriteFile(dir+"/which", []byte(host), 0o644))
	}
	s = p.serve(t, fmt.Sprintf(`limits:
  logins: { attempts: 0, delay_after_failure: 0 }
defender: { enabled: false }
listeners:
  - { name: main, address: "127.0.0.1:0" }
  - { name: second, address: "127.0.0.1:0", host: b, unknown_hosts: refuse, banner: The second. }
events: { file: %q }
users:
  list: [{ name: anna, password_hash: %q, perm: elradfmw }]
hosts:
  - name: a
    names: [a.example.test, "*.a.example.test"]
    root: %q
    banner: The host a.
    certificates: [{ cert: %q }]
    limits: { sessions: 1 }
    bandwidth: { down: 1GB, up: 0 }
    users:
      defaults: { quota: { bytes: 10B } }
      list: [{ name: anna, password_hash: %q, perm: elradfmw }]
  - name: b
    names: [b.example.test, bücher.example.test]
    root: %q
    users:
      defaults: { quota: { bytes: 100B } }
      list: [{ name: anna, password_hash: %q, perm: elradfmw }]
      anonymous: { enabled: true }
`, p.out("events.json"), hash("pw-"), p.out("root-a"), p.out("a.pem"), hash("pw-a"), p.out("root-b"), hash("pw-b"))+more)
	client = s.trust(t)
	client.RootCAs.AddCert(ca.cert)
	return s, client
}

// Virtual hosts as an operator configures them: users, files, quotas, certificates,
// limits, logs and the commands that show them.
func TestVirtualHosts(t *testing.T) {
	t.Parallel()
	s, client := tenants(t, "")
	s.expect(t, `"level":"WARN"`, "no certificate holds a name of a virtual host", `"name":"*.a.example.test"`)
	to := func(listener int, name, user, password string, code int) *session {
		t.Helper()
		c := s.at(t, listener).dial(t)
		conf := client.Clone()
		conf.ServerName = name
		ok(t, c.Protect(conf))
		c.want(t, "USER "+user, 331)
		c.want(t, "PASS "+password, code)
		return c
	}
	for _, host := range []string{"", "a", "b"} {
		name := map[string]string{"": "127.0.0.1", "a": "a.example.test", "b": "b.example.test"}[host]
		for _, password := range []string{"pw-", "pw-a", "pw-b"} {
			if password != "pw-"+host {
				to(0, name, "anna", password, 530)
				continue
			}
			c := to(0, name, "anna", password, 230)
			if got := string(c.get(t, "RETR /which")); got != host {
				t.Errorf("at %q the files are those of %q", host, got)
			}
			c.want(t, "TYPE I", 200)
			size := map[string]int{"": 1000, "a": 10, "b": 100}[host] - 1
			c.put(t, "STOR stored", strings.NewReader(strings.Repeat("x", size)))
			if host != "" {
				data := c.begin(t, "STOR more")
				_, _ = data.Write([]byte("xx"))
				_ = userpi.End(data)
				_, err := c.Expect("an upload beyond the quota", 552)
				ok(t, err)
			}
			c.want(t, "QUIT", 221)
		}
	}
	to(0, "b.example.test", "anonymous", "x", 230)
	to(0, "127.0.0.1", "anonymous", "x", 530)
	s.hostsByAddress(t, client)
	s.hostsShown(t, to)

	// A reload changes a user of one host, and nobody else's.
	text := string(must(os.ReadFile(s.outside + "/edgeftp.yaml"))(t))
	at := strings.LastIndex(text, "$argon2id$")
	end := at + strings.IndexByte(text[at:], '"')
	ok(t, os.WriteFile(s.outside+"/edgeftp.yaml", []byte(text[:at]+must(edge.HashPassword("changed"))(t)+text[end:]), 0o600))
	if r := s.admin(t, "reload"); r.code != 0 || !strings.Contains(r.both(), "hosts") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	to(0, "b.example.test", "anna", "pw-b", 530)
	to(0, "b.example.test", "anna", "changed", 230)
	to(0, "a.example.test", "anna", "pw-a", 230)
	s.stop(t)
}

// hostsByAddress comes to the listener whose own host is b.
func (s *server) hostsByAddress(t *testing.T, client *tls.Config) {
	t.Helper()
	second := s.at(t, 1)
	c, hello := second.raw(t)
	says(t, hello, "The second.")
	says(t, c.want(t, "HOST x.a.example.test", 220), "The host a.")
	says(t, c.want(t, "HOST BÜCHER.example.test.", 220), "The second.")
	c.want(t, "HOST nonesuch.example.test", 504)
	conf := client.Clone()
	ok(t, c.Protect(conf))
	ok(t, c.Identify("anna", "pw-b"))
	c = second.dial(t)
	conf.ServerName = "nonesuch.example.test"
	if err := c.Protect(conf); err == nil {
		t.Error("a handshake for an unknown name was done")
	}

	// What verifies the certificate of a must be shown that one, and no other.
	conf.ServerName = "a.example.test"
	c = second.dial(t)
	c.want(t, "HOST a.example.test", 220)
	c.want(t, "AUTH TLS", 234)
	nameless := conf.Clone()
	nameless.ServerName, nameless.InsecureSkipVerify = "127.0.0.1", true
	nameless.VerifyConnection = func(cs tls.ConnectionState) error {
		_, err := cs.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: "a.example.test", Roots: conf.RootCAs})
		return err
	}
	ok(t, c.StartTLS(nameless))
	c.want(t, "QUIT", 221)
}

// hostsShown is what the operator sees.
func (s *server) hostsShown(t *testing.T, to func(listener int, name, user, password string, code int) *session) {
	t.Helper()
	c := to(0, "a.example.test", "anna", "pw-a", 230)
	to(0, "a.example.test", "anna", "pw-a", 421)
	c.want(t, "QUIT", 221)
	s.expect(t, `"msg":"logged in"`, `"host":"a"`, `"by":"users@a"`)
	if r := s.admin(t, "bandwidth", "set", "host", "b", "--down", "5MB"); r.code != 0 || !strings.Contains(r.stdout, "host ") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	if r := s.admin(t, "bandwidth", "set", "host", "c", "--down", "5MB"); r.code != 1 || !strings.Contains(r.stderr, `no virtual host "c"`) {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	if r := s.admin(t, "bandwidth", "set", "user", "anna@b", "--up", "1MB"); r.code != 0 || !strings.Contains(r.stdout, "anna@b") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
	r := s.admin(t, "policy", "list", "-o", "json")
	for _, name := range []string{"users", "users@a", "users@b", "anonymous@b", "quota@a", "quota@b"} {
		if !strings.Contains(r.stdout, fmt.Sprintf(`"name": %q`, name)) && !strings.Contains(r.stdout, fmt.Sprintf(`"name":%q`, name)) {
			t.Errorf("policy %s is not shown: %s", name, r.both())
		}
	}
	until(t, "the event log has the host", func() bool {
		text := string(must(os.ReadFile(s.outside + "/events.json"))(t))
		return strings.Contains(text, `"vhost":"a"`) && strings.Contains(text, `"vhost":"b"`)
	})
}

// curl names the host of its URL in the TLS handshake, and so comes to a virtual host by
// its name alone.
func TestVirtualHostsCurl(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	s, _ := tenants(t, "")
	_, port, err := net.SplitHostPort(s.addr)
	ok(t, err)
	for _, host := range []string{"a", "b"} {
		name := host + ".example.test"
		r := program{name: need(t, "curl"), args: []string{"-q", "-sS", "--ssl-reqd", "--insecure", "-u", "anna:pw-" + host,
			"--resolve", name + ":" + port + ":127.0.0.1", "ftp://" + name + ":" + port + "/which"}}.must(t)
		if r.stdout != host {
			t.Errorf("curl got %q from %s", r.stdout, name)
		}
	}
	s.stop(t)
}

// One module that is asked about the sessions of all hosts is told of which each is.
func TestVirtualHostsModule(t *testing.T) {
	t.Parallel()
	s, client := tenants(t, fmt.Sprintf("policies: { modules: [{ name: whose, source: %q }] }\n", testModule(t, "vhost")))
	for _, host := range []string{"a", "", "b"} {
		c := s.dial(t)
		conf := client.Clone()
		conf.ServerName = map[string]string{"": "127.0.0.1", "a": "a.example.test", "b": "b.example.test"}[host]
		ok(t, c.Protect(conf))
		ok(t, c.Identify("anna", "pw-"+host))
		c.want(t, "TYPE I", 200)
		if host == "" {
			c.put(t, "STOR stored", strings.NewReader("x"))
		} else {
			if text := c.refused(t, "STOR stored", 553).Text(); !strings.HasPrefix(text, host+" (ref ") {
				t.Errorf("at %q the module says %q", host, text)
			}
		}
		c.want(t, "QUIT", 221)
	}
	s.stop(t)
}
