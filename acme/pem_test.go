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
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
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
	return pemPair(t, &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return key
}

// openPair opens one pair and returns its configuration.
func openPair(cert, key string) (*tls.Config, []string, error) {
	set, warnings, err := OpenFiles([]FilePair{{Cert: cert, Key: key}}, FileOptions{})
	if err != nil {
		return nil, nil, err
	}
	return set.Config(Choice{}), warnings, nil
}

func TestFilesHandshake(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	for name, key := range map[string]crypto.Signer{"ecdsa": newKey(t), "rsa": rsaKey, "ed25519": edKey} {
		certPEM, keyPEM := selfSigned(t, key, -time.Hour, time.Hour)
		cert, keyFile := write(t, "c.pem", certPEM, 0o644), write(t, "k.pem", keyPEM, 0o600)
		server, warnings, err := openPair(cert, keyFile)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%s: %v, %v", name, warnings, err)
		}
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			client := &tls.Config{RootCAs: trust(t, cert), ServerName: "127.0.0.1", MaxVersion: version}
			if state, err := shake(t, server, client); err != nil || state.Version != version {
				t.Errorf("%s, version %x: %v", name, version, err)
			}
		}
	}
}

func TestOldKeyForms(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	certPEM, _ := selfSigned(t, rsaKey, -time.Hour, time.Hour)
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})
	if _, _, err := openPair(write(t, "c", certPEM, 0o600), write(t, "k", pkcs1, 0o600)); err != nil {
		t.Error(err)
	}
	ecKey := newKey(t)
	certPEM, _ = selfSigned(t, ecKey, -time.Hour, time.Hour)
	der, err := x509.MarshalECPrivateKey(ecKey)
	must(t, err)
	params := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 0}})
	sec1 := append(params, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
	if _, _, err := openPair(write(t, "c", certPEM, 0o600), write(t, "k", sec1, 0o600)); err != nil {
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
		config, warnings, err := openPair(cert, key)
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
		{put([]byte{0x30, 0x82, 1, 2}), goodKey, "is not PEM"},
		{put(certPEM[:len(certPEM)/2]), goodKey, "of its 1 PEM blocks only 0 are whole"},
		{put(append(bytes.Clone(certPEM), certPEM[:60]...)), goodKey, "of its 2 PEM blocks only 1 are whole"},
		{put(block("CERTIFICATE REQUEST", nil, nil)), goodKey, "holds a certificate request"},
		{good, put(block("PUBLIC KEY", nil, []byte("x"))), "holds a public key"},
		{good, put(block("OPENSSH PRIVATE KEY", nil, []byte("x"))), "OpenSSH"},
		{good, "", "holds no private key"},
		{put(slices.Concat(certPEM, other)), "", "holds a key that does not match its first certificate"},
		{good, put(nil), "is not PEM"},
		{put(bytes.Repeat([]byte("x"), 1<<20+1)), goodKey, "is longer than 1 MiB"},
		{put(block("CERTIFICATE", nil, []byte("junk"))), goodKey, "certificate 1 cannot be parsed"},
		{put(append(bytes.Clone(certPEM), block("CERTIFICATE", nil, nil)...)), goodKey, "certificate 2 cannot be parsed"},
		{goodKey, good, "holds a key, not a certificate"},
		{good, write(t, "c2.pem", certPEM, 0o600), "holds a certificate, not a key"},
		{good, good, "holds no private key"},
		{put(block("X509 CRL", nil, nil)), goodKey, "holds no certificate"},
		{good, put(block("X509 CRL", nil, nil)), "holds no private key"},
		{good, put(block("PRIVATE KEY", nil, []byte("junk"))), "its key cannot be parsed"},
		{good, put(block("ENCRYPTED PRIVATE KEY", nil, []byte("x"))), "is encrypted"},
		{good, put(block("RSA PRIVATE KEY", map[string]string{"Proc-Type": "4,ENCRYPTED"}, []byte("x"))), "is encrypted"},
		{good, put(other), "does not match the certificate"},
	}
	for _, c := range cases {
		config, _, err := openPair(c.cert, c.key)
		var fe *FileError
		if config != nil || !errors.As(err, &fe) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		} else if fe.File != c.cert && fe.File != c.key {
			t.Errorf("%v blames %q", err, fe.File)
		}
	}
}

// All pairs that cannot be used are named, not only the first.
func TestFilesErrorsTogether(t *testing.T) {
	certPEM, keyPEM := selfSigned(t, newKey(t), -time.Hour, time.Hour)
	good := FilePair{Cert: write(t, "c.pem", certPEM, 0o600), Key: write(t, "k.pem", keyPEM, 0o600)}
	set, _, err := OpenFiles([]FilePair{{Cert: "/nowhere/a"}, good, {Cert: good.Cert, Key: "/nowhere/b"}}, FileOptions{})
	if set != nil || err == nil || !strings.Contains(err.Error(), "/nowhere/a does") || !strings.Contains(err.Error(), "/nowhere/b does") {
		t.Error(err)
	}
	if _, _, err := OpenFiles(nil, FileOptions{}); err == nil {
		t.Error("a set without certificates")
	}
}

// The model's certfile holds the key as well, in any order.
func TestKeyBesideTheChain(t *testing.T) {
	certPEM, keyPEM := selfSigned(t, newKey(t), -time.Hour, time.Hour)
	for _, data := range [][]byte{slices.Concat(certPEM, keyPEM), slices.Concat(keyPEM, certPEM)} {
		file := write(t, "both.pem", data, 0o600)
		for _, key := range []string{"", file} {
			server, warnings, err := openPair(file, key)
			if err != nil || len(warnings) > 0 {
				t.Fatalf("%v, %v", warnings, err)
			}
			if _, err := shake(t, server, &tls.Config{RootCAs: trust(t, file), ServerName: "127.0.0.1"}); err != nil {
				t.Error(err)
			}
		}
	}
	open := write(t, "both.pem", slices.Concat(certPEM, keyPEM), 0o644)
	must(t, os.Chmod(open, 0o644))
	if _, warnings, err := openPair(open, ""); err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], open+" can be read by everybody") {
		t.Errorf("%q, %v", warnings, err)
	}
}

// A shell's <(...) is a pipe: it can be read once.
func TestPipe(t *testing.T) {
	certPEM, keyPEM := selfSigned(t, newKey(t), -time.Hour, time.Hour)
	r, w, err := os.Pipe()
	must(t, err)
	defer func() { _ = r.Close() }()
	_, err = w.Write(keyPEM)
	must(t, err)
	must(t, w.Close())
	cert := write(t, "c.pem", certPEM, 0o600)
	c := &clock{time.Now().Add(time.Minute)}
	set, warnings, err := OpenFiles([]FilePair{{Cert: cert, Key: fmt.Sprintf("/dev/fd/%d", r.Fd())}}, FileOptions{Clock: c.now})
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	must(t, os.Remove(cert))
	c.at = c.at.Add(time.Hour - 2*time.Minute)
	if _, err := shake(t, set.Config(Choice{}), &tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Error(err)
	}
	if set.pairs[0].trouble.text != "" {
		t.Errorf("looked at again: %+v", set.pairs[0].trouble)
	}
}

func TestFilesWithoutPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		fe := unopened("k.pem", "key", &fs.PathError{Op: "open", Path: "k.pem", Err: fs.ErrPermission})
		if fe.Error() != "k.pem may not be read" || !errors.Is(fe, fs.ErrPermission) {
			t.Error(fe)
		}
		return // root may read everything
	}
	certPEM, keyPEM := selfSigned(t, newKey(t), -time.Hour, time.Hour)
	_, _, err := openPair(write(t, "c.pem", certPEM, 0o600), write(t, "k.pem", keyPEM, 0))
	if err == nil || !strings.Contains(err.Error(), "may not be read") {
		t.Error(err)
	}
}

// Whatever the files hold: no panic, and what is accepted fits together.
func FuzzPair(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now()}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	keyBytes, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		f.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyBytes})
	f.Add(certPEM, keyPEM)
	f.Add(slices.Concat(keyPEM, certPEM), []byte{})
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN X-----\nProc-Type: 4,ENCRYPTED\n\n-----END X-----"))
	f.Fuzz(func(t *testing.T, certPEM, keyPEM []byte) {
		blocks, err := split("c", "certificate", certPEM)
		if err != nil {
			return
		}
		cert := &pemFile{name: "c", what: "certificate", blocks: blocks}
		key := cert
		if len(keyPEM) > 0 {
			if blocks, err = split("k", "key", keyPEM); err != nil {
				return
			}
			key = &pemFile{name: "k", what: "key", blocks: blocks}
		}
		pair, err := join(cert, key)
		if (pair == nil) == (err == nil) {
			t.Fatal("neither a certificate nor an error")
		}
		if pair == nil {
			return
		}
		if !matches(pair.Leaf, pair.PrivateKey) || len(pair.Certificate) == 0 {
			t.Fatal("accepted and does not fit")
		}
		hello := &tls.ClientHelloInfo{ServerName: "a.example", SupportedVersions: []uint16{tls.VersionTLS13}}
		if newIndex([]*tls.Certificate{pair}).choose(hello, Choice{}) != pair {
			t.Fatal("the only certificate is not chosen")
		}
	})
}
