package acme

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
)

// choices are handshakes with the set of TestChoose: what is asked for, and
// which certificate answers, under StrictSNI with "" for none.
func choices() []struct{ ask, want, strict string } {
	return []struct{ ask, want, strict string }{
		{"ftp.example.org", "b", "b"},
		{"FTP.example.ORG", "b", "b"},
		{"other.example.org", "c", "c"},
		{"a.b.example.org", "a", ""}, // a wildcard stands for one label
		{"example.org", "a", ""},
		{"first.example", "a", "a"},
		{"unknown.example", "a", ""},
		{"common.example", "d", "d"}, // in the common name alone
		{"", "e", "e"},               // the address that the client came to
	}
}

func chooser(t *testing.T) *FileSet {
	is := newTestCA(t, newKey(t))
	dir := t.TempDir()
	pairs := []FilePair{
		is.files(dir, "a", is.issue(newKey(t), "first.example")),
		is.files(dir, "b", is.issue(newKey(t), "ftp.example.org")),
		is.files(dir, "c", is.issue(newKey(t), "*.example.org", "c.example")),
	}
	is.change = func(c *x509.Certificate) { c.Subject.CommonName = "common.example" }
	pairs = append(pairs, is.files(dir, "d", is.issue(newKey(t))))
	is.change = nil
	pairs = append(pairs, is.files(dir, "e", is.issue(newKey(t), "127.0.0.1", "::1")))
	set, warnings, err := OpenFiles(pairs, FileOptions{})
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(warnings[0], dir+"/d.pem holds no name") {
		t.Fatal(warnings, err)
	}
	return set
}

// which says which pair of the set a certificate is.
func which(set *FileSet, cert *x509.Certificate) string {
	i := slices.IndexFunc(set.pairs, func(p *filePair) bool { return p.cert.Leaf.Equal(cert) })
	return string(rune('a' + i))
}

func TestChoose(t *testing.T) {
	set := chooser(t)
	strict := set.Config(Choice{})
	var refused []string
	StrictSNI(strict, func(name string) { refused = append(refused, name) })
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, c := range choices() {
			client := &tls.Config{ServerName: c.ask, InsecureSkipVerify: true, MaxVersion: version}
			state, err := shake(t, set.Config(Choice{}), client)
			if err != nil || which(set, state.PeerCertificates[0]) != c.want {
				t.Errorf("%q: not %s, %v", c.ask, c.want, err)
			}
			refused = nil
			state, err = shake(t, strict, client)
			switch {
			case c.strict != "":
				if err != nil || which(set, state.PeerCertificates[0]) != c.strict {
					t.Errorf("strict, %q: not %s, %v", c.ask, c.strict, err)
				}
			case err == nil || !strings.Contains(err.Error(), "unrecognized name"):
				t.Errorf("strict, %q: %v", c.ask, err)
			case len(refused) != 1 || refused[0] != c.ask:
				t.Errorf("strict, %q: told of %q", c.ask, refused)
			}
		}
	}
}

// An address is no name; crypto/tls does not send one, others do.
func TestAddressAsName(t *testing.T) {
	set := chooser(t)
	config := set.Config(Choice{})
	StrictSNI(config, func(name string) { t.Errorf("%q refused", name) })
	for name, want := range map[string]string{"192.0.2.1": "a", "127.0.0.1": "e", "::ffff:127.0.0.1": "e", "::1": "e", "::1%lo": "e"} {
		cert, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil || cert == nil || which(set, cert.Leaf) != want {
			t.Errorf("%s: not %s, %v", name, want, err)
		}
	}
	long := strings.Repeat("x", 1000)
	config = set.Config(Choice{})
	StrictSNI(config, func(name string) {
		if len(name) != 255 {
			t.Errorf("%d bytes of the client's name are told", len(name))
		}
	})
	if cert, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: long}); cert != nil || err != nil {
		t.Error(cert, err)
	}
}

// Of two certificates for one name the client gets the one it can use.
func TestChooseByKey(t *testing.T) {
	is := newTestCA(t, newKey(t))
	dir := t.TempDir()
	set, _, err := OpenFiles([]FilePair{
		is.files(dir, "a", is.issue(newKey(t), "a.example")),
		is.files(dir, "b", is.issue(newRSA(t, 2048), "a.example")),
	}, FileOptions{})
	must(t, err)
	for suite, want := range map[uint16]string{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "a", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "b",
	} {
		client := &tls.Config{ServerName: "a.example", RootCAs: is.pool, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}
		state, err := shake(t, set.Config(Choice{}), client)
		if err != nil || which(set, state.PeerCertificates[0]) != want {
			t.Errorf("%s: %v", tls.CipherSuiteName(suite), err)
		}
	}
}

// StrictSNI is for every configuration: the development authority's, and those
// that others have made.
func TestStrictSNIElsewhere(t *testing.T) {
	ca, err := NewDevCA(t.TempDir(), nil)
	must(t, err)
	dev := local(t, ca, "dev.example").Config(Choice{})
	is := newTestCA(t, newKey(t))
	first, second := is.issue(newKey(t), "dev.example"), is.issue(newKey(t), "second.example")
	second.Leaf = nil
	own := &tls.Config{Certificates: []tls.Certificate{*first, *second}}
	for i, config := range []*tls.Config{dev, own} {
		StrictSNI(config, nil)
		for name, ok := range map[string]bool{"dev.example": true, "": true, "second.example": i == 1, "web.example": false} {
			_, err := shake(t, config, &tls.Config{ServerName: name, InsecureSkipVerify: true})
			if (err == nil) != ok {
				t.Errorf("configuration %d, %q: %v", i, name, err)
			}
		}
	}
	broken := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("no") }}
	StrictSNI(broken, func(string) { t.Error("an error is not a refused name") })
	if _, err := broken.GetCertificate(&tls.ClientHelloInfo{ServerName: "x"}); err == nil {
		t.Error("the error is lost")
	}
	junk := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{{1}}}}}
	StrictSNI(junk, nil)
	if cert, _ := junk.GetCertificate(&tls.ClientHelloInfo{ServerName: "x"}); cert != nil {
		t.Error("a certificate that cannot be read holds a name")
	}
}

// A connection that is no TCP has no address to choose by.
func TestChooseOverPipe(t *testing.T) {
	set := chooser(t)
	a, b := net.Pipe()
	if cert, err := set.Config(Choice{}).GetCertificate(&tls.ClientHelloInfo{Conn: nowhere{a}}); err != nil || which(set, cert.Leaf) != "a" {
		t.Error(err)
	}
	state, err := shakeOver(a, b, set.Config(Choice{}), &tls.Config{InsecureSkipVerify: true})
	if err != nil || which(set, state.PeerCertificates[0]) != "a" {
		t.Error(err)
	}
}

// nowhere is a connection that does not know its address.
type nowhere struct{ net.Conn }

func (nowhere) LocalAddr() net.Addr { return nil }
