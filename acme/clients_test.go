package acme

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// caFile writes authorities for ClientCAs.
func caFile(t *testing.T, certs ...*x509.Certificate) string {
	t.Helper()
	var data []byte
	for _, c := range certs {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return write(t, "clients.pem", data, 0o644)
}

// clientIssuer issues certificates that are for clients.
func clientIssuer(t *testing.T) *testCA {
	is := newTestCA(t, newKey(t))
	is.change = func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	return is
}

func TestClientCertificates(t *testing.T) {
	server := newTestCA(t, newKey(t)).set([]string{"a.example"})
	ours, theirs := clientIssuer(t), clientIssuer(t)
	good := ours.issue(newKey(t), "client.example")
	short := ours.issue(newRSA(t, 1024), "client.example")
	ours.change = func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	forServers := ours.issue(newKey(t), "client.example")
	ours.change = func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	expired := ours.issue(newKey(t), "client.example")
	stranger := theirs.issue(newKey(t), "client.example")
	pinned := newTestCA(t, newKey(t)) // its own certificate, and no authority for others
	alone := &tls.Certificate{Certificate: [][]byte{pinned.cert.Raw}, PrivateKey: pinned.key, Leaf: pinned.cert}
	pool, warnings, err := ClientCAs(caFile(t, ours.cert, pinned.cert))
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	clients := []struct {
		name               string
		cert               *tls.Certificate
		optional, required bool // is served
	}{
		{"nothing", nil, true, false},
		{"a certificate of ours", good, true, true},
		{"the pinned one", alone, true, true},
		{"a stranger's", stranger, false, false},
		{"an expired one", expired, false, false},
		{"one for servers", forServers, false, false},
		{"one with a short key", short, false, false},
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, mode := range []ClientCerts{ClientCertsOff, ClientCertsOptional, ClientCertsRequired} {
			config := server.Config(Choice{})
			must(t, mode.Apply(config, pool))
			for _, c := range clients {
				want := mode == ClientCertsOff || mode == ClientCertsOptional && c.optional || mode == ClientCertsRequired && c.required
				client := &tls.Config{InsecureSkipVerify: true, MaxVersion: version}
				if c.cert != nil {
					client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.cert, nil }
				}
				if _, err := shake(t, config, client); (err == nil) != want {
					t.Errorf("version %x, %s, %s: %v", version, mode, c.name, err)
				}
			}
		}
	}
}

func TestClientCertsNeedAuthorities(t *testing.T) {
	for _, pool := range []*x509.CertPool{nil, x509.NewCertPool()} {
		config := &tls.Config{}
		if err := ClientCertsRequired.Apply(config, pool); err == nil || config.ClientAuth != tls.NoClientCert {
			t.Error("everybody's certificates would be accepted")
		}
		must(t, ClientCertsOff.Apply(config, pool))
	}
	names := []string{ClientCertsOff.String(), ClientCertsOptional.String(), ClientCertsRequired.String()}
	if !slices.Equal(names, []string{"off", "optional", "required"}) {
		t.Error(names)
	}
}

func TestClientCAsErrors(t *testing.T) {
	short := newTestCA(t, newRSA(t, 1024))
	_, keyPEM := selfSigned(t, newKey(t), -time.Hour, time.Hour)
	cases := map[string]string{
		filepath.Join(t.TempDir(), "none.pem"):      "does not exist",
		t.TempDir():                                 "is a directory",
		write(t, "junk.pem", []byte("junk"), 0o600): "is not PEM",
		write(t, "key.pem", keyPEM, 0o600):          "holds a key, not a certificate",
		write(t, "crl.pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL"}), 0o600): "holds no certificate",
		caFile(t, short.cert): "certificate 1 has an RSA key of 1024 bits",
	}
	for file, want := range cases {
		pool, _, err := ClientCAs(file)
		if pool != nil || err == nil || !strings.HasPrefix(err.Error(), file+" ") || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestClientCAsWarnings(t *testing.T) {
	certPEM, keyPEM := selfSigned(t, newKey(t), -48*time.Hour, -24*time.Hour)
	file := write(t, "ca.pem", certPEM, 0o600)
	must(t, os.WriteFile(file, slices.Concat(certPEM, keyPEM), 0o600))
	pool, warnings, err := ClientCAs(file)
	if pool == nil || err != nil || len(warnings) != 2 || !strings.Contains(warnings[0], "expired on") || !strings.Contains(warnings[1], "private key") {
		t.Errorf("%q, %v", warnings, err)
	}
}

// A session with a client certificate is resumed where the certificate is still
// good, as data connections do.
func TestClientCertificateResumes(t *testing.T) {
	config := newTestCA(t, newKey(t)).set([]string{"a.example"}).Config(Choice{})
	ours := clientIssuer(t)
	pool, _, err := ClientCAs(caFile(t, ours.cert))
	must(t, err)
	must(t, ClientCertsRequired.Apply(config, pool))
	NewTicketKeys().Attach(config)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := &tls.Config{InsecureSkipVerify: true, MaxVersion: version, ServerName: "a.example",
			Certificates: []tls.Certificate{*ours.issue(newKey(t), "client.example")}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for _, want := range []bool{false, true} {
			if state, err := shake(t, config, client); err != nil || state.DidResume != want {
				t.Errorf("version %x: resumed %v, %v", version, state.DidResume, err)
			}
		}
	}
}
