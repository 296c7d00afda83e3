package listing

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// BenchmarkFirst measures, at its best, the time from the command to the first lines of
// directories that are sorted before.
func BenchmarkFirst(b *testing.B) {
	for _, many := range []int{100, 1000, 2000, 3000, 5000, 10_000} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			top, err := os.MkdirTemp("/dev/shm", "listing")
			if err != nil {
				top = b.TempDir()
			}
			defer os.RemoveAll(top)
			d, err := vfs.OpenDisk(vfs.DiskConfig{Root: top})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			for i := range many {
				if err := os.WriteFile(filepath.Join(top, entry(i)), nil, 0o600); err != nil {
					b.Fatal(err)
				}
			}
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
