package acme

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libdns/libdns"

	"github.com/edgeftp/edgeftp/tests/authority"
)

// node is a manager under test, with all that it tells.
type node struct {
	*Manager
	t      *testing.T
	ca     *authority.Authority
	events chan CertEvent
	log    *words
}

// words is a log that tests look into.
type words struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// onlyHTTP is what most tests configure: names that HTTP-01 proves.
func onlyHTTP(t *testing.T, ca *authority.Authority, names ...string) Config {
	t.Helper()
	return Config{
		Names:       names,
		Authorities: []Authority{{Directory: ca.Directory, Roots: ca.Roots, Email: "ops@example.org"}},
		Challenges:  Challenges{HTTP: []string{ca.HTTPAddr()}},
		Storage:     MemoryStorage(),
	}
}

// start starts a manager, which ends with the test.
func start(t *testing.T, ca *authority.Authority, conf Config) *node {
	t.Helper()
	n := &node{t: t, ca: ca, events: make(chan CertEvent, 64), log: &words{}}
	conf.Event = func(e CertEvent) { n.events <- e }
	conf.Log = slog.New(slog.NewTextHandler(n.log, nil))
	m, err := NewManager(conf)
	must(t, err)
	n.Manager = m
	t.Cleanup(m.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the manager's log:\n%s", n.log)
		}
	})
	must(t, m.Start(t.Context()))
	return n
}

// event waits for what happens next.
func (n *node) event() CertEvent {
	n.t.Helper()
	select {
	case e := <-n.events:
		return e
	case <-time.After(40 * time.Second):
		n.t.Fatalf("nothing has happened\n%s", n.log)
		return CertEvent{}
	}
}

// obtained waits for a certificate.
func (n *node) obtained() *x509.Certificate {
	n.t.Helper()
	e := n.event()
	if e.Err != nil {
		n.t.Fatalf("%s: %v", e.Name, e.Err)
	}
	return e.Leaf
}

// served does a handshake for a name and returns the certificate.
func (n *node) served(name string) *x509.Certificate {
	n.t.Helper()
	var state tls.ConnectionState
	soon(n.t, func() bool { // it is loaded right after the event
		var err error
		state, err = shake(n.t, n.Config(Choice{}), &tls.Config{RootCAs: n.ca.Issued(), ServerName: name})
		return err == nil
	})
	return state.PeerCertificates[0]
}

func listens(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// zone is a DNS provider whose records are in the authority's name server.
type zone struct{ at *authority.NameServer }

func (z zone) AppendRecords(_ context.Context, of string, records []libdns.Record) ([]libdns.Record, error) {
	for _, r := range records {
		z.at.Add(libdns.AbsoluteName(r.RR().Name, of) + ` 1 IN TXT "` + r.RR().Data + `"`)
	}
	return records, nil
}

func (z zone) DeleteRecords(_ context.Context, of string, records []libdns.Record) ([]libdns.Record, error) {
	for _, r := range records {
		z.at.Remove(libdns.AbsoluteName(r.RR().Name, of), "TXT")
	}
	return records, nil
}

func profiles() map[string]time.Duration {
	return map[string]time.Duration{"default": 90 * 24 * time.Hour, "shortlived": 6 * 24 * time.Hour}
}

// Every challenge ends with a certificate that clients get.
func TestIssueByChallenge(t *testing.T) {
	for _, tt := range []struct {
		what, name string
		set        func(*authority.Authority, *Config)
	}{
		{"http-01", "ftp.example.org", func(ca *authority.Authority, c *Config) {}},
		{"tls-alpn-01", "ftp.example.org", func(ca *authority.Authority, c *Config) {
			c.Challenges = Challenges{TLSALPN: []string{ca.TLSAddr()}}
		}},
		{"dns-01", "*.example.org", func(ca *authority.Authority, c *Config) {
			c.Challenges = Challenges{DNS: &DNS{Provider: zone{ca.DNS}, Resolvers: []string{ca.DNS.Addr}}}
			ca.DNS.Hide(1)
		}},
		{"dns-01 delegated", "ftp.example.org", func(ca *authority.Authority, c *Config) {
			ca.DNS.Add("_acme-challenge.ftp.example.org. 1 IN CNAME proofs.example.net.")
			c.Challenges = Challenges{DNS: &DNS{Provider: zone{ca.DNS}, Resolvers: []string{ca.DNS.Addr}, Delegate: "proofs.example.net", Wait: -time.Second}}
		}},
		{"http-01 address", "127.0.0.1", func(ca *authority.Authority, c *Config) { c.Authorities[0].AddressProfile = "shortlived" }},
		{"tls-alpn-01 address", "127.0.0.1", func(ca *authority.Authority, c *Config) {
			c.Authorities[0].AddressProfile = "shortlived"
			c.Challenges = Challenges{TLSALPN: []string{ca.TLSAddr()}}
		}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			ca := authority.Start(t, authority.Options{Profiles: profiles()})
			conf := onlyHTTP(t, ca, tt.name)
			conf.Authorities[0].Profile = "default"
			tt.set(ca, &conf)
			if listens(ca.HTTPAddr()) || listens(ca.TLSAddr()) {
				t.Fatal("a challenge listener is open before the order")
			}
			began := time.Now()
			n := start(t, ca, conf)
			leaf := n.obtained()
			t.Logf("%s: %v", tt.what, time.Since(began).Round(time.Millisecond))
			if listens(ca.HTTPAddr()) || listens(ca.TLSAddr()) {
				t.Error("a challenge listener is open after the order")
			}
			life := leaf.NotAfter.Sub(leaf.NotBefore).Round(time.Hour)
			if want := profiles()["default"]; !strings.HasSuffix(tt.what, "address") && life != want {
				t.Errorf("it is valid for %v, want %v", life, want)
			} else if want := profiles()["shortlived"]; strings.HasSuffix(tt.what, "address") && life != want {
				t.Errorf("it is valid for %v, want %v", life, want)
			}
			got := n.served(strings.Replace(tt.name, "*", "any", 1)) // of an address: without SNI
			if !got.Equal(leaf) {
				t.Errorf("serial %x is served, %x was obtained", got.SerialNumber, leaf.SerialNumber)
			}
			if left := ca.DNS.Records("_acme-challenge.example.org"); len(left) > 0 {
				t.Errorf("records are left: %q", left)
			}
			if got := n.Orders(); len(got) != 3 || got[1] != (OrderCount{ca.Directory, "issued", 1}) || got[0].Count+got[2].Count != 0 {
				t.Errorf("the orders are counted as %v", got)
			}
		})
	}
}

// Handshakes with the manager's own configuration answer TLS-ALPN-01.
func TestIssueByOwnListener(t *testing.T) {
	ca := authority.Start(t, authority.Options{})
	conf := onlyHTTP(t, ca, "ftp.example.org")
	conf.Challenges = Challenges{TLSALPNServed: true}
	l, err := net.Listen("tcp", ca.TLSAddr())
	must(t, err)
	conf.Log = slog.New(slog.DiscardHandler)
	m, err := NewManager(conf)
	must(t, err)
	defer m.Close()
	var serving sync.WaitGroup
	defer serving.Wait()
	defer func() { _ = l.Close() }()
	config := m.Config(Choice{})
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = tls.Server(conn, config).HandshakeContext(t.Context()) // strangers fail
			_ = conn.Close()
		}
	})
	must(t, m.Start(t.Context()))
	soon(t, m.Ready)
}

// Half of all nonces are refused, and validations take a while.
func TestIssueWithBadNonces(t *testing.T) {
	ca := authority.Start(t, authority.Options{NonceReject: 50, RandomSleep: true})
	conf := onlyHTTP(t, ca, "a.example.org", "b.example.org", "c.example.org")
	conf.Challenges.TLSALPN = []string{ca.TLSAddr()}
	n := start(t, ca, conf)
	for range conf.Names {
		n.obtained()
	}
	for _, name := range conf.Names {
		n.served(name)
		if got := ca.Orders(name); got != 1 {
			t.Errorf("%d orders for %s", got, name)
		}
	}
	if got := ca.Count(authority.NewAccount) - ca.Tried(); got > 3 {
		t.Errorf("%d requests for one account", got)
	}
}

// A chain has few certificates: every client is sent all of them.
func TestWholeIsShort(t *testing.T) {
	ca := newTestCA(t, newKey(t))
	cert := ca.issue(newKey(t), "ftp.example")
	csr, chain := requestFor(t, cert), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	must(t, whole(chain, csr, "ftp.example"))
	for range 1000 {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})...)
	}
	if err := whole(chain, csr, "ftp.example"); err == nil {
		t.Error("a chain of 1,001 certificates is taken")
	}
}

func requestFor(t *testing.T, cert *tls.Certificate) *x509.CertificateRequest {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: cert.Leaf.DNSNames}, cert.PrivateKey)
	must(t, err)
	csr, err := x509.ParseCertificateRequest(der)
	must(t, err)
	return csr
}
