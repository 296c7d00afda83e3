package wasmhost

import (
	"strings"
	"sync"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// metrics bounds what one policy may add to the server's numbers.
type metrics struct {
	policy string
	sink   MetricSink

	mu     sync.Mutex
	series map[string]series
	warned bool
}

// series is one name with its kind.
type series struct {
	name string // the key of the map, so that a call need not make it again
	kind int32
}

func newMetrics(policy string, sink MetricSink) *metrics {
	return &metrics{policy: policy, sink: sink, series: map[string]series{}}
}

// find returns the series that a number belongs to. Without one it says why, the
// first time that anything was wrong.
func (m *metrics) find(name []byte, kind int32, v int64) (s series, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var known bool
	if len(name) <= abi.MaxMetricName { // or the look-up costs more than it is charged
		s, known = m.series[string(name)]
	}
	switch {
	case kind != abi.MetricCounter && kind != abi.MetricGauge:
		why = "its kind is none"
	case kind == abi.MetricCounter && v < 0:
		why = "a counter does not go back"
	case known && s.kind == kind:
		return s, ""
	case known:
		why = "it was of another kind before"
	case !isMetricName(name):
		why = "its name is not 1 to 64 bytes of a-z, 0-9 and _, with a letter first"
	case len(m.series) >= abi.MaxMetrics:
		why = "the policy has too many already"
	default:
		s = series{name: string(name), kind: kind}
		m.series[s.name] = s
		return s, ""
	}
	if m.warned {
		return series{}, ""
	}
	m.warned = true
	return series{}, why
}

func isMetricName(b []byte) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	return len(b) > 0 && len(b) <= abi.MaxMetricName && b[0] >= 'a' && b[0] <= 'z' &&
		strings.Trim(string(b), letters+"0123456789_") == ""
}

// hostMetric is edgeftp.metric: name, name_len, kind, value.
func hostMetric(in *instance, mod api.Module, stack []uint64) {
	name := guestBytes(mod, "metric: name", stack[0], stack[1])
	m := in.policy.caps.metrics
	s, why := m.find(name, int32(size(stack, 2)), int64(stack[3]))
	if s.name != "" {
		m.sink.Metric(m.policy, s.name, s.kind, int64(stack[3]))
		return
	}
	if why != "" {
		in.remark("metric " + guestText(name, abi.MaxMetricName) + " is dropped: " + why + "; others will be without a word")
	}
}
