package metrics_test

import (
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/policies/metrics"
)

// What counting an event costs, in the goroutine of the observer.
func BenchmarkObserve(b *testing.B) {
	for name, e := range map[string]policy.Event{
		"command":  {Kind: policy.EventCommandDone, Text: "NOOP", Code: 200},
		"transfer": {Kind: policy.EventFileSent, Path: "/a", Size: 4096},
	} {
		b.Run(name, func(b *testing.B) {
			p, err := metrics.New(metrics.Config{})
			if err != nil {
				b.Fatal(err)
			}
			e.Meta = policy.Meta{Session: &policy.Session{ID: 1, Listener: "main"}}
			b.ReportAllocs()
			for b.Loop() {
				e.Took = (e.Took + 37*time.Microsecond) % time.Second
				if err := p.Observe(b.Context(), &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
