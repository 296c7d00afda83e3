package acme

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"testing"
)

// BenchmarkPresent chooses one of 100 certificates for a handshake, of which it is about
// a hundredth.
func BenchmarkPresent(b *testing.B) {
	hello := &tls.ClientHelloInfo{ServerName: "n42.example.org", SupportedVersions: []uint16{tls.VersionTLS13},
		SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, SupportedCurves: []tls.CurveID{tls.X25519, tls.CurveP256}}
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("n%d.example.org", i))
	}
	ca, err := NewDevCA(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	m, err := NewManager(Config{Names: names, Local: ca, Storage: MemoryStorage(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	if err := m.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	get := m.Config(Choice{}).GetCertificate
	for b.Loop() {
		if cert, err := get(hello); err != nil || cert == nil {
			b.Fatal(err)
		}
	}
}
