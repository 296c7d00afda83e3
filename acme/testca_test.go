package acme

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// testCA is an authority for tests. Its certificates hold for an hour around now.
type testCA struct {
	t      *testing.T
	cert   *x509.Certificate
	key    crypto.Signer
	pool   *x509.CertPool
	change func(*x509.Certificate) // of each template, or nil
}

func newTestCA(t *testing.T, key crypto.Signer) *testCA {
	t.Helper()
	is := &testCA{t: t, key: key, pool: x509.NewCertPool()}
	template := is.template("test authority")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	is.cert = is.sign(template, template, key)
	is.pool.AddCert(is.cert)
	return is
}

func (is *testCA) template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{SerialNumber: newSerial(), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(2 * time.Hour)}
}

func (is *testCA) sign(template, parent *x509.Certificate, key crypto.Signer) *x509.Certificate {
	is.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), is.key)
	must(is.t, err)
	cert, err := x509.ParseCertificate(der)
	must(is.t, err)
	return cert
}

// issue makes a certificate for names and addresses.
func (is *testCA) issue(key crypto.Signer, names ...string) *tls.Certificate {
	is.t.Helper()
	template := is.template("leaf")
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	if is.change != nil {
		is.change(template)
	}
	leaf := is.sign(template, is.cert, key)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

// files writes a pair into dir.
func (is *testCA) files(dir, name string, cert *tls.Certificate) FilePair {
	is.t.Helper()
	certPEM, keyPEM := pemPair(is.t, cert)
	p := FilePair{Cert: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+".key")}
	must(is.t, os.WriteFile(p.Cert, certPEM, 0o600))
	must(is.t, os.WriteFile(p.Key, keyPEM, 0o600))
	return p
}

// set opens pairs for certificates of these names.
func (is *testCA) set(names ...[]string) *FileSet {
	is.t.Helper()
	var pairs []FilePair
	for i, n := range names {
		pairs = append(pairs, is.files(is.t.TempDir(), string(rune('a'+i)), is.issue(newKey(is.t), n...)))
	}
	set, warnings, err := OpenFiles(pairs, FileOptions{})
	if err != nil || len(warnings) > 0 {
		is.t.Fatal(warnings, err)
	}
	return set
}

func newRSA(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	must(t, err)
	return key
}
