package config

import (
	_ "embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/acme/providers"
)

//go:embed testdata/roots.pem
var rootsPEM string

func testRoots() string { return rootsPEM }

// with is a machine whose environment also has the variables of vars.
func (o outside) with(vars map[string]string) outside {
	getenv := o.getenv
	o.getenv = func(name string) (string, bool) {
		if v, set := vars[name]; set {
			return v, true
		}
		return getenv(name)
	}
	return o
}

// fullACME is what testdata/full.yaml says of an authority.
func fullACME() *ACME {
	return &ACME{
		Names: []string{"ftp.example.org", "*.files.example.org", "xn--bcher-kva.example.org", "203.0.113.5", "2001:db8::1"},
		Authorities: []Authority{
			{Directory: "https://ca.example.org/acme/directory", Staging: "https://ca.example.org/acme/test", Email: "ops@example.org", Profile: "classic",
				AddressProfile: "short", Binding: &Binding{"abc", Secret{value: "YWJj", from: "${env:MAC}"}}, Roots: "/etc/roots.pem"},
			{Directory: "https://acme-v02.api.letsencrypt.org/directory", Staging: "https://ca.example.org/le", Email: "le@example.org", Profile: "tlsserver",
				AddressProfile: "shortlived", Binding: &Binding{"def", Secret{value: "cGFzc3dvcmQ"}}, Roots: "/etc/roots.pem"},
			{Directory: "https://acme.zerossl.com/v2/DV90", Email: "ops@example.org", Binding: &Binding{"ghi", Secret{value: "Z2hp", from: "${file:/etc/mac}"}}},
		},
		Challenges: Challenges{HTTP: []string{":8080"}, TLSALPN: []string{":8443"}, TLSALPNServed: true, listen: []string{":990", ":8443"},
			DNS: &DNS{Provider: "rfc2136", Settings: map[string]Secret{"server": {value: "127.0.0.1:53", open: true}, "key_name": {value: "edgeftp", open: true},
				"key": {value: "aHVudGVyMiBrZXk=", from: "${file:/etc/tsig}"}, "key_alg": {value: "hmac-sha256", open: true}},
				Delegate: "_acme-challenge.example.net", TTL: time.Minute, Resolvers: []string{"192.0.2.53:53", "[2001:db8::53]:5353"}},
			Persist: &Persist{Resolver: "127.0.0.1:5353"}},
		Key: acme.RSA2048, KeepKey: true, Resolver: "192.0.2.53:53", Storage: "/var/lib/certificates", Fleet: true,
		OnDemand: &OnDemand{Allow: []string{"*.customers.example.org", "shop.example.org"}, Most: 50, Rate: 5},
	}
}

const acmeFile = `version: 1
storage: [{ root: /srv }]
instance: { state_dir: /var/state }
users: { anonymous: { enabled: true } }
listeners:
  - { name: a, address: "127.0.0.1:21", tls: { certificate: auto } }
certificates:
  acme:
    agree_to_terms: true
`

// acmeOf reads a file with further keys of certificates.acme.
func acmeOf(t *testing.T, keys string) *ACME {
	t.Helper()
	conf, err := parse("c.yaml", "/etc", []byte(acmeFile+keys), fullMachine())
	if err != nil {
		t.Fatal(err)
	}
	again(t, conf, fullMachine())
	return conf.ACME
}

func TestACMEDefaults(t *testing.T) {
	got := acmeOf(t, "    domains: [ftp.example.org]\n")
	want := &ACME{Names: []string{"ftp.example.org"}, Storage: "/var/state/certificates",
		Authorities: []Authority{{Directory: "https://acme-v02.api.letsencrypt.org/directory", Staging: "https://acme-staging-v02.api.letsencrypt.org/directory"}},
		Challenges:  Challenges{HTTP: []string{":80"}, TLSALPN: []string{":443"}, listen: []string{":443"}}}
	if diff := cmp.Diff(want, got, alike()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Empty texts are as if they were absent.
	got = acmeOf(t, "    domains: [ftp.example.org]\n    staging: \"\"\n    email: \"\"\n    profile: \"\"\n    address_profile: \"\"\n    resolver: \"\"\n    storage: \"\"\n")
	if diff := cmp.Diff(want, got, alike()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The names of authorities lead to their directories, and the URLs back to what is
// known of them.
func TestAuthorities(t *testing.T) {
	const bound = "    account_binding: { key_id: a, mac: YWJj }\n    domains: [ftp.example.org]\n    ca: "
	for ca, want := range map[string][2]string{
		"letsencrypt":         {"https://acme-v02.api.letsencrypt.org/directory", "https://acme-staging-v02.api.letsencrypt.org/directory"},
		"letsencrypt-staging": {"https://acme-staging-v02.api.letsencrypt.org/directory", ""},
		"google":              {"https://dv.acme-v02.api.pki.goog/directory", "https://dv.acme-v02.test-api.pki.goog/directory"},
		"zerossl":             {"https://acme.zerossl.com/v2/DV90", ""},
		"https://dv.acme-v02.api.pki.goog/directory": {"https://dv.acme-v02.api.pki.goog/directory", "https://dv.acme-v02.test-api.pki.goog/directory"},
		"http://127.0.0.1:14000/dir":                 {"http://127.0.0.1:14000/dir", ""},
		"http://[::1]:14000/dir":                     {"http://[::1]:14000/dir", ""},
	} {
		got := acmeOf(t, bound+ca+"\n").Authorities[0]
		if got.Directory != want[0] || got.Staging != want[1] {
			t.Errorf("%s: %s, %s", ca, got.Directory, got.Staging)
		}
	}
}

// What no public authority issues, one of the operator's own may.
func TestOwnAuthority(t *testing.T) {
	got := acmeOf(t, `    ca: https://ca.corp/acme
    domains: [localhost, nas, nas.local, ftp.internal, 127.0.0.1, "::1", 10.0.0.7, 100.64.0.1, 192.0.2.1, "fd00::1"]
    on_demand: { enabled: true, allow: ["*.internal", "*.customers.corp"] }
`)
	if len(got.Names) != 10 || len(got.OnDemand.Allow) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestTLSALPNServed(t *testing.T) {
	const implicit = "  - { name: b, address: %q, protocol: ftps, tls: { certificate: auto } }\n"
	for name, c := range map[string]struct {
		address, keys string
		listen        []string
		served        bool
	}{
		"another port":        {":990", "", []string{":443"}, false},
		"its port":            {":443", "", nil, true},
		"its port on one":     {"198.51.100.7:443", "", nil, true},
		"forwarded to it":     {":990", "    tls_alpn: { listen: [] }\n", nil, true},
		"one of two":          {":990", "    tls_alpn: { listen: [\"127.0.0.1:990\", \":8443\"] }\n", []string{":8443"}, true},
		"not another address": {"127.0.0.2:443", "    tls_alpn: { listen: [\"127.0.0.1:443\"] }\n", []string{"127.0.0.1:443"}, false},
		"not wanted":          {":443", "    challenges: [http-01]\n", nil, false},
	} {
		text := strings.Replace(acmeFile, "certificates:\n", fmt.Sprintf(implicit, c.address)+"certificates:\n", 1) + "    domains: [ftp.example.org]\n" + c.keys
		conf, err := parse("c.yaml", "/etc", []byte(text), fullMachine())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again(t, conf, fullMachine())
		ch := conf.ACME.Challenges
		if diff := cmp.Diff(c.listen, ch.TLSALPN); diff != "" || ch.TLSALPNServed != c.served {
			t.Errorf("%s: %q, %v", name, ch.TLSALPN, ch.TLSALPNServed)
		}
	}
}

func TestOverlap(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{":80", "127.0.0.1:80"}: true, {"[::]:80", "0.0.0.0:80"}: true, {"127.0.0.1:80", "127.0.0.1:80"}: true, {"localhost:80", "[::1]:80"}: true,
		{"[::ffff:127.0.0.1]:80", "127.0.0.1:80"}: true, {"a:80", "A:80"}: true,
		{":80", ":81"}: false, {"127.0.0.1:80", "127.0.0.2:80"}: false, {":0", ":0"}: false, {"x", ":80"}: false, {"localhost:80", "10.0.0.1:80"}: false,
	} {
		if overlap(pair[0], pair[1]) != want || overlap(pair[1], pair[0]) != want {
			t.Errorf("%q", pair)
		}
	}
}

func TestDomainFlags(t *testing.T) {
	got, err := Flags{Root: "/srv", Domains: []string{"FTP.example.org", "9.9.9.9"}, Email: "ops@example.org", AgreeToTerms: true, CA: "letsencrypt-staging",
		Listen: []string{":21"}, Implicit: ":443"}.config("/etc", flagMachine())
	if err != nil {
		t.Fatal(err)
	}
	want := &ACME{Names: []string{"ftp.example.org", "9.9.9.9"}, Storage: "/etc/.edgeftp/certificates",
		Authorities: []Authority{{Directory: "https://acme-staging-v02.api.letsencrypt.org/directory", Email: "ops@example.org"}},
		Challenges:  Challenges{HTTP: []string{":80"}, TLSALPNServed: true, listen: []string{":443"}}}
	if diff := cmp.Diff(want, got.ACME, alike()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, l := range got.Listeners {
		if l.TLS.Certificate != "auto" {
			t.Errorf("%s: %s", l.Name, l.TLS.Certificate)
		}
	}
	again(t, got, flagMachine())
	// Plain beside implicit TLS has a certificate to be issued.
	got, err = Flags{Root: "/srv", TLS: "off", Implicit: ":990", Domains: []string{"ftp.example.org"}, AgreeToTerms: true}.config("/etc", flagMachine())
	if err != nil || got.Listeners[0].TLS.Certificate != "dev" || got.Listeners[1].TLS.Certificate != "auto" {
		t.Error(got, err)
	}
}

// A web server that has one of the two ports is no obstacle for flags.
func TestDomainFlagsBesideAWebServer(t *testing.T) {
	f := Flags{Root: "/srv", Domains: []string{"ftp.example.org"}, AgreeToTerms: true}
	for taken, want := range map[string]*Challenges{
		":80":     {TLSALPN: []string{":443"}, listen: []string{":443"}},
		":443":    {HTTP: []string{":80"}},
		":80:443": nil,
	} {
		machine := flagMachine()
		machine.bind = func(address string) error {
			if strings.Contains(taken, address) {
				return &net.OpError{Op: "listen", Err: syscall.EADDRINUSE}
			}
			return nil
		}
		got, err := f.config("/etc", machine)
		if want == nil {
			if err == nil || strings.Count(err.Error(), "--domain: another program listens on ") != 2 {
				t.Errorf("%s: %v", taken, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", taken, err)
			continue
		}
		if diff := cmp.Diff(*want, got.ACME.Challenges, alike()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", taken, diff)
		}
		again(t, got, machine)
	}
}

// What no file is to show is neither in messages nor in what is written.
func TestSecretsAreNotShown(t *testing.T) {
	got := acmeOf(t, "    domains: [ftp.example.org]\n    ca: zerossl\n    challenges: [dns-01]\n    account_binding: { key_id: a, mac: aHVudGVyMg }\n"+
		"    dns: { provider: rfc2136, settings: { server: \"127.0.0.1:53\", key_name: k, key: aHVudGVyMiBrZXk= } }\n")
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", got, got.Authorities[0].Binding, got.Challenges.DNS), fmt.Sprint(got.Authorities[0].Binding.MAC)} {
		if strings.Contains(text, "aHVudGVyMg") {
			t.Error(text)
		}
	}
	conf := &Config{ACME: got, Listeners: []Listener{{Protocol: ProtocolFTP}}}
	data, err := conf.YAML()
	if err != nil || strings.Contains(string(data), "aHVudGVyMg") || strings.Contains(string(data), "aHVudGVyMiBrZXk") || !strings.Contains(string(data), "mac: ${env:EDGEFTP_ACME_MAC}") {
		t.Errorf("%v\n%s", err, data)
	}
}

// package acme takes what a configuration makes of a file.
func TestACMEConfig(t *testing.T) {
	dir := t.TempDir()
	roots := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(roots, []byte(testRoots()), 0o600); err != nil {
		t.Fatal(err)
	}
	got := acmeOf(t, `    domains: [ftp.example.org, "*.files.example.org"]
    challenges: [dns-01, dns-persist-01, http-01, tls-alpn-01]
    account_binding: { key_id: a, mac: YWJj }
    key: p384
    dns: { provider: desec, settings: { token: abc }, wait: 0 }
    on_demand: { enabled: true, allow: ["*.customers.example.org"], most: 5, rate: 6 }
`)
	got.Authorities[0].Roots = roots
	conf, err := got.Config()
	if err != nil {
		t.Fatal(err)
	}
	a, ch := conf.Authorities[0], conf.Challenges
	if a.Binding == nil || a.Binding.MAC != "YWJj" || a.Roots == nil || conf.Key != acme.P384 || ch.DNS == nil || ch.DNS.Wait >= 0 || ch.Persist == nil ||
		len(ch.HTTP) != 1 || len(ch.TLSALPN) != 1 || conf.OnDemand == nil || conf.OnDemand.Most != 5 || conf.OnDemand.Rate != 6 || len(conf.OnDemand.Allow) != 1 {
		t.Errorf("%+v", conf)
	}
	if conf.Storage, err = acme.OpenStorage(filepath.Join(dir, "certificates")); err != nil {
		t.Fatal(err)
	}
	if ch.DNS.Provider, err = providers.Open(got.Challenges.DNS.Provider, got.Challenges.DNS.Values()); err != nil {
		t.Fatal(err)
	}
	m, err := acme.NewManager(conf)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	for name, content := range map[string]string{"missing.pem": "", "empty.pem": "x"} {
		got.Authorities[0].Roots = filepath.Join(dir, name)
		if content != "" {
			if err := os.WriteFile(got.Authorities[0].Roots, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := got.Config(); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "= help: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A port that another program has is refused, one that nobody has is not, and what
// listens there is left alone.
func TestForeignPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	root, name := t.TempDir(), filepath.Join(t.TempDir(), "c.yaml")
	text := strings.Replace(acmeFile, "/srv", root, 1) + "    domains: [ftp.example.org]\n    challenges: [http-01]\n    http: { listen: [%q] }\n"
	text = strings.Replace(text, "/var/state", filepath.Join(filepath.Dir(name), "state"), 1)
	load := func() error {
		if err := os.WriteFile(name, fmt.Appendf(nil, text, l.Addr()), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(name); err != nil {
			t.Errorf("a server would not start: %v", err)
		}
		_, err := Validate(name)
		return err
	}
	if err := load(); err == nil || !strings.Contains(err.Error(), "another program listens on "+l.Addr().String()) || !strings.Contains(err.Error(), "c.yaml:12:22") {
		t.Errorf("%v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := load(); err != nil {
		t.Error(err)
	}
}

// A server that runs may be who has a port.
func TestOwnServerRuns(t *testing.T) {
	machine := fullMachine()
	text := acmeFile + "    domains: [ftp.example.org]\n    http: { listen: [\":8021\"] }\n"
	if _, err := parse("c.yaml", "/etc", []byte(text), machine); err == nil {
		t.Error("a foreign port is not refused")
	}
	if _, err := parse("c.yaml", "/etc", []byte(text+"admin: { socket: /run/here.sock }\n"), machine); err != nil {
		t.Error(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	if running(socket) {
		t.Error("nothing runs")
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if !running(socket) {
		t.Error("a server runs")
	}
}

// A file that a provider reads is beside the configuration, wherever that was read.
func TestFileOfAccounts(t *testing.T) {
	dir := t.TempDir()
	text := `{"ftp.example.org": {"username": "u", "password": "p", "subdomain": "s", "fulldomain": "s.auth.example.org"}}`
	if err := os.WriteFile(filepath.Join(dir, "accounts.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	machine := fullMachine()
	conf, err := parse("c.yaml", dir, []byte(acmeFile+"    domains: [ftp.example.org]\n    challenges: [dns-01]\n"+
		"    dns: { provider: acmedns, settings: { server_url: \"https://auth.example.org\", accounts: accounts.json } }\n"), machine)
	if err != nil {
		t.Fatal(err)
	}
	if got := conf.ACME.Challenges.DNS.Values()["accounts"]; got != filepath.Join(dir, "accounts.json") {
		t.Error(got)
	}
	again(t, conf, machine)
}
