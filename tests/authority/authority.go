// Package authority is a certificate authority for tests: an ACME server (pebble, in
// this process), a name server that it asks, the faults that real ones have, and a
// record of what it was asked. Everything is on 127.0.0.1.
//
//	ca := authority.Start(t, authority.Options{})
//	conf := acme.Config{
//		Authorities: []acme.Authority{{Directory: ca.Directory, Roots: ca.Roots}},
//		Challenges:  acme.Challenges{HTTP: []string{ca.HTTPAddr()}},
//		...
//	}
//	...
//	ca.Status(503, 0)           // from now on it fails
//	ca.Resume()                 // and works again
//	if n := ca.Orders("ftp.example.org"); n != 1 { ... }
//
// Only tests import it.
package authority

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/core"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// Residue is the function of the one goroutine that each authority leaves behind,
// because pebble has no way to end it. A test that looks for leaks passes it to
// goleak.IgnoreAnyFunction.
const Residue = "github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"

// Identity is the domain by which CAA and dns-persist-01 records name the authority.
const Identity = "authority.test"

// Options is what an authority is made of. The zero value is one that issues
// certificates of 90 days for every name that resolves to 127.0.0.1.
type Options struct {
	// HTTPPort and TLSPort are where HTTP-01 and TLS-ALPN-01 are looked for. Zero: a
	// port that is free now.
	HTTPPort, TLSPort int
	// Bindings are keys (base64url) by their ids. Where there is one, an account needs
	// a binding (RFC 8555 §7.3.4).
	Bindings map[string]string
	// NonceReject is how many of 100 requests are refused for a bad nonce although it
	// is good (RFC 8555 §6.5), evenly spread.
	NonceReject int
	// RandomSleep waits 0 or 1 second before each validation; else there is no wait. The
	// test cannot be a parallel one.
	RandomSleep bool
	// Profiles are validities by the name of the profile, whole seconds. An order that
	// names none gets any of them. For less than 4 seconds acmez takes no renewal window,
	// and an order takes it 7 seconds more. Nil: one, "default", of 90 days.
	Profiles map[string]time.Duration
	// Alternates is how many further roots there are, each with a chain of its own.
	Alternates int
	// Challenges are the kinds that are offered for a name. Nil: all.
	Challenges []string
	// Retry is the Retry-After of answers about orders and authorizations that are not
	// ready. Zero: none is sent, and clients ask as often as they like.
	Retry time.Duration
	// RenewalRetry is the Retry-After of renewal information (RFC 9773 §4.3). Zero: 6
	// hours.
	RenewalRetry time.Duration
	// DNS configures the name server.
	DNS NameOptions
}

// Authority is a running certificate authority. Its methods may be called from any
// goroutine.
type Authority struct {
	Base      string         // the URL of the server behind it, without a path, https
	Directory string         // the URL of its directory
	Roots     *x509.CertPool // verify the certificate of Directory
	RootsPEM  []byte         // the same, PEM
	HTTPPort  int            // where HTTP-01 is looked for
	TLSPort   int            // where TLS-ALPN-01 is looked for
	DNS       *NameServer    // what the authority asks about names

	t      testing.TB
	store  *db.MemoryStore
	issuer *ca.CAImpl
	roots  int
	server *httptest.Server
	gate   *gate
	front  *front
	once   sync.Once
}

// Prepare sets the environment variables that pebble reads, for the whole test
// binary: to be called by TestMain where tests that start authorities run in parallel.
// Otherwise Start sets them for the test, which then cannot be a parallel one.
func Prepare() error {
	for name, value := range environment(false) {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

func environment(sleep bool) map[string]string {
	env := map[string]string{
		"PEBBLE_VA_NOSLEEP":      "1",
		"PEBBLE_VA_ALWAYS_VALID": "0",
		"PEBBLE_WFE_NONCEREJECT": "0", // that is ours, see front
		"PEBBLE_AUTHZREUSE":      "0",
	}
	if sleep {
		env["PEBBLE_VA_NOSLEEP"], env["PEBBLE_VA_SLEEPTIME"] = "0", "2"
	}
	return env
}

// Start starts an authority, which ends with the test.
func Start(t testing.TB, o Options) *Authority {
	t.Helper()
	for name, value := range environment(o.RandomSleep) {
		if os.Getenv(name) != value {
			t.Setenv(name, value)
		}
	}
	a := &Authority{t: t, roots: 1 + o.Alternates}
	a.HTTPPort, a.TLSPort = given(t, o.HTTPPort), given(t, o.TLSPort)
	a.DNS = serveNames(t, o.DNS)
	a.store = db.NewMemoryStore()
	for id, key := range o.Bindings {
		if err := a.store.AddExternalAccountKeyByID(id, key); err != nil {
			t.Fatalf("the key of binding %s: %v", id, err)
		}
	}
	words := log.New(io.Discard, "", 0)
	if testing.Verbose() {
		words = log.New(os.Stderr, "authority: ", log.Ltime|log.Lmicroseconds)
	}
	a.issuer = ca.New(words, a.store, "", "ecdsa", o.Alternates, 1, profiles(o.Profiles))
	validator := va.New(words, a.HTTPPort, a.TLSPort, true, a.DNS.Addr, a.store)
	patient(validator)
	pause := int(o.Retry / time.Second)
	web := wfe.New(words, a.store, validator, a.issuer, []string{Identity}, true, len(o.Bindings) > 0, pause, pause)

	a.front = newFront(web.Handler(), o)
	a.server = httptest.NewUnstartedServer(a.front)
	a.gate = &gate{Listener: a.server.Listener}
	a.server.Listener = a.gate
	a.server.Config.ErrorLog = log.New(io.Discard, "", 0) // a fault is no news here
	a.server.StartTLS()
	a.Base = a.server.URL
	// The client library keeps directories by URL for hours, and a port may be that of an
	// authority before.
	a.Directory = a.Base + wfe.DirectoryPath + "?started=" + strconv.FormatInt(time.Now().UnixNano(), 36)
	a.Roots, a.RootsPEM = x509.NewCertPool(), encode(a.server.Certificate())
	a.Roots.AddCert(a.server.Certificate())
	t.Cleanup(a.Close)
	return a
}

// Close ends the authority; what is not answered yet is cut off. It may be called
// before the test ends, and more than once.
func (a *Authority) Close() {
	a.once.Do(func() {
		a.server.CloseClientConnections() // ends what is delayed
		a.server.Close()
		a.DNS.close()
	})
}

// HTTPAddr is the address, HOST:PORT, where HTTP-01 is looked for.
func (a *Authority) HTTPAddr() string { return local(a.HTTPPort) }

// TLSAddr is the address, HOST:PORT, where TLS-ALPN-01 is looked for.
func (a *Authority) TLSAddr() string { return local(a.TLSPort) }

// Issued returns the root of the certificates that it issues, and the alternative
// ones: what clients of a server have to trust.
func (a *Authority) Issued() *x509.CertPool {
	pool := x509.NewCertPool()
	for n := range a.roots {
		pool.AddCert(a.issuer.GetRootCert(n).Cert)
	}
	return pool
}

// IssuedPEM returns the root with this number, PEM; 0 is the one of the chain that is
// offered first.
func (a *Authority) IssuedPEM(n int) []byte { return encode(a.issuer.GetRootCert(n).Cert) }

// Await waits until done, which is asked again and again, is true. The test fails when
// that takes longer than within.
func (a *Authority) Await(within time.Duration, what string, done func() bool) {
	a.t.Helper()
	late, again := time.NewTimer(within), time.NewTicker(5*time.Millisecond)
	defer late.Stop()
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-late.C:
			a.t.Fatalf("%s: not within %v", what, within)
		}
	}
}

// SetRenewalInfo sets the window in which the authority suggests to renew the
// certificate (RFC 9773 §4.2). acmez takes none shorter than 2 seconds.
func (a *Authority) SetRenewalInfo(cert *x509.Certificate, start, end time.Time) {
	a.t.Helper()
	type window struct {
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
	}
	info, err := json.Marshal(map[string]window{"suggestedWindow": {start.UTC(), end.UTC()}})
	if err == nil {
		err = a.store.SetARIResponse(cert.SerialNumber, string(info))
	}
	if err != nil {
		a.t.Fatalf("the renewal window of serial %x: %v", cert.SerialNumber, err)
	}
}

// Revoke revokes the certificate; its renewal information then says: at once. The window
// is half an hour that has passed, because acmez takes none as short as pebble's.
func (a *Authority) Revoke(cert *x509.Certificate) {
	a.t.Helper()
	known := a.store.GetCertificateBySerial(cert.SerialNumber)
	if known == nil {
		a.t.Fatalf("no certificate has serial %x", cert.SerialNumber)
	}
	a.store.RevokeCertificate(&core.RevokedCertificate{Certificate: known, RevokedAt: time.Now()})
	a.SetRenewalInfo(cert, time.Now().Add(-time.Hour), time.Now().Add(-time.Hour/2))
}

// profiles turns validities into what pebble takes.
func profiles(validities map[string]time.Duration) map[string]ca.Profile {
	if len(validities) == 0 {
		validities = map[string]time.Duration{"default": 90 * 24 * time.Hour}
	}
	all := map[string]ca.Profile{}
	for name, d := range validities {
		all[name] = ca.Profile{Description: "valid for " + d.String(), ValidityPeriod: uint64(d / time.Second)}
	}
	return all
}

// patient has the authority wait for names as long as it waits for the rest of a validation
// (15 seconds). By itself it gives them up after two, which a busy machine takes, and has no
// way to be told otherwise.
func patient(v *va.VAImpl) {
	resolver := reflect.ValueOf(v).Elem().FieldByName("dnsClient")
	(*dns.Client)(resolver.UnsafePointer()).Timeout = time.Minute
}

// given is the port that is asked for, or of 0 one that is the test's until it ends.
func given(t testing.TB, port int) int {
	t.Helper()
	if port == 0 {
		port = ports.Row(t, 1)
	}
	return port
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func encode(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}
