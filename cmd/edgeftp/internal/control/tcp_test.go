package control

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

const viewerToken, adminToken = "edgeftp_viewer-0123456789abcdef0123456789", "edgeftp_admin-0123456789abcdef0123456789"

// remote is a server on TCP and a way to ask it.
type remote struct {
	t    *testing.T
	a    *Access
	url  string
	ca   *authority
	cert *tls.Certificate // of the client
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	r := &remote{t: t, ca: newAuthority(t), a: newAccess(t)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "https://" + l.Addr().String()
	r.a.TCP = &TCP{Listener: l, Hosts: []string{"127.0.0.1"}, Origins: []string{"https://ops.example.org"},
		Tokens: []Token{{"v", sha256.Sum256([]byte(viewerToken)), Viewer}, {"a", sha256.Sum256([]byte(adminToken)), Admin}},
		Config: &tls.Config{Certificates: []tls.Certificate{r.ca.issue(t, "server")}, ClientCAs: r.ca.pool, ClientAuth: tls.VerifyClientCertIfGiven}}
	r.a.Grants = []Grant{{Certificate: "ops", Role: Operator}}
	s, err := Listen(t.Context(), filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	s.Guard(*r.a)
	done := make(chan error, 1)
	go func() { done <- s.Serve(&everything{}, quiet()) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

// ask asks with headers, KEY: VALUE, and returns the status and the body.
func (r *remote) ask(method, path string, headers ...string) (int, string, http.Header) {
	r.t.Helper()
	conf := &tls.Config{RootCAs: r.ca.pool}
	if r.cert != nil {
		conf.Certificates = []tls.Certificate{*r.cert}
	}
	transport := &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		if k == "Host" {
			req.Host = v
		}
		req.Header.Add(k, v)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body), res.Header
}

func TestTCP(t *testing.T) {
	r := newRemote(t)
	viewer, admin := "Authorization: Bearer "+viewerToken, "Authorization: bearer "+adminToken
	for _, c := range []struct {
		method, path string
		headers      []string
		status       int
		code         string
	}{
		{"GET", "/v1/status", []string{viewer}, 200, ""},
		{"GET", "/v1/status", nil, 401, CodeStranger},
		{"DELETE", "/v1/drain", []string{viewer}, 403, CodeRole},
		{"DELETE", "/v1/drain", []string{admin}, 200, ""},
		{"DELETE", "/v1/drain", []string{"Authorization: Basic " + adminToken}, 401, CodeStranger},
		{"DELETE", "/v1/drain", []string{"Cookie: token=" + adminToken}, 401, CodeStranger},
		{"DELETE", "/v1/drain?token=" + adminToken, nil, 401, CodeStranger},
		// Another server's name: DNS rebinding.
		{"DELETE", "/v1/drain", []string{admin, "Host: evil.example.net"}, 421, CodeHost},
		{"DELETE", "/v1/drain", []string{admin, "Host: 127.0.0.1.evil.example.net:9443"}, 421, CodeHost},
		// Pages of other sites.
		{"DELETE", "/v1/drain", []string{admin, "Origin: https://evil.example.net"}, 403, CodeOrigin},
		{"DELETE", "/v1/drain", []string{admin, "Origin: null"}, 403, CodeOrigin},
		{"DELETE", "/v1/drain", []string{admin, "Origin: https://ops.example.org", "Origin: https://evil.example.net"}, 403, CodeOrigin},
		{"GET", "/v1/status", []string{admin, "Sec-Fetch-Site: cross-site"}, 403, CodeOrigin},
		{"GET", "/v1/status", []string{admin, "Sec-Fetch-Site: same-site"}, 403, CodeOrigin},
		{"GET", "/v1/status", []string{admin, "Sec-Fetch-Site: none"}, 200, ""},
		{"DELETE", "/v1/drain", []string{admin, "Origin: https://ops.example.org"}, 200, ""},
		{"OPTIONS", "/v1/drain", []string{"Origin: https://evil.example.net"}, 403, CodeOrigin},
		{"OPTIONS", "/v1/drain", []string{"Origin: https://ops.example.org"}, 204, ""},
	} {
		status, body, header := r.ask(c.method, c.path, c.headers...)
		if status != c.status || !strings.Contains(body, c.code) {
			t.Errorf("%s %s %v: %d %s", c.method, c.path, c.headers, status, body)
		}
		if allowed := header.Get("Access-Control-Allow-Origin"); allowed != "" && allowed != "https://ops.example.org" {
			t.Errorf("%s may read it", allowed)
		}
		r.a.TCP.attempts.all = nil // counted below; nobody asks at the moment
	}
	drained := 0
	for _, rec := range recorded(t, r.a) {
		if rec.Action == "DELETE /v1/drain" && rec.Result == "ok" {
			drained++
		}
		if text := fmt.Sprintf("%+v", rec); strings.Contains(text, adminToken) || strings.Contains(text, viewerToken) {
			t.Errorf("a token is in the log: %s", text)
		}
	}
	if drained != 2 {
		t.Errorf("%d changes were made, and two were allowed", drained)
	}
}

// Certificates have the role that their names have.
func TestTCPCertificates(t *testing.T) {
	r := newRemote(t)
	with := func(a *authority, name string) (int, string) {
		cert := a.issue(t, name)
		r.cert = &cert
		status, body, _ := r.ask("DELETE", "/v1/drain")
		return status, body
	}
	if status, body := with(r.ca, "ops"); status != 200 {
		t.Errorf("ops: %d %s", status, body)
	}
	if status, body := with(r.ca, "other"); status != 403 || !strings.Contains(body, "certificate other from") {
		t.Errorf("other: %d %s", status, body)
	}
	if status, body := with(newAuthority(t), "ops"); status != 0 && status != 401 {
		t.Errorf("another authority's: %d %s", status, body)
	}
	cert := r.ca.issue(t, "ops") // a page that makes the browser send it
	r.cert = &cert
	if status, _, _ := r.ask("POST", "/v1/drain", "Origin: https://evil.example.net"); status != 403 {
		t.Errorf("a page of another site acts: %d", status)
	}
}

// Nobody tries tokens out.
func TestTCPGuessing(t *testing.T) {
	r := newRemote(t)
	var last int
	for range 8 {
		last, _, _ = r.ask("GET", "/v1/status", "Authorization: Bearer guess")
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the eighth guess: %d", last)
	}
	if status, _, h := r.ask("GET", "/v1/status", "Authorization: Bearer "+adminToken); status != http.StatusTooManyRequests || h.Get("Retry-After") == "" {
		t.Errorf("meanwhile the right one: %d", status)
	}
}

// It is TLS or nothing.
func TestTCPIsNeverPlain(t *testing.T) {
	r := newRemote(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "+adminToken+"\r\n\r\n")
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if answer, _ := io.ReadAll(c); strings.Contains(string(answer), "sessions") || !strings.Contains(string(answer), "400") {
		t.Errorf("%q", answer)
	}
}

func TestAttempts(t *testing.T) {
	var a attempts
	now := time.Unix(1000, 0)
	for i := range 5 {
		if a.blocked("[2001:db8::1]:1", now) {
			t.Fatalf("after %d", i)
		}
		a.failed(fmt.Sprintf("[2001:db8::%d]:1", i), now) // one network
	}
	if !a.blocked("[2001:db8::9]:1", now) || a.blocked("[2001:db8:1::9]:1", now) || a.blocked("192.0.2.1:1", now) {
		t.Error("it is not the network that counts")
	}
	if a.blocked("[2001:db8::9]:1", now.Add(forgetFailure)) {
		t.Error("nothing is forgotten")
	}
	for i := range 2 * mostAddresses {
		a.failed(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), now)
	}
	if len(a.all) > mostAddresses {
		t.Errorf("%d are remembered", len(a.all))
	}
	if !a.blocked("[2001:db8::9]:1", now) {
		t.Error("many others make room for one who guesses")
	}
}
