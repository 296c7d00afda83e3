package main

import (
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

func TestQuantiles(t *testing.T) {
	buckets := make([]uint64, 32)
	if got := quantile(buckets, 0.99); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	buckets[2], buckets[10] = 98, 2
	for q, want := range map[float64]time.Duration{0.5: 256 * time.Nanosecond, 0.9: 256 * time.Nanosecond, 0.99: 65536 * time.Nanosecond, 1: 65536 * time.Nanosecond} {
		if got := quantile(buckets, q); got != want.Seconds() {
			t.Errorf("%v: %v, want %v", q, got, want.Seconds())
		}
	}
	buckets = make([]uint64, 32)
	buckets[31] = 1
	if got := quantile(buckets, 0.5); got != bucketBound(31).Seconds() {
		t.Error(got)
	}
}

// What guests count is bounded, whatever they call it.
func TestNumbersAreBounded(t *testing.T) {
	var n numbers
	n.Metric("a", "hits", abi.MetricCounter, 2)
	n.Metric("a", "hits", abi.MetricCounter, 3)
	n.Metric("a", "level", abi.MetricGauge, 7)
	n.Metric("a", "level", abi.MetricGauge, -1)
	if got := n.of("a"); got["hits"] != 5 || got["level"] != -1 || len(got) != 2 {
		t.Error(got)
	}
	for i := range 10 * maxNumbers {
		n.Metric("b", string(rune('a'+i%26))+time.Duration(i).String(), abi.MetricCounter, 1)
	}
	if got := len(n.of("b")); got != maxNumbers {
		t.Error(got)
	}
	if n.of("c") != nil {
		t.Error("numbers of nobody")
	}
}
