package acme

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func keyDER(t *testing.T, key crypto.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return der
}

// selfSigned returns a certificate for 127.0.0.1 with the given key.
func selfSigned(t *testing.T, key crypto.Signer, from, until time.Duration) (certPEM, keyPEM []byte) {
	t.Helper()
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(from), NotAfter: now.Add(until),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return pair(t, &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

func TestFilesHandshake(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	for name, key := range map[string]crypto.Signer{"ecdsa": newKey(t), "rsa": rsaKey, "ed25519": edKey} {
		certPEM, keyPEM := selfSigned(t, key, -time.Hour, time.Hour)
		cert, keyFile := write(t, "c.pem", certPEM, 0o644), write(t, "k.pem", keyPEM, 0o600)
		server, warnings, err := Files(cert, keyFile)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%s: %v, %v", name, warnings, err)
		}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			client := &tls.Config{RootCAs: trust(t, cert), ServerName: "127.0.0.1", MaxVersion: version}
			if state, err := shake(t, server, client); err != nil || state.Version != version {
				t.Errorf("%s, version %x: %v", name, version, err)
			}
		}
		if leaf, err := Leaf(server); err != nil || !leaf.IPAddresses[0].Equal(net.IPv4(127, 0, 0, 1)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Leaf(&tls.Config{}); err == nil {
		t.Error("a configuration without certificate has a leaf")
	}
}

func TestOldKeyForms(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	certPEM, _ := selfSigned(t, rsaKey, -time.Hour, time.Hour)
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})
	if _, _, err := Files(write(t, "c", certPEM, 0o600), write(t, "k", pkcs1, 0o600)); err != nil {
		t.Error(err)
	}
	ecKey := newKey(t)
	certPEM, _ = selfSigned(t, ecKey, -time.Hour, time.Hour)
	der, err := x509.MarshalECPrivateKey(ecKey)
	must(t, err)
	params := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}})
	sec1 := append(params, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
	if _, _, err := Files(write(t, "c", certPEM, 0o600), write(t, "k", sec1, 0o600)); err != nil {
		t.Error(err)
	}
}

func TestFilesWarnings(t *testing.T) {
	cases := []struct {
		from, until time.Duration
		mode        os.FileMode
		want        string
	}{
		{-48 * time.Hour, -24 * time.Hour, 0o600, "expired on"},
		{24 * time.Hour, 48 * time.Hour, 0o600, "is valid only from"},
		{-time.Hour, time.Hour, 0o644, "can be read by everybody (mode 0644)"},
	}
	for _, c := range cases {
		certPEM, keyPEM := selfSigned(t, newKey(t), c.from, c.until)
		cert, key := write(t, "c.pem", certPEM, 0o644), write(t, "k.pem", keyPEM, c.mode)
		must(t, os.Chmod(key, c.mode))
		config, warnings, err := Files(cert, key)
		if config == nil || err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], c.want) {
			t.Errorf("%q: %q, %v", c.want, warnings, err)
		}
	}
}

func TestFilesErrors(t *testing.T) {
	certPEM, keyPEM := selfSigned(t, newKey(t), -time.Hour, time.Hour)
	_, other := selfSigned(t, newKey(t), -time.Hour, time.Hour)
	good, goodKey := write(t, "c.pem", certPEM, 0o600), write(t, "k.pem", keyPEM, 0o600)
	block := func(kind string, headers map[string]string, body []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: body})
	}
	put := func(data []byte) string { return write(t, "bad.pem", data, 0o600) }
	cases := []struct{ cert, key, want string }{
		{"/nowhere/c.pem", goodKey, "/nowhere/c.pem does not exist"},
		{good, "/nowhere/k.pem", "/nowhere/k.pem does not exist"},
		{t.TempDir(), goodKey, "is a directory"},
		{good, filepath.Join(good, "x"), "cannot be opened: not a directory"},
		{put([]byte("hello")), goodKey, "is not PEM"},
		{good, put(nil), "is not PEM"},
		{put(bytes.Repeat([]byte("x"), 1<<20+1)), goodKey, "is longer than 1 MiB"},
		{put(block("CERTIFICATE", nil, []byte("junk"))), goodKey, "certificate 1 cannot be parsed"},
		{put(append(bytes.Clone(certPEM), block("CERTIFICATE", nil, nil)...)), goodKey, "certificate 2 cannot be parsed"},
		{goodKey, good, "holds a key, not a certificate"},
		{good, good, "holds a certificate, not a key"},
		{put(block("X509 CRL", nil, nil)), goodKey, "holds no certificate"},
		{good, put(block("X509 CRL", nil, nil)), "holds no private key"},
		{good, put(block("PRIVATE KEY", nil, []byte("junk"))), "its key cannot be parsed"},
		{good, put(block("ENCRYPTED PRIVATE KEY", nil, []byte("x"))), "is encrypted"},
		{good, put(block("RSA PRIVATE KEY", map[string]string{"Proc-Type": "4,ENCRYPTED"}, []byte("x"))), "is encrypted"},
		{good, put(other), "does not match the certificate"},
	}
	for _, c := range cases {
		config, _, err := Files(c.cert, c.key)
		var fe *FileError
		if config != nil || !errors.As(err, &fe) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		} else if fe.File != c.cert && fe.File != c.key {
			t.Errorf("%v blames %q", err, fe.File)
		}
	}
}

func TestFilesWithoutPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	certPEM, keyPEM := selfSigned(t, newKey(t), -time.Hour, time.Hour)
	_, _, err := Files(write(t, "c.pem", certPEM, 0o600), write(t, "k.pem", keyPEM, 0))
	if err == nil || !strings.Contains(err.Error(), "may not be read") {
		t.Error(err)
	}
}
