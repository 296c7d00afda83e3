package acme

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	rfc8555 "github.com/mholt/acmez/v3/acme"
	"github.com/miekg/dns"

	"github.com/edgeftp/edgeftp/tests/authority"
)

// replaces are the certificates that orders for a name said they replace.
func replaces(ca *authority.Authority, name string) (list []string) {
	for _, r := range ca.Requests() {
		if r.Endpoint == authority.NewOrder && r.Names[0] == name {
			list = append(list, r.Replaces)
		}
	}
	return list
}

func ariID(t *testing.T, leaf *x509.Certificate) string {
	t.Helper()
	id, err := rfc8555.ARIUniqueIdentifier(leaf)
	must(t, err)
	return id
}

// The authority says that it is time, and the certificate is renewed.
func TestRenewWhenAuthoritySays(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{RenewalRetry: time.Second})
	conf := onlyHTTP(t, ca, "ftp.example.org")
	conf.every = 100 * time.Millisecond
	n := start(t, ca, conf)
	first := n.obtained()
	n.served("ftp.example.org")
	ca.SetRenewalInfo(first, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour))
	second := n.obtained()
	soon(t, func() bool { return n.served("ftp.example.org").Equal(second) })
	if got := replaces(ca, "ftp.example.org"); len(got) != 2 || got[0] != "" || got[1] != ariID(t, first) {
		t.Errorf("the orders replace %q; the first certificate is %s", got, ariID(t, first))
	}
}

// An order that is refused for what it replaces is made without it the next time.
func TestReplacesIsDropped(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	n := start(t, ca, onlyHTTP(t, ca, "ftp.example.org"))
	id := ariID(t, n.obtained())
	n.served("ftp.example.org")
	ca.Break(authority.Fault{At: []authority.Endpoint{authority.NewOrder}, Times: 1, Status: 400, Type: "malformed", Detail: "no such certificate"})
	if err := n.Renew(t.Context(), "ftp.example.org"); err == nil || !strings.Contains(err.Error(), "no such certificate") {
		t.Errorf("the fault did not arrive: %v", err)
	}
	must(t, n.Renew(t.Context(), "ftp.example.org"))
	if got := replaces(ca, "ftp.example.org"); len(got) != 3 || got[1] != id || got[2] != "" {
		t.Errorf("the orders replace %q", got)
	}
	next := ariID(t, n.leaf("ftp.example.org"))
	must(t, n.Renew(t.Context(), "ftp.example.org"))
	if got := replaces(ca, "ftp.example.org"); got[3] != next {
		t.Errorf("the order after that replaces %q, want %s", got[3], next)
	}
}

// A certificate that was replaced already, as after a restored backup, does not hinder.
func TestReplacedAlready(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	n := start(t, ca, onlyHTTP(t, ca, "ftp.example.org"))
	id := ariID(t, n.obtained())
	n.served("ftp.example.org")
	ca.Break(authority.Fault{At: []authority.Endpoint{authority.NewOrder}, Times: 1, Status: 409, Type: "alreadyReplaced"})
	must(t, n.Renew(t.Context(), "ftp.example.org"))
	if got := replaces(ca, "ftp.example.org"); len(got) != 3 || got[1] != id || got[2] != "" {
		t.Errorf("the orders replace %q", got)
	}
}

// A certificate of another account is not said to be replaced.
func TestReplacesOfOtherAccount(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	conf := onlyHTTP(t, ca, "ftp.example.org")
	n := start(t, ca, conf)
	n.obtained()
	n.Close()
	conf.Authorities[0].Email = "new@example.org"
	n = start(t, ca, conf)
	must(t, n.Renew(t.Context(), "ftp.example.org"))
	if got := replaces(ca, "ftp.example.org"); len(got) != 2 || got[1] != "" {
		t.Errorf("the orders replace %q", got)
	}
}

// When the first authority is down the second one issues.
func TestFallback(t *testing.T) {
	t.Parallel()
	first := authority.Start(t, authority.Options{})
	second := authority.Start(t, authority.Options{HTTPPort: first.HTTPPort, TLSPort: first.TLSPort})
	conf := onlyHTTP(t, first, "ftp.example.org")
	conf.Authorities = append(conf.Authorities, Authority{Directory: second.Directory, Roots: second.Roots})
	first.Down()
	began := time.Now()
	n := start(t, second, conf)
	n.obtained()
	t.Logf("the second authority has issued after %v", time.Since(began).Round(time.Millisecond))
	n.served("ftp.example.org")
	if got := n.Certificates()[0]; got.CA != second.Directory {
		t.Errorf("the certificate is said to be of %s", got.CA)
	}
	if !strings.Contains(n.log.String(), "an authority has issued no certificate") {
		t.Error("nobody was told of the first")
	}
	first.Resume()
	must(t, n.Renew(t.Context(), "ftp.example.org"))
	if first.Orders() != 1 || replaces(first, "ftp.example.org")[0] != "" {
		t.Errorf("%d orders, replacing %q", first.Orders(), replaces(first, "ftp.example.org"))
	}
}

// staged are an authority and its test directory.
func staged(t *testing.T) (real, test *authority.Authority, conf Config) {
	real = authority.Start(t, authority.Options{})
	test = authority.Start(t, authority.Options{HTTPPort: real.HTTPPort, TLSPort: real.TLSPort})
	conf = onlyHTTP(t, real, "ftp.example.org")
	roots := real.Roots.Clone()
	roots.AppendCertsFromPEM(test.RootsPEM)
	conf.Authorities[0].Staging, conf.Authorities[0].Roots = test.Directory, roots
	return real, test, conf
}

func TestStagingFirst(t *testing.T) {
	t.Parallel()
	real, test, conf := staged(t)
	real.DNS.Answer("ftp.example.org", dns.RcodeNameError)
	test.DNS.Answer("ftp.example.org", dns.RcodeNameError)
	n := start(t, real, conf)
	e := n.event()
	if e.Err == nil || !strings.Contains(Advice(e.Err), "A or AAAA record") {
		t.Errorf("%v; help: %s", e.Err, Advice(e.Err))
	}
	if test.Tried() != 0 {
		t.Error("the test directory was asked before a failure")
	}
	if err := n.Renew(t.Context(), "ftp.example.org"); err == nil || real.Tried() != 1 || test.Tried() != 1 {
		t.Errorf("%v, %d real orders and %d tests", err, real.Tried(), test.Tried())
	}
	real.DNS.Answer("ftp.example.org", dns.RcodeSuccess)
	test.DNS.Answer("ftp.example.org", dns.RcodeSuccess)
	must(t, n.Renew(t.Context(), "ftp.example.org"))
	n.served("ftp.example.org")
	if real.Orders() != 2 || test.Orders() != 2 {
		t.Errorf("%d real orders and %d tests", real.Orders(), test.Orders())
	}
	must(t, n.Renew(t.Context(), "ftp.example.org"))
	if test.Tried() != 2 || accounts(test) != 1 {
		t.Errorf("%d tests, %d accounts there", test.Tried(), accounts(test))
	}
	want := map[OrderCount]bool{{real.Directory, "issued", 2}: true, {real.Directory, "failed", 1}: true, {real.Directory, "limited", 0}: true,
		{test.Directory, "issued", 1}: true, {test.Directory, "failed", 1}: true, {test.Directory, "limited", 0}: true}
	for _, got := range n.Orders() {
		if !want[got] {
			t.Errorf("counted: %v", got)
		}
	}
}

// A test directory that is broken itself does not keep anybody from the real one.
func TestStagingDown(t *testing.T) {
	t.Parallel()
	real, test, conf := staged(t)
	real.Status(503, 0, authority.NewOrder)
	test.Down()
	n := start(t, real, conf)
	if e := n.event(); e.Err == nil {
		t.Fatal("the fault did not arrive")
	}
	real.Resume()
	must(t, n.Renew(t.Context(), "ftp.example.org"))
	if real.Orders() != 1 {
		t.Errorf("%d orders", real.Orders())
	}
}

// A renewal before its time that fails is not tried again before its time, and says what
// can be done, once.
func TestRenewedTooEarly(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	n := start(t, ca, onlyHTTP(t, ca, "ftp.example.org"))
	n.obtained()
	ca.Await(10*time.Second, "the certificate in use", func() bool { return n.leaf("ftp.example.org") != nil })
	ca.Down()
	if err := n.Renew(t.Context(), "ftp.example.org"); err == nil {
		t.Fatal("the authority is not down")
	}
	got := n.Certificates()[0]
	if got.Failures != 1 || got.Renew.IsZero() || !got.Next.Equal(got.Renew) || !strings.Contains(got.Help, "HTTPS_PROXY") {
		t.Errorf("%+v", got)
	}
	if log := n.log.String(); strings.Count(log, "order-plz") != 1 {
		t.Errorf("the log says %s", log)
	}
	ca.Resume()
	must(t, n.Renew(t.Context(), "ftp.example.org"))
	if got := n.Certificates()[0]; got.Help != "" || !got.Next.IsZero() {
		t.Errorf("%+v", got)
	}
}

// A limit is kept, also if a fallback would come sooner, but by who asks for it.
func TestLimited(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	ca.Status(429, 2*time.Hour, authority.NewOrder)
	n := start(t, ca, onlyHTTP(t, ca, "ftp.example.org"))
	e := n.event()
	var limited *limitedError
	if !errors.As(e.Err, &limited) || time.Until(limited.until).Round(time.Minute) != 2*time.Hour {
		t.Fatalf("%v", e.Err)
	}
	if next := n.Certificates()[0].Next; time.Until(next).Round(time.Minute) != 2*time.Hour {
		t.Errorf("the next attempt is at %v", next)
	}
	if got := n.Orders()[2]; got.Result != "limited" || got.Count != 1 {
		t.Errorf("counted: %v", n.Orders())
	}
	if !strings.Contains(Advice(e.Err), "after "+limited.until.UTC().Format(time.RFC3339)) {
		t.Errorf("help: %s", Advice(e.Err))
	}
	asked := ca.Tried()
	if _, err := n.issuers[0].Issue(t.Context(), &x509.CertificateRequest{DNSNames: []string{"ftp.example.org"}}); !errors.As(err, &limited) || ca.Tried() != asked {
		t.Errorf("it is asked again: %v", err)
	}
	ca.Resume()
	must(t, n.Renew(t.Context(), "ftp.example.org"))
}

// An authority that is closed for some time says so without a problem of that kind.
func TestClosedForNow(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{})
	ca.Status(503, time.Hour)
	e := start(t, ca, onlyHTTP(t, ca, "ftp.example.org")).event()
	var limited *limitedError
	if !errors.As(e.Err, &limited) || time.Until(limited.until).Round(time.Minute) != time.Hour {
		t.Errorf("%v", e.Err)
	}
}

// Wrong answers are errors, and nothing worse.
func TestWrongAnswers(t *testing.T) {
	for what, fault := range map[string]func(*authority.Authority){
		"html":      func(ca *authority.Authority) { ca.Garbage(authority.HTML) },
		"truncated": func(ca *authority.Authority) { ca.Garbage(authority.Truncated, authority.Certificate) },
		"order":     func(ca *authority.Authority) { ca.Garbage(authority.HTML, authority.Order, authority.Finalize) },
		"5xx":       func(ca *authority.Authority) { ca.Status(500, 0, authority.Finalize) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ca := authority.Start(t, authority.Options{})
			fault(ca)
			n := start(t, ca, onlyHTTP(t, ca, "ftp.example.org"))
			if e := n.event(); e.Err == nil || e.Leaf != nil {
				t.Fatalf("%v, %v", e.Err, e.Leaf)
			} else {
				t.Logf("%s; help: %s", brief(e.Err), Advice(e.Err))
			}
			if listens(ca.HTTPAddr()) {
				t.Error("the challenge listener is still open")
			}
			if n.Ready() {
				t.Error("something is served")
			}
			ca.Resume()
			must(t, n.Renew(t.Context(), "ftp.example.org"))
		})
	}
}

// What is stored with a certificate is what certmagic looks for.
func TestFacts(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{Alternates: 1})
	conf := onlyHTTP(t, ca, "ftp.example.org")
	n := start(t, ca, conf)
	n.obtained()
	text, err := conf.Storage.Load(t.Context(), certmagic.StorageKeys.SiteMeta(n.issuers[0].IssuerKey(), "ftp.example.org"))
	must(t, err)
	var facts struct {
		Issuer rfc8555.Certificate `json:"issuer_data"`
	}
	must(t, json.Unmarshal(text, &facts))
	if facts.Issuer.CA != ca.Directory || facts.Issuer.Account == "" || facts.Issuer.RenewalInfo == nil || !facts.Issuer.RenewalInfo.HasWindow() {
		t.Errorf("%s", text)
	}
	if chain, err := conf.Storage.Load(t.Context(), certmagic.StorageKeys.SiteCert(n.issuers[0].IssuerKey(), "ftp.example.org")); err != nil || bytes.Count(chain, []byte("BEGIN")) != 2 {
		t.Errorf("%s, %v", chain, err)
	}
}

func TestClearTextIsRefused(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://ca.example.org/dir": true, "http://127.0.0.1:14000/dir": true, "http://[::1]:14000/dir": true, "http://localhost:14000/dir": true,
		"http://ca.example.org/dir": false, "http://127.0.0.1.example.org/dir": false, "http://192.0.2.1/dir": false,
		"ftp://ca.example.org/dir": false, "ca.example.org": false, "": false, "https://": false, "%": false,
	} {
		if err := (Authority{Directory: url}).check(); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
		conf := Config{Names: []string{"a.example.org"}, Storage: MemoryStorage(), Authorities: []Authority{{Directory: url}},
			Challenges: Challenges{TLSALPNServed: true}}
		if m, err := NewManager(conf); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		} else if m != nil {
			m.Close()
		}
	}
	for _, b := range []Binding{{MAC: "QUJD"}, {KeyID: "x"}, {KeyID: "x", MAC: "a b"}, {KeyID: "x", MAC: "A"}} {
		if err := (Authority{Directory: "https://ca.example.org/dir", Binding: &b}).check(); err == nil {
			t.Errorf("the binding %v is taken", b)
		}
	}
	if err := checkAuthorities([]Authority{{Directory: "https://ca.example.org/dir"}, {Directory: "https://ca.example.org/dir"}}); err == nil {
		t.Error("one authority is taken for two")
	}
	if err := (Authority{Directory: "https://ca.example.org/dir", Staging: "http://ca.example.org/test"}).check(); err == nil {
		t.Error("a test directory in clear text is taken")
	}
}

// Close waits for no authority that does not say when to renew.
func TestCloseWhileAsking(t *testing.T) {
	t.Parallel()
	ca := authority.Start(t, authority.Options{RenewalRetry: time.Second})
	conf := onlyHTTP(t, ca, "ftp.example.org")
	conf.every = 100 * time.Millisecond
	n := start(t, ca, conf)
	n.obtained()
	n.served("ftp.example.org")
	ca.Break(authority.Fault{At: []authority.Endpoint{authority.RenewalInfo}, Delay: time.Minute})
	asked := func() (count int) {
		for _, r := range ca.Requests() {
			if r.Endpoint == authority.RenewalInfo {
				count++
			}
		}
		return count
	}
	before := asked()
	soon(t, func() bool { return asked() > before })
	began := time.Now()
	n.Close()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	ca.Resume()
}
