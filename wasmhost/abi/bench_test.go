package abi

import (
	"net/netip"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func benchAction() *policy.Action {
	m := hostMeta()
	m.Session.TLS = policy.TLS{}
	m.Session.Host = ""
	m.Session.Local = netip.MustParseAddrPort("198.51.100.1:21")
	m.Session.State = nil
	m.Session.Memo = new(policy.Memo)
	return &policy.Action{Meta: m, Op: policy.OpWrite, Path: "/in/a.txt", Arg: "a.txt"}
}

// BenchmarkAppendAction writes a record of some 200 bytes, the commonest question.
func BenchmarkAppendAction(b *testing.B) {
	a, buf := benchAction(), make([]byte, 0, 4096)
	b.ReportAllocs()
	var n int
	for b.Loop() {
		rec, err := AppendAction(buf, sampleSlot, a)
		if err != nil {
			b.Fatal(err)
		}
		n = len(rec)
	}
	b.ReportMetric(float64(n), "bytes")
}
