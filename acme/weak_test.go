package acme

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"
)

func TestWeakCertificates(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	must(t, err)
	strong, rsaCA := newTestCA(t, newKey(t)), newTestCA(t, newRSA(t, 2048))
	cases := []struct {
		name, want string
		by         *testCA
		key        crypto.Signer
		alg        x509.SignatureAlgorithm
	}{
		{"short RSA", "certificate 1 has an RSA key of 1024 bits, and 2048 are needed", strong, newRSA(t, 1024), 0},
		{"SHA-1 by RSA", "certificate 1 is signed with SHA1-RSA, which can be forged", rsaCA, newKey(t), x509.SHA1WithRSA},
		{"SHA-1 by ECDSA", "certificate 1 is signed with ECDSA-SHA1", strong, newKey(t), x509.ECDSAWithSHA1},
		{"no curve of TLS", "P-224", strong, p224, 0},
	}
	for _, c := range cases {
		c.by.change = func(x *x509.Certificate) { x.SignatureAlgorithm = c.alg }
		pair := c.by.files(t.TempDir(), "x", c.by.issue(c.key, "a.example"))
		set, _, err := OpenFiles([]FilePair{pair}, FileOptions{})
		if set != nil || err == nil || !strings.HasPrefix(err.Error(), pair.Cert+" ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		c.by.change = nil
	}
}

// What is weak further up counts as well, but for a root: nobody checks it.
func TestWeakChain(t *testing.T) {
	weakRoot := newTestCA(t, newRSA(t, 1024))
	leafFrom := func(is *testCA, issuing *testCA) FilePair {
		pair := is.files(t.TempDir(), "x", is.issue(newKey(t), "a.example"))
		data, err := os.ReadFile(pair.Cert)
		must(t, err)
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuing.cert.Raw})...)
		must(t, os.WriteFile(pair.Cert, data, 0o600))
		return pair
	}
	if _, _, err := OpenFiles([]FilePair{leafFrom(weakRoot, weakRoot)}, FileOptions{}); err != nil {
		t.Errorf("a weak root beside the chain: %v", err)
	}
	middle := &testCA{t: t, key: newRSA(t, 1024)}
	root := newTestCA(t, newKey(t))
	template := root.template("middle")
	template.IsCA, template.BasicConstraintsValid = true, true
	middle.cert = root.sign(template, root.cert, middle.key)
	if _, _, err := OpenFiles([]FilePair{leafFrom(middle, middle)}, FileOptions{}); err == nil || !strings.Contains(err.Error(), "certificate 2 has an RSA key of 1024 bits") {
		t.Errorf("a weak intermediate: %v", err)
	}
}
