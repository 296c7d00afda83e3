package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// house is one server with a listener for every way in.
type house struct {
	*server
	number int
	doors  map[door]string // addresses
}

// door is what distinguishes listeners.
type door struct {
	form  form
	reuse string // session_reuse; empty without TLS
	// relayed listeners are reached through a relay: they have passive ports
	// that are known beforehand, and tell the relay's address.
	relayed bool
}

// doors lists all that there are. A form with TLS 1.3 has a listener that takes
// nothing older.
func doors() []door {
	var all []door
	for _, relayed := range []bool{false, true} {
		for _, f := range forms() {
			if f.version == "" {
				all = append(all, door{f, "", relayed})
				continue
			}
			for _, reuse := range []string{"auto", "prefer", "require"} {
				all = append(all, door{f, reuse, relayed})
			}
		}
	}
	return all
}

// relayIP is the loopback address of a form's relay.
func relayIP(number int, f form) string {
	for i, g := range forms() {
		if f == g {
			return fmt.Sprintf("127.0.%d.%d", 100+number, 10+i)
		}
	}
	return ""
}

// openHouse starts a server for the client with this number.
func openHouse(t *testing.T, number int) *house {
	t.Helper()
	p := newPlace(t)
	password := fmt.Sprintf("door-%d", time.Now().UnixNano())
	cert, key := p.out("cert.pem"), p.out("key.pem")
	ips := []string{"127.0.0.1"}
	for _, f := range forms() {
		ips = append(ips, relayIP(number, f))
	}
	ca := p.out("ca.pem")
	certify(t, ca, cert, key, ips)

	passive := ports.Some(t, 12)
	conf := p.out("edgeftp.yaml")
	ok(t, os.WriteFile(conf, []byte(houseConfig(t, p, number, password, cert, key, passive)), 0o600))
	h := &house{server: startServer(t, p, "--config", conf), number: number, doors: map[door]string{}}
	h.user, h.password, h.ca, h.passive = "dev", password, ca, passive
	h.plain = true // the first listener's
	addresses := h.addresses(t)
	for i, d := range doors() {
		h.doors[d] = addresses[i]
	}
	return h
}

// addresses lists the listeners', in the order of the configuration.
func (h *house) addresses(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, l := range h.status(t).Listeners {
		out = append(out, l.Address)
	}
	if len(out) != len(doors()) {
		t.Fatalf("the server listens on %q, want %d listeners", out, len(doors()))
	}
	return out
}

// houseConfig is the configuration file. Passwords are hashed at the lowest cost,
// because nothing of it is tried here and there are thousands of logins.
func houseConfig(t *testing.T, p place, number int, password, cert, key string, passive []string) string {
	t.Helper()
	hash := must(bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost))(t)
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\ninstance: { state_dir: %q }\nlisteners:\n", p.state)
	for i, d := range doors() {
		protocol, tls, passiveKeys := "ftp", "control: off", ""
		if d.form.version != "" {
			tls = fmt.Sprintf("control: required, certificate: files, min_version: %q, session_reuse: %s", d.form.version, d.reuse)
		}
		if d.form.implicit {
			protocol = "ftps"
		}
		if d.relayed {
			passiveKeys = fmt.Sprintf("ports: %q, advertise: %s", strings.Join(passive, ","), relayIP(number, d.form))
		}
		fmt.Fprintf(&b, "  - { name: l%d, protocol: %s, address: \"127.0.0.1:0\", tls: { %s }, passive: { %s } }\n", i, protocol, tls, passiveKeys)
	}
	fmt.Fprintf(&b, "certificates: { files: [ { cert: %q, key: %q } ] }\n", cert, key)
	fmt.Fprintf(&b, "limits: { sessions: { total: 1000, per_ip: 1000 } }\n")
	fmt.Fprintf(&b, "users: { list: [ { name: dev, perm: elradfmwMT, password_hash: %q } ] }\n", strings.ReplaceAll(string(hash), "${", "$${"))
	fmt.Fprintf(&b, "storage: [ { mount: /, backend: local, root: %q } ]\n", p.root)
	return b.String()
}

// certify writes the certificates of a new authority and of a server on these
// addresses.
func certify(t *testing.T, ca, cert, key string, ips []string) {
	t.Helper()
	caKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	leafKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of the client matrix"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server of the client matrix"},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: []string{"localhost"},
	}
	for _, ip := range ips {
		leaf.IPAddresses = append(leaf.IPAddresses, net.ParseIP(ip))
	}
	rootDER := must(x509.CreateCertificate(rand.Reader, root, root, &caKey.PublicKey, caKey))(t)
	leafDER := must(x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, caKey))(t)
	keyDER := must(x509.MarshalPKCS8PrivateKey(leafKey))(t)
	writePEM(t, ca, "CERTIFICATE", rootDER)
	writePEM(t, cert, "CERTIFICATE", leafDER)
	writePEM(t, key, "PRIVATE KEY", keyDER)
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	var b bytes.Buffer
	ok(t, pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}))
	ok(t, os.WriteFile(path, b.Bytes(), 0o600))
}
