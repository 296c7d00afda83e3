package record

import (
	"fmt"
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost"
)

// BenchmarkReplay asks one recorded question again and again.
func BenchmarkReplay(b *testing.B) {
	var list []*Exchange
	for i := range 4 {
		for _, x := range recorded(b, "moody", fmt.Sprintf("/a/%d-fine", i))[:1] {
			list = append(list, &Exchange{Exchange: *x, Module: &Module{}})
		}
	}
	r := newReplayer(b.Context(), Options{New: load(b, "moody", wasmhost.LoadOptions{Intercept: Answer})}, newReport())
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.exchange(list[i%len(list)])
	}
	if r.report.Differ != 0 {
		b.Errorf("%d differ", r.report.Differ)
	}
}
