package dtp

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"
)

// BenchmarkProtected is a short file over TLS, with both ends: its handshake resumes.
func BenchmarkProtected(b *testing.B) {
	s := newSite(b, tls.VersionTLS13)
	client := s.client()
	p := s.control(b, client, BindAuto)
	buffers := new(Buffers)
	b.ReportAllocs()
	for b.Loop() {
		tr := &Transfer{Send: strings.NewReader(secret), Buffers: buffers}
		c, done := beginTLS(b, b.Context(), p, client, tr)
		if got, err := io.ReadAll(c); err != nil || string(got) != secret {
			b.Fatalf("the client reads %q, %v", got, err)
		}
		c.Close()
		if r := <-done; r.Err != nil || !c.ConnectionState().DidResume {
			b.Fatal(r.Err)
		}
	}
}

// BenchmarkControlTLS is the handshake of a control connection, with both ends.
func BenchmarkControlTLS(b *testing.B) {
	s := newSite(b, tls.VersionTLS13)
	b.ReportAllocs()
	for b.Loop() {
		s.control(b, s.client(), BindAuto)
	}
}
