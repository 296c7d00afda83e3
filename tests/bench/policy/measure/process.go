package measure

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// Machine says in one line when and on what something is measured.
func Machine() string {
	load := "unknown"
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = strings.Join(strings.Fields(string(b))[:3], " ")
	}
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %s, %d processors, %s, load %s", time.Now().Format("2 Jan 2006 15:04"), model,
		runtime.GOMAXPROCS(0), runtime.Version(), load)
}

// Settle collects garbage and gives memory back, so that a following Resident counts
// what is in use.
func Settle() {
	for range 3 {
		debug.FreeOSMemory()
	}
}

// Resident returns the bytes of memory that the process has now, 0 where it cannot be
// told (it is read from /proc).
func Resident() int64 { return status("VmRSS:") }

// Peak returns the most that Resident has been since ResetPeak, or since the start.
func Peak() int64 { return status("VmHWM:") }

// ResetPeak makes Peak begin anew.
func ResetPeak() error { return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600) }

func status(key string) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) == 3 && f[0] == key {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// MiB writes bytes as mebibytes.
func MiB(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// Pauses are the times that the collector has needed to bring everything to a stop.
type Pauses struct {
	counts  []uint64
	buckets []float64
}

// StopTimes reads the runtime's histogram.
func StopTimes() Pauses {
	sample := []metrics.Sample{{Name: "/sched/pauses/stopping/gc:seconds"}}
	metrics.Read(sample)
	h := sample[0].Value.Float64Histogram()
	return Pauses{append([]uint64(nil), h.Counts...), append([]float64(nil), h.Buckets...)}
}

// Since returns what was added to the histogram after earlier was read.
func (p Pauses) Since(earlier Pauses) Pauses {
	d := Pauses{make([]uint64, len(p.counts)), p.buckets}
	for i := range d.counts {
		d.counts[i] = p.counts[i] - earlier.counts[i]
	}
	return d
}

// With returns both together; the zero value has no stops.
func (p Pauses) With(q Pauses) Pauses {
	if p.counts == nil {
		return q
	}
	sum := Pauses{make([]uint64, len(p.counts)), p.buckets}
	for i := range sum.counts {
		sum.counts[i] = p.counts[i] + q.counts[i]
	}
	return sum
}

// Count returns how many stops there were.
func (p Pauses) Count() (n uint64) {
	for _, c := range p.counts {
		n += c
	}
	return n
}

// Quantile returns the upper end of the bucket in which the quantile lies.
func (p Pauses) Quantile(q float64) time.Duration {
	want := uint64(math.Ceil(q * float64(p.Count())))
	seen := uint64(0)
	for i, c := range p.counts {
		if seen += c; c > 0 && seen >= want {
			end := p.buckets[i+1]
			if math.IsInf(end, 0) {
				end = p.buckets[i]
			}
			return time.Duration(end * float64(time.Second))
		}
	}
	return 0
}
