package wasmhost

import (
	"net/netip"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// BenchmarkAuthorize is a decision through the public interface: the pool, the
// record, the guest's call under its meter, and the answer.
func BenchmarkAuthorize(b *testing.B) {
	for _, name := range []string{"pass", "deny", "moody"} {
		b.Run(name, func(b *testing.B) {
			h := newHost(b, Config{})
			fs := load(b, h, name).Hooks().Authorizer
			q := benchAction()
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := fs.Authorize(ctx, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchAction is a question of about 200 bytes, as most are.
func benchAction() *policy.Action {
	s := testSession
	s.Peer = netip.MustParseAddrPort("192.0.2.7:40001")
	s.Local = netip.MustParseAddrPort("198.51.100.1:21")
	s.TLS = policy.TLS{Version: "1.3", Cipher: "TLS_AES_128_GCM_SHA256", ServerName: "ftp.example.org"}
	a := action("/archive/2026/report.csv")
	s.Memo = new(policy.Memo)
	a.Session, a.Arg = &s, "report.csv"
	return a
}
