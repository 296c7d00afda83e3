package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

const (
	caLife   = 30 * 24 * time.Hour
	caMargin = 7 * 24 * time.Hour // with less left, the authority is made anew
	leafLife = 7 * 24 * time.Hour
	backdate = time.Hour // for clients whose clock is slow
)

// DevCA is a short-lived certificate authority of the server's own, for
// development: it lives for 30 days in the state directory, issues certificates
// for 7 days, and is installed in nobody's trust store. Clients are given its
// file.
//
// Make it with [NewDevCA]. It is safe for concurrent use.
type DevCA struct {
	dir  string
	now  func() time.Time
	host host

	mu     sync.Mutex
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	notice string
	holds  subjects
	remade func() // called with mu held: what was issued before is not trusted any more
}

// NewDevCA opens the authority in stateDir, files ca.pem and ca.key (mode 0600),
// and makes it, or makes it anew, when it is absent, damaged, unsafe or has less
// than 7 days left; Notice then says why. A missing stateDir is created with
// mode 0700. A nil clock is time.Now.
//
// The error says what cannot be written or read, or that others may write to the
// directory.
func NewDevCA(stateDir string, clock func() time.Time) (*DevCA, error) {
	if clock == nil {
		clock = time.Now
	}
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, fmt.Errorf("the state directory cannot be created: %w", err)
	}
	info, err := os.Stat(stateDir)
	if err != nil {
		return nil, fmt.Errorf("the state directory cannot be read: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("others may write to the state directory %s (mode %04o): "+
			"choose another, or run chmod 700 on it", stateDir, info.Mode().Perm())
	}
	ca := &DevCA{dir: stateDir, now: clock, host: thisHost()}
	if err := ca.open(); err != nil {
		return nil, err
	}
	return ca, nil
}

// CAFile returns the path of the authority's certificate, PEM, for clients.
func (ca *DevCA) CAFile() string { return filepath.Join(ca.dir, "ca.pem") }

func (ca *DevCA) keyFile() string { return filepath.Join(ca.dir, "ca.key") }

// Name returns the authority's name, "edgeftp dev" and four hexadecimal digits.
func (ca *DevCA) Name() string {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return ca.cert.Subject.CommonName
}

// Notice says in one line why the authority was made or made anew since
// NewDevCA; it is empty while an existing one is used.
func (ca *DevCA) Notice() string {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return ca.notice
}

// Hold says for whom certificates are: names, addresses, or listen addresses without
// port. An unspecified address (0.0.0.0, ::) stands for every address of this machine,
// its host name and "localhost"; a loopback address also for "localhost". Every
// certificate that is issued from now on holds all of them, so that clients may come by
// forwarded ports and other names. It returns what to put into [Config].Names. The error
// names what no certificate can hold.
func (ca *DevCA) Hold(addresses []string) ([]string, error) {
	s, err := ca.host.expand(addresses)
	if err != nil {
		return nil, err
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.holds = s
	if len(s.dns) > 0 {
		if name, err := Subject(s.dns[0]); err == nil {
			return []string{name}, nil
		}
	}
	return []string{"localhost"}, nil
}

// outdate has f called, in a goroutine that must not wait for it, when the authority was
// made anew.
func (ca *DevCA) outdate(f func()) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.remade = f
}

// open loads the authority or makes it. The caller needs no lock yet.
func (ca *DevCA) open() error {
	why := "there was none"
	cert, key, err := ca.load()
	switch {
	case err == nil:
		if why = ca.unfit(cert); why == "" {
			ca.cert, ca.key = cert, key
			return nil
		}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the development authority cannot be read: %w", err)
	case !errors.Is(err, fs.ErrNotExist):
		why = err.Error()
	}
	return ca.make(why)
}

// unfit says why cert can issue no more, or nothing.
func (ca *DevCA) unfit(cert *x509.Certificate) string {
	now := ca.now()
	switch left := cert.NotAfter.Sub(now); {
	case left <= 0:
		return "the old one had expired"
	case left < caMargin:
		return fmt.Sprintf("the old one had only %d hours left", int(left/time.Hour))
	case now.Before(cert.NotBefore):
		return "the old one was not valid yet"
	}
	return ""
}

func (ca *DevCA) load() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	info, err := os.Stat(ca.keyFile())
	if err != nil {
		return nil, nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, nil, fmt.Errorf("others could read %s", ca.keyFile())
	}
	pair, err := tls.LoadX509KeyPair(ca.CAFile(), ca.keyFile())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil, nil, err
		}
		return nil, nil, fmt.Errorf("%s and %s are damaged or do not belong together", ca.CAFile(), ca.keyFile())
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA || pair.Leaf.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, nil, fmt.Errorf("%s is no certificate authority of edgeftp", ca.CAFile())
	}
	return pair.Leaf, key, nil
}

// make replaces the authority. The caller holds the lock, or is alone.
func (ca *DevCA) make(why string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial := newSerial()
	now := ca.now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: fmt.Sprintf("edgeftp dev %04x", serial.Uint64()&0xffff)},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
	}
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	// The key goes first: a certificate without its key would be given to
	// clients and then be replaced.
	if err := replace(ca.keyFile(), "PRIVATE KEY", keyDER, 0o600); err != nil {
		return fmt.Errorf("the development authority cannot be written: %w", err)
	}
	if err := replace(ca.CAFile(), "CERTIFICATE", cert.Raw, 0o644); err != nil {
		return fmt.Errorf("the development authority cannot be written: %w", err)
	}
	ca.cert, ca.key = cert, key
	ca.notice = "new certificate authority " + cert.Subject.CommonName + ": " + why
	return nil
}

// replace writes one PEM block to name, so that a reader finds the old bytes or
// the new ones.
func replace(name, kind string, der []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already if all went well
	err = errors.Join(f.Chmod(mode), pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// sign issues template under parent and parses the result.
func sign(template, parent *x509.Certificate, pub any, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// newSerial is a positive random number of at most 127 bits (RFC 5280 §4.1.2.2).
func newSerial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program first
	b[0] &= 0x7f
	b[15] |= 1 // never zero
	return new(big.Int).SetBytes(b[:])
}

// IssuerKey implements certmagic.Issuer: the prefix under which certificates of the
// authority are stored.
func (ca *DevCA) IssuerKey() string { return "edgeftp-dev" }

// Issue implements certmagic.Issuer: it signs a certificate for 7 days. An authority
// that has less left is made anew first.
func (ca *DevCA) Issue(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	if err := csr.CheckSignature(); err != nil {
		return nil, err
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	now := ca.now()
	if why := ca.unfit(ca.cert); why != "" {
		if err := ca.make(why); err != nil {
			return nil, err
		}
		if ca.remade != nil {
			ca.remade()
		}
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(leafLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	all := subjects{dns: slices.Clone(csr.DNSNames), ips: slices.Clone(csr.IPAddresses)}
	for _, name := range ca.holds.dns {
		all.addDNS(name)
	}
	for _, ip := range ca.holds.ips {
		if a, ok := netip.AddrFromSlice(ip); ok {
			all.addIP(a)
		}
	}
	template.DNSNames, template.IPAddresses = all.dns, all.ips
	cert, err := sign(template, ca.cert, csr.PublicKey, ca.key)
	if err != nil {
		return nil, err
	}
	return &certmagic.IssuedCertificate{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})}, nil
}
