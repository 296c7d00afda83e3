package dtp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

const acmeALPN = "acme-tls/1" // RFC 8737 §6.2

// certificateOf returns a certificate for names and addresses, with a key of a kind,
// that ends after some time.
func certificateOf(t testing.TB, key crypto.Signer, life time.Duration, names ...string) *tls.Certificate {
	t.Helper()
	form := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life), IsCA: true, BasicConstraintsValid: true}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			form.IPAddresses = append(form.IPAddresses, ip)
		} else {
			form.DNSNames = append(form.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func ecdsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// shake does one handshake, a control connection's, and returns both ends' errors and
// what the client has seen.
func (s *site) shake(t *testing.T, k *Control, client *tls.Config) (seen tls.ConnectionState, server, err error) {
	t.Helper()
	rawServer, rawClient := pair(t)
	end := tls.Server(rawServer, ControlTLS(s.base, k))
	ended := make(chan error, 1)
	go func() {
		err := end.HandshakeContext(within(t))
		if err == nil {
			err = end.CloseWrite()
		}
		ended <- err
	}()
	c := tls.Client(rawClient, client)
	err = c.HandshakeContext(within(t))
	if err == nil { // and the tickets of TLS 1.3, if there are any
		var rest []byte
		if rest, err = io.ReadAll(c); len(rest) > 0 {
			t.Errorf("the server says %q", rest)
		}
	}
	rawClient.Close()
	return c.ConnectionState(), await(t, ended), err
}

// alpnSite is a site that answers TLS-ALPN-01, with a certificate for that.
func alpnSite(t *testing.T, s *site) *tls.Certificate {
	t.Helper()
	proof := certificateOf(t, ecdsaKey(t), time.Hour, serverName)
	s.base.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if !slices.Equal(hello.SupportedProtos, []string{acmeALPN}) {
			return nil, nil
		}
		return &tls.Config{NextProtos: []string{acmeALPN}, Certificates: []tls.Certificate{*proof}}, nil
	}
	return proof
}

// TestForeignProtocol: what offers nothing of FTP's gets the handshake that the base
// configuration has for it, and no ticket.
func TestForeignProtocol(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		proof := alpnSite(t, s)
		client := s.client()
		client.NextProtos, client.InsecureSkipVerify = []string{acmeALPN}, true
		for _, ready := range []bool{true, false} {
			k := &Control{Tag: NewTag(), Ready: func() bool { return ready }}
			seen, serverErr, err := s.shake(t, k, client)
			if err != nil || serverErr != nil {
				t.Fatalf("%v, %v", err, serverErr)
			}
			if seen.NegotiatedProtocol != acmeALPN || !Foreign(seen.NegotiatedProtocol) {
				t.Errorf("the protocol is %q", seen.NegotiatedProtocol)
			}
			if !bytes.Equal(seen.PeerCertificates[0].Raw, proof.Certificate[0]) {
				t.Error("another certificate is presented")
			}
			if k.Tickets || holdsTicket(client) {
				t.Error("there is a ticket")
			}
		}
		p := s.control(t, s.client(), BindOff)
		c, done := beginTLS(t, within(t), p, client, &Transfer{Send: strings.NewReader(secret)})
		if got, err := io.ReadAll(c); err == nil {
			t.Errorf("a data connection of another protocol reads %q", got)
		}
		wantErr(t, await(t, done).Err, ErrHandshake)
	})
}

// TestForeignNext: a configuration that was chosen speaks FTP where the client offers
// that, or the configuration does; nobody gets what was not offered.
func TestForeignNext(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		for _, test := range []struct {
			chosen, offer []string
			want          string
			fails         bool
		}{
			{[]string{acmeALPN}, []string{acmeALPN, "ftp"}, "ftp", false},
			{[]string{acmeALPN}, nil, "", false},
			{[]string{acmeALPN}, []string{"h2"}, "", true},
			{[]string{"h2", "ftp"}, []string{"h2"}, "", true},
			{[]string{"h2", "ftp"}, []string{"h2", "ftp"}, "ftp", false},
			{nil, []string{acmeALPN}, "", true},
		} {
			chosen := s.base.Clone()
			chosen.NextProtos = test.chosen
			here := &site{base: s.base.Clone(), pool: s.pool}
			here.base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return chosen, nil }
			client := s.client()
			client.NextProtos = test.offer
			got, err := here.negotiated(t, client)
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("%q chosen, %q offered: %q, %v", test.chosen, test.offer, got, err)
			}
		}
	})
}

func TestNotReady(t *testing.T) {
	versions(t, func(t *testing.T, s *site) {
		ready := false
		k := &Control{Tag: NewTag(), Ready: func() bool { return ready }}
		_, serverErr, err := s.shake(t, k, s.client())
		if err == nil {
			t.Error("the client's handshake was well")
		}
		wantErr(t, serverErr, ErrNotReady)
		ready = true
		if _, serverErr, err = s.shake(t, k, s.client()); err != nil || serverErr != nil {
			t.Errorf("%v, %v", err, serverErr)
		}
	})
}

// hosted are ways in which a configuration chooses a certificate by name.
func hosted(all []*tls.Certificate) map[string]func(*tls.Config) {
	find := func(name string) *tls.Certificate {
		for _, c := range all[1:] {
			if c.Leaf.VerifyHostname(name) == nil {
				return c
			}
		}
		return all[0]
	}
	return map[string]func(*tls.Config){
		"certificates": func(c *tls.Config) {
			c.Certificates = nil
			for _, cert := range all {
				c.Certificates = append(c.Certificates, *cert)
			}
		},
		"a function": func(c *tls.Config) {
			c.Certificates = nil
			c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return find(hello.ServerName), nil }
		},
		"both": func(c *tls.Config) {
			c.Certificates = []tls.Certificate{*all[0]}
			c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return find(hello.ServerName), nil }
		},
		"a configuration": func(c *tls.Config) {
			own := c.Clone()
			c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				chosen := own.Clone()
				chosen.Certificates = []tls.Certificate{*find(hello.ServerName)}
				return chosen, nil
			}
		},
	}
}

// TestHostCertificate: HOST chooses the certificate of a handshake that names no
// server, and of the data connections, also those that resume nothing.
func TestHostCertificate(t *testing.T) {
	names := []string{"default.example.org", "a.example.org", "b.example.org", "192.0.2.1", "2001:db8::1"}
	var all []*tls.Certificate
	for _, name := range names {
		all = append(all, certificateOf(t, ecdsaKey(t), time.Hour, name))
	}
	for how, set := range hosted(all) {
		t.Run(how, func(t *testing.T) {
			versions(t, func(t *testing.T, s *site) {
				set(s.base)
				for _, test := range []struct{ host, sni, want string }{
					{"", "", "default.example.org"},
					{"a.example.org", "", "a.example.org"},
					{"a.example.org", "b.example.org", "b.example.org"},
					{"", "b.example.org", "b.example.org"},
					{"unknown.example.org", "", "default.example.org"},
					{"192.0.2.1", "", "192.0.2.1"},
					{"[2001:db8::1]", "", "2001:db8::1"},
					{"[2001:DB8:0:0::1]", "", "2001:db8::1"},
					{"[::ffff:192.0.2.1]", "", "192.0.2.1"},
				} {
					s.presents(t, test.host, test.sni, test.want)
				}
			})
		})
	}
}

// presents compares the certificate that a client is shown after HOST.
func (s *site) presents(t *testing.T, host, sni, want string) {
	t.Helper()
	name := func(seen tls.ConnectionState) string { return seen.PeerCertificates[0].Subject.CommonName }
	client := &tls.Config{ServerName: sni, InsecureSkipVerify: true} // without a cache: full handshakes
	k := &Control{Tag: NewTag(), Host: host}
	seen, serverErr, err := s.shake(t, k, client)
	if err != nil || serverErr != nil {
		t.Fatalf("HOST %s, SNI %q: %v, %v", host, sni, err, serverErr)
	}
	if got := name(seen); got != want {
		t.Errorf("HOST %s, SNI %q: the certificate is %s", host, sni, got)
	}
	for _, sni := range []string{sni, ""} {
		client.ServerName = sni
		p := &Protection{Base: s.base, Control: *k, Binding: BindOff}
		c, done := beginTLS(t, within(t), p, client, &Transfer{Send: strings.NewReader(secret)})
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("HOST %s, data: %v", host, err)
		}
		if res := await(t, done); res.Err != nil {
			t.Errorf("HOST %s, data: %v", host, res.Err)
		} else if got := name(c.ConnectionState()); got != want {
			t.Errorf("HOST %s, SNI %q of the data connection: the certificate is %s", host, sni, got)
		}
	}
}

func TestAgrees(t *testing.T) {
	for _, test := range []struct {
		name, host string
		want       bool
	}{
		{"", "a.example.org", true},
		{"A.example.org", "a.example.org", true},
		{"a.example.org", "b.example.org", false},
		{"a.example.org", "", false},
		{"2001:db8::1", "[2001:db8:0::1]", true},
		{"2001:db8::1", "[2001:db8::2]", false},
		{"192.0.2.1", "192.0.2.1", true},
	} {
		if k := (Control{Name: test.name}); k.Agrees(test.host) != test.want {
			t.Errorf("%q and %q: not %v", test.name, test.host, test.want)
		}
	}
}
