//go:build linux

package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/account"
)

// TestSettled holds that memory is looked at once it stays as it is: after what a start has
// left was given back, and not for ever.
func TestSettled(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(time.Duration) int64
		want int64
		took time.Duration
	}{
		{"still", func(time.Duration) int64 { return 5 << 20 }, 5 << 20, settledFor},
		{"small changes", func(d time.Duration) int64 { return 5<<20 + int64(d/time.Second%2)<<10 }, -1, settledFor},
		{"a start's garbage goes after six seconds", func(d time.Duration) int64 {
			if d < 6*time.Second {
				return 9 << 20
			}
			return 5 << 20
		}, 5 << 20, 6*time.Second + settledFor},
		{"never still", func(d time.Duration) int64 { return int64(d/time.Second) << 20 }, 30 << 20, settling},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			got := settled(func() account.Memory { return account.Memory{Private: c.at(time.Since(start))} })
			if took := time.Since(start); c.want >= 0 && got.Private != c.want || took < c.took || took > c.took+time.Second {
				t.Errorf("%s: %d bytes after %v, want %d after %v", c.name, got.Private, took, c.want, c.took)
			}
		})
	}
}
