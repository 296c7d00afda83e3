//go:debug x509usefallbackroots=1

package providers

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libdns/libdns"
	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/acme"
	"github.com/edgeftp/edgeftp/tests/authority"
)

// internet has the APIs of providers for the tests. Most have their addresses built in
// and take no client of ours; so every request of this process goes to a proxy of ours,
// by the environment, and the proxy knows what a test has put there and nothing else.
// Nothing leaves the machine.
var internet struct {
	hosts sync.Map // http.Handler by host
	mu    sync.Mutex
	lost  []string // hosts that were asked for and are not there
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	cert, err := wideCertificate()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert.Leaf)
	x509.SetFallbackRoots(roots)

	far := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	far.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	far.StartTLS()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tunnel(w, r, far.Listener.Addr().String()) }))
	for _, name := range []string{"https_proxy", "http_proxy", "no_proxy", "NO_PROXY"} {
		os.Unsetenv(name)
	}
	os.Setenv("HTTPS_PROXY", proxy.URL)
	os.Setenv("HTTP_PROXY", proxy.URL)

	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	proxy.Close()
	far.Close()
	if len(internet.lost) > 0 {
		fmt.Fprintln(os.Stderr, "hosts that no test expects to be asked:", internet.lost)
		code = 1
	}
	if err := goleak.Find(goleak.IgnoreAnyFunction(authority.Residue),
		goleak.IgnoreAnyFunction("github.com/caddyserver/certmagic.keepLockfileFresh")); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

func known() []string {
	return []string{"api.cloudflare.com", "api.hetzner.cloud", "desec.io", "route53.amazonaws.com"}
}

func wideCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: known(), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// answer is that of the API which the request is for.
func answer(w http.ResponseWriter, r *http.Request) {
	if h, ok := internet.hosts.Load(r.Host); ok {
		h.(http.Handler).ServeHTTP(w, r)
		return
	}
	http.Error(w, "no test has put "+r.Host+" here", http.StatusBadGateway)
}

// tunnel is a proxy's answer to CONNECT.
func tunnel(w http.ResponseWriter, r *http.Request, far string) {
	host, _, _ := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || !slices.Contains(known(), host) {
		internet.mu.Lock()
		internet.lost = append(internet.lost, r.Method+" "+r.Host)
		internet.mu.Unlock()
		http.Error(w, "not there", http.StatusForbidden)
		return
	}
	up, err := net.Dial("tcp", far)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer down.Close()
	fmt.Fprint(down, "HTTP/1.1 200 OK\r\n\r\n")
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{up, down}, {down, up}} {
		go func() { io.Copy(way[0], way[1]); done <- struct{}{} }()
	}
	<-done
}

// serve puts an API into the internet for a test.
func serve(t *testing.T, host string, h http.Handler) {
	internet.hosts.Store(host, h)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		internet.hosts.Delete(host)
	})
}

// texts is a zone of TXT records, as the APIs see it: any value is there once.
type texts struct {
	mu  sync.Mutex
	all map[string][]string // by relative name
}

func (z *texts) of(name string) []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Clone(z.all[name])
}

func (z *texts) set(name string, values []string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.all == nil {
		z.all = map[string][]string{}
	}
	if z.all[name] = values; len(values) == 0 {
		delete(z.all, name)
	}
}

const (
	zone = "example.org."
	name = "_acme-challenge.ftp"
	one  = "Gs6lHnmJZ4zTZHhTtYyBYzMyNtnv4w3bTBkpNAYxYqs"
	two  = "1RsCbT3mPAtWcGz8q9mQkKkXw1WcHkO6_KDyQy-ZPdU"
)

// text is a record in the form in which certmagic hands them over.
func text(value string) []libdns.Record {
	return []libdns.Record{libdns.RR{Name: name, Type: "TXT", Data: value}}
}

// both tries what an order for NAME and *.NAME does: two records of one name, which are
// removed one by one, beside a record that is none of ours.
func both(t *testing.T, p acme.Provider, now func() []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	see := func(what string, want ...string) {
		t.Helper()
		got := now()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%s: the zone has %q, want %q", what, got, want)
		}
	}
	var added [][]libdns.Record
	for _, value := range []string{one, two} {
		got, err := p.AppendRecords(ctx, zone, text(value))
		if err != nil {
			t.Fatal(err)
		}
		// What is returned is what is removed later.
		if len(got) != 1 || got[0].RR().Name != name || got[0].RR().Type != "TXT" || got[0].RR().Data != value {
			t.Fatalf("added %q, and got %+v", value, got)
		}
		added = append(added, got)
	}
	see("two were added", "other", one, two)
	if _, err := p.DeleteRecords(ctx, zone, added[0]); err != nil {
		t.Fatal(err)
	}
	see("one was removed", "other", two)
	if _, err := p.DeleteRecords(ctx, zone, added[1]); err != nil {
		t.Fatal(err)
	}
	see("both were removed", "other")
}

// opened is a provider, or the end of the test.
func opened(t *testing.T, provider string, settings map[string]string) acme.Provider {
	t.Helper()
	p, err := Open(provider, settings)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
