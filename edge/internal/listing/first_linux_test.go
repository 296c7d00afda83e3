package listing

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// BenchmarkFirst measures, at its best, the time from the command to the first lines of
// directories that are sorted before.
func BenchmarkFirst(b *testing.B) {
	for _, many := range []int{100, 1000, 2000, 3000, 5000, 10_000} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			_, d := inMemory(b, many)
			buf := make([]byte, 256<<10)
			best := time.Duration(math.MaxInt64)
			for b.Loop() {
				began := time.Now()
				dir, err := d.ReadDir(vfs.Root)
				if err != nil {
					b.Fatal(err)
				}
				r := New(Sort(dir, 0, many), true, Long(Style{Now: began}))
				if _, err := r.Read(buf); err != nil {
					b.Fatal(err)
				}
				best = min(best, time.Since(began))
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(best.Microseconds()), "us-first")
		})
	}
}
