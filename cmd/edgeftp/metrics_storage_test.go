package main

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/policies/metrics"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// figures is what is told to whoever asks for figures.
func figures(t *testing.T, source metrics.SourceFunc) string {
	t.Helper()
	p, err := metrics.New(metrics.Config{})
	if err == nil {
		err = p.Add(source)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pageOf(t, p)
}

// What the storage was asked, what the cache of modules was good for, and how long calls have waited for
// an instance is told as it was counted.
func TestStorageFigures(t *testing.T) {
	text := figures(t, func(tell func(metrics.Sample)) {
		tellOperations(tell, []edge.OperationStatus{{Operation: "commit", OK: 7, NotFound: 1, Refused: 2, Failed: 3,
			Times: dtp.Times{UpTo: []float64{.001, .01}, Count: []uint64{4, 12}, Total: 13, Sum: 1500 * time.Millisecond}}})
		tellCompilations(tell, wasmhost.Compilations{Hits: 5, Misses: 2})
		waits := make([]uint64, wasmhost.WaitBuckets)
		waits[0], waits[6], waits[31] = 2, 3, 1
		tellPolicy(tell, &control.Policy{Name: "guard", Generation: 9, Sandbox: &control.Sandbox{WaitTimes: waits, Waited: 200}}, "active")
		tellPolicy(tell, &control.Policy{Name: "guard", Generation: 10}, "candidate")
	})
	for _, want := range []string{
		`edgeftp_storage_operations_total{operation="commit",result="ok"} 7`,
		`edgeftp_storage_operations_total{operation="commit",result="not_found"} 1`,
		`edgeftp_storage_operations_total{operation="commit",result="refused"} 2`,
		`edgeftp_storage_operations_total{operation="commit",result="failed"} 3`,
		`edgeftp_storage_operation_duration_seconds_bucket{operation="commit",le="0.001"} 4`,
		`edgeftp_storage_operation_duration_seconds_bucket{operation="commit",le="0.01"} 12`,
		`edgeftp_storage_operation_duration_seconds_bucket{operation="commit",le="+Inf"} 13`,
		`edgeftp_storage_operation_duration_seconds_sum{operation="commit"} 1.5`,
		`edgeftp_policy_compile_cache_total{result="hit"} 5`,
		`edgeftp_policy_compile_cache_total{result="miss"} 2`,
		`edgeftp_policy_generation{policy="guard"} 9`,
		`edgeftp_policy_instance_wait_seconds_bucket{generation="9",policy="guard",le="1.024e-06"} 2`,
		`edgeftp_policy_instance_wait_seconds_bucket{generation="9",policy="guard",le="4.096e-06"} 5`,
		`edgeftp_policy_instance_wait_seconds_count{generation="9",policy="guard"} 6`,
		`edgeftp_policy_instance_wait_seconds_sum{generation="9",policy="guard"} 200`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, `policy_generation{policy="guard"} 10`) {
		t.Error("a candidate is told as if it decided")
	}
}
