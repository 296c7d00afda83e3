package budget

import "runtime/metrics"

// read asks the runtime.
func read() Reading {
	samples := [...]metrics.Sample{
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(samples[:])
	var v [len(samples)]int64
	for i := range samples {
		v[i] = int64(samples[i].Value.Uint64())
	}
	total := v[0] - v[1] - v[2]
	return Reading{Total: total, Live: min(total, v[4]+total-v[3]), Cycle: uint64(v[5])}
}
