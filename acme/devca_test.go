package acme

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newCA(t *testing.T, dir string, c *clock) *DevCA {
	t.Helper()
	ca, err := NewDevCA(dir, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// local starts a manager whose certificates the development authority issues.
func local(t *testing.T, ca *DevCA, addresses ...string) *Manager {
	t.Helper()
	names, err := ca.Hold(addresses)
	must(t, err)
	m, err := NewManager(Config{Names: names, Local: ca, Storage: MemoryStorage(), Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	must(t, err)
	t.Cleanup(m.Close)
	must(t, m.Start(t.Context()))
	return m
}

func TestHandshakeWithFullVerification(t *testing.T) {
	ca, err := NewDevCA(filepath.Join(t.TempDir(), "state"), nil)
	must(t, err)
	server := local(t, ca, "127.0.0.1", "::1", "ftp.Example.org.", "10.1.2.3").Config(Choice{})
	pool := trust(t, ca.CAFile())
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for name, ok := range map[string]bool{
			"127.0.0.1": true, "::1": true, "ftp.example.org": true, "10.1.2.3": true, "localhost": true,
			"10.1.2.4": false, "example.org": false,
		} {
			client := &tls.Config{RootCAs: pool, ServerName: name, MaxVersion: version}
			state, err := shake(t, server, client)
			if (err == nil) != ok || ok && state.Version != version {
				t.Errorf("%s, version %x: %v", name, version, err)
			}
		}
	}
	if _, err := shake(t, server, &tls.Config{RootCAs: pool, ServerName: "localhost", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	weak := &tls.Config{RootCAs: pool, ServerName: "localhost", MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}
	if _, err := shake(t, server, weak); err == nil {
		t.Error("a suite without authenticated encryption was accepted")
	}
	if server.NextProtos != nil {
		t.Errorf("NextProtos is %q", server.NextProtos)
	}
}

func TestAuthorityIsKept(t *testing.T) {
	c := newClock()
	dir := filepath.Join(t.TempDir(), "state")
	first := newCA(t, dir, c)
	if !strings.Contains(first.Notice(), "there was none") || !strings.HasPrefix(first.Name(), "edgeftp dev ") {
		t.Errorf("notice %q, name %q", first.Notice(), first.Name())
	}
	modes := map[string]os.FileMode{dir: 0o700, first.CAFile(): 0o644, filepath.Join(dir, "ca.key"): 0o600}
	for name, mode := range modes {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if list, _ := os.ReadDir(dir); len(list) != 2 {
		t.Errorf("left in the state directory: %v", list)
	}
	c.at = c.at.Add(22 * 24 * time.Hour)
	second := newCA(t, dir, c)
	if second.Notice() != "" || second.Name() != first.Name() {
		t.Errorf("made anew after 22 days: %q", second.Notice())
	}
}

func TestAuthorityIsMadeAnew(t *testing.T) {
	cases := []struct {
		name  string
		spoil func(t *testing.T, dir string, c *clock)
		want  string
	}{
		{"aged", func(_ *testing.T, _ string, c *clock) { c.at = c.at.Add(24 * 24 * time.Hour) }, "only 144 hours left"},
		{"expired", func(_ *testing.T, _ string, c *clock) { c.at = c.at.Add(31 * 24 * time.Hour) }, "had expired"},
		{"from the future", func(_ *testing.T, _ string, c *clock) { c.at = c.at.Add(-48 * time.Hour) }, "not valid yet"},
		{"key gone", func(t *testing.T, dir string, _ *clock) { must(t, os.Remove(dir+"/ca.key")) }, "there was none"},
		{"cert gone", func(t *testing.T, dir string, _ *clock) { must(t, os.Remove(dir+"/ca.pem")) }, "there was none"},
		{"damaged", func(t *testing.T, dir string, _ *clock) { must(t, os.WriteFile(dir+"/ca.pem", []byte("x"), 0o600)) }, "damaged"},
		{"key empty", func(t *testing.T, dir string, _ *clock) { must(t, os.Truncate(dir+"/ca.key", 0)) }, "damaged"},
		{"key open", func(t *testing.T, dir string, _ *clock) { must(t, os.Chmod(dir+"/ca.key", 0o640)) }, "others could read"},
		{"other key", func(t *testing.T, dir string, c *clock) {
			other := newCA(t, filepath.Join(t.TempDir(), "other"), c)
			must(t, os.Rename(other.keyFile(), dir+"/ca.key"))
		}, "do not belong together"},
		{"no authority", func(t *testing.T, dir string, c *clock) {
			key := newKey(t)
			csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"a.example"}}, key)
			must(t, err)
			request, err := x509.ParseCertificateRequest(csr)
			must(t, err)
			issued, err := newCA(t, dir, c).Issue(t.Context(), request)
			must(t, err)
			must(t, os.WriteFile(dir+"/ca.pem", issued.Certificate, 0o600))
			must(t, os.WriteFile(dir+"/ca.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER(t, key)}), 0o600))
		}, "no certificate authority"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := newClock()
			dir := filepath.Join(t.TempDir(), "state")
			before := newCA(t, dir, c).cert.SerialNumber
			tc.spoil(t, dir, c)
			ca := newCA(t, dir, c)
			if !strings.Contains(ca.Notice(), tc.want) || ca.cert.SerialNumber.Cmp(before) == 0 {
				t.Errorf("notice %q, want %q", ca.Notice(), tc.want)
			}
			again := newCA(t, dir, c)
			if again.Notice() != "" {
				t.Errorf("the new one is not used: %q", again.Notice())
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A server that runs for three months renews its certificates, and outlives its
// authority: after each day all certificates are of the authority that clients are given.
func TestLocalCertificatesAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, err := NewDevCA(filepath.Join(t.TempDir(), "state"), nil)
		must(t, err)
		m := local(t, ca, "127.0.0.1")
		name, serials := ca.Name(), map[string]bool{}
		for day := range 90 {
			pool := trust(t, ca.CAFile())
			for _, c := range m.Certificates() {
				leaf := m.leaf(c.Name)
				if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: time.Now()}); err != nil {
					t.Fatalf("%s on day %d: %v", c.Name, day, err)
				}
				serials[c.Serial] = true
			}
			<-time.After(24 * time.Hour)
			synctest.Wait()
		}
		if n := len(serials); n < 22 || n > 33 {
			t.Errorf("%d certificates in 90 days", n)
		}
		if ca.Name() == name || !strings.Contains(ca.Notice(), "left") {
			t.Errorf("authority %q, notice %q", ca.Name(), ca.Notice())
		}
	})
}

func TestLocalSurvivesAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		ca, err := NewDevCA(dir, nil)
		must(t, err)
		<-time.After(22 * 24 * time.Hour)
		m := local(t, ca, "127.0.0.1")
		first := m.leaf("localhost")
		must(t, os.RemoveAll(dir)) // nothing can be written there, and the authority is due
		<-time.After(5 * 24 * time.Hour)
		synctest.Wait()
		got := m.Certificates()[0]
		if m.leaf("localhost") != first || got.Failures == 0 || !strings.Contains(got.Failed, "cannot be written") || got.Next.Before(time.Now()) {
			t.Errorf("%+v", got)
		}
	})
}

func TestExpand(t *testing.T) {
	h := host{
		name: func() (string, error) { return "Box", nil },
		addrs: func() ([]net.Addr, error) {
			_, lan, _ := net.ParseCIDR("192.0.2.7/24")
			lan.IP = net.ParseIP("192.0.2.7")
			return []net.Addr{lan, &net.UnixAddr{Name: "x"}}, nil
		},
	}
	for _, name := range []string{"0.0.0.0", "::", "[::]"} {
		s, err := h.expand([]string{name, "ftp.example.org"})
		if err != nil || strings.Join(s.dns, " ") != "localhost box ftp.example.org" || len(s.ips) != 3 {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	s, err := h.expand([]string{"fe80::1%eth0", "::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1"})
	if err != nil || len(s.ips) != 2 || len(s.dns) != 0 {
		t.Errorf("%v, %v", s, err)
	}
	h.addrs = func() ([]net.Addr, error) { return nil, errors.New("no netlink") }
	h.name = func() (string, error) { return "", errors.New("no name") }
	if s, err := h.expand([]string{"::"}); err != nil || len(s.ips) != 2 || len(s.dns) != 1 {
		t.Errorf("without facts about the host: %v, %v", s, err)
	}
	bad := []string{"", "a b", "-a.example", "a-.example", "a..b", ".", "127.0.0.1:2121", "ä.example", "x\x00y",
		strings.Repeat("a", 64) + ".example", strings.Repeat("abcdefg.", 40)}
	for _, name := range bad {
		if _, err := h.expand([]string{name}); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
	if _, err := h.expand(nil); err == nil {
		t.Error("a certificate for nobody")
	}
}

func TestStateDirectory(t *testing.T) {
	c := newClock()
	open := t.TempDir()
	must(t, os.Chmod(open, 0o777))
	if _, err := NewDevCA(open, c.now); err == nil || !strings.Contains(err.Error(), "others may write") {
		t.Errorf("open directory: %v", err)
	}
	file := write(t, "file", nil, 0o600)
	if _, err := NewDevCA(file, c.now); err == nil {
		t.Error("a file as state directory")
	}
	if _, err := NewDevCA(filepath.Join(file, "x"), c.now); err == nil {
		t.Error("a directory below a file")
	}
	ca, err := NewDevCA(filepath.Join(t.TempDir(), "a", "b"), nil)
	must(t, err)
	if _, err := ca.Hold([]string{"not a name"}); err == nil {
		t.Error("a name with spaces")
	}
}

// pemPair returns a certificate and its key as PEM.
func pemPair(t *testing.T, cert *tls.Certificate) (certPEM, keyPEM []byte) {
	t.Helper()
	key := keyDER(t, cert.PrivateKey)
	for _, der := range cert.Certificate {
		certPEM = append(certPEM, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return certPEM, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
}
