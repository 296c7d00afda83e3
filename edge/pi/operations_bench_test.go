package pi

import (
	"testing"
	"time"
)

// BenchmarkOperation is what counting one question to the storage costs, by many at once.
func BenchmarkOperation(b *testing.B) {
	tally := new(OperationTally)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = tally.took(opStat, time.Now(), nil)
		}
	})
}
