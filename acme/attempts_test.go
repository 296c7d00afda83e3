package acme

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
	rfc8555 "github.com/mholt/acmez/v3/acme"
)

// oddCA is an authority that issues what nobody asked for.
type oddCA struct {
	*fakeCA
	change func(*x509.Certificate)
	renew  bool // it suggests for each certificate to renew it at once
}

func (o *oddCA) Issue(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := csr.DNSNames[0]
	o.orders[name] = append(o.orders[name], time.Now())
	now := time.Now()
	template := &x509.Certificate{SerialNumber: newSerial(), NotBefore: now.Add(-time.Second), NotAfter: now.Add(o.life), DNSNames: csr.DNSNames}
	if o.change != nil {
		o.change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, o.is.cert, csr.PublicKey, o.is.key)
	if err != nil {
		return nil, err
	}
	facts := rfc8555.Certificate{CA: "https://fake.example/dir"}
	if o.renew {
		facts.RenewalInfo = &rfc8555.RenewalInfo{SelectedTime: now.Add(-time.Hour)}
		facts.RenewalInfo.SuggestedWindow.Start, facts.RenewalInfo.SuggestedWindow.End = now.Add(-2*time.Hour), now.Add(-time.Minute)
	}
	o.issued++
	return &certmagic.IssuedCertificate{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Metadata: facts}, nil
}

// vanishing is a storage that loses what it was given of certificates.
type vanishing struct{ Storage }

func (v vanishing) Load(ctx context.Context, key string) ([]byte, error) {
	if strings.HasPrefix(key, "certificates/") {
		return nil, absent("load", key)
	}
	return v.Storage.Load(ctx, key)
}

func (v vanishing) Exists(ctx context.Context, key string) bool {
	return !strings.HasPrefix(key, "certificates/") && v.Storage.Exists(ctx, key)
}

// What an authority issues, or a storage keeps, may be of no use: it is ordered as
// seldom as what is refused.
func TestUselessCertificates(t *testing.T) {
	const day = 24 * time.Hour
	for what, c := range map[string]struct {
		ca      func(*oddCA)
		storage Storage
	}{
		"for a wildcard": {ca: func(o *oddCA) { o.change = func(c *x509.Certificate) { c.DNSNames = []string{"*.example"} } }},
		"in capitals":    {ca: func(o *oddCA) { o.change = func(c *x509.Certificate) { c.DNSNames = []string{"FTP.example"} } }},
		"for others":     {ca: func(o *oddCA) { o.change = func(c *x509.Certificate) { c.DNSNames = []string{"other.test"} } }},
		"expired": {ca: func(o *oddCA) {
			o.change = func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(-90*day), time.Now().Add(-day) }
		}},
		"near its end":  {ca: func(o *oddCA) { o.change = func(c *x509.Certificate) { c.NotBefore = time.Now().Add(-1000 * day) } }},
		"to be renewed": {ca: func(o *oddCA) { o.renew = true }},
		"lost":          {ca: func(*oddCA) {}, storage: vanishing{MemoryStorage()}},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca := &oddCA{fakeCA: newFakeCA(t, 90*day)}
				c.ca(ca)
				conf := Config{Names: []string{"ftp.example"}, Storage: c.storage, Log: slog.New(slog.DiscardHandler), issuers: []certmagic.Issuer{ca}}
				if conf.Storage == nil {
					conf.Storage = MemoryStorage()
				}
				m, err := NewManager(conf)
				must(t, err)
				t.Cleanup(m.Close)
				must(t, m.Start(t.Context()))
				wait(day)
				first := ca.count("ftp.example")
				wait(day)
				if second := ca.count("ftp.example") - first; first > 12 || second > 6 {
					t.Errorf("%d orders on the first day, %d on the second", first, second)
				}
			})
		})
	}
}

// A failure that is noted with a time to come, by a clock that was wrong, keeps no
// certificate from being ordered.
func TestFailureFromTheFuture(t *testing.T) {
	for _, limited := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ca, storage := newFakeCA(t, 45*24*time.Hour), MemoryStorage()
			later := time.Now().Add(365 * 24 * time.Hour)
			text, err := json.Marshal(attempt{Failed: "the clock", At: later, Next: later.Add(time.Minute), InRow: 3, Limited: limited})
			must(t, err)
			must(t, storage.Store(t.Context(), attemptKey("ftp.example"), text))
			m := managed(t, ca, Config{Names: []string{"ftp.example"}, Storage: storage, Log: slog.New(slog.DiscardHandler)})
			wait(8 * 24 * time.Hour)
			if !m.Ready() {
				t.Errorf("limited %v: after 8 days there is no certificate; next attempt %v", limited, m.Certificates()[0].Next)
			}
			m.Close()
		})
	}
}

// No address in a certificate is asked, in clear text and without an end, while the server
// starts and clients wait.
func TestNothingIsStapled(t *testing.T) {
	var asked atomic.Int64
	local := newLocal(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	ca := &oddCA{fakeCA: newFakeCA(t, 90*24*time.Hour), change: func(c *x509.Certificate) {
		c.OCSPServer, c.IssuingCertificateURL = []string{local + "/ocsp"}, []string{local + "/issuer"}
	}}
	m, err := NewManager(Config{Names: []string{"ftp.example"}, Storage: MemoryStorage(), issuers: []certmagic.Issuer{ca}})
	must(t, err)
	t.Cleanup(m.Close)
	must(t, m.Start(t.Context()))
	soon(t, m.Ready)
	if n := asked.Load(); n > 0 {
		t.Errorf("%d requests", n)
	}
}
