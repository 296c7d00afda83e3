package metrics

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// prefix begins every name.
const prefix = "edgeftp_"

// Source tells numbers that no event holds, each time somebody looks: the calls,
// traps, fuel and memory of policies, the length of queues, the server's sessions.
// It must be safe for concurrent use and not wait for anything.
type Source interface {
	// Collect hands each number to tell. The same name has the same help, kind and
	// names of labels each time.
	Collect(tell func(Sample))
}

// SourceFunc is a function that is a Source.
type SourceFunc func(tell func(Sample))

// Collect implements [Source].
func (f SourceFunc) Collect(tell func(Sample)) { f(tell) }

// Kind says what a number is.
type Kind uint8

// The kinds. A counter never falls while the process lives; its name ends in
// "_total", and no other's does.
const (
	Gauge Kind = iota
	Counter
	Histogram
)

// Sample is one number with its labels.
type Sample struct {
	Name   string // with "edgeftp_" before it: letters, digits and underscores
	Help   string // one line
	Kind   Kind
	Labels []Label // of which none may be what a client chooses
	Value  float64 // of a gauge or counter

	// Buckets are those of a histogram: how many values were at most so large, the
	// lower ones included. Count and Sum are of all values.
	Buckets []Bucket
	Count   uint64
	Sum     float64
}

// Label is a name and a value.
type Label struct{ Name, Value string }

// Bucket is how many values were at most UpTo.
type Bucket struct {
	UpTo  float64
	Count uint64
}

// MaxSamples is the greatest number of samples that are taken from a Source at one
// time.
const MaxSamples = 10000

// Add has a Source asked whenever somebody looks by a later [Policy.Handler]. It fails
// if it cannot be. A name that the policy or an earlier Source has given to something
// else is left out.
func (p *Policy) Add(s Source) error {
	r := prometheus.NewRegistry()
	if err := r.Register(collector{s}); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sources = append(p.sources, r)
	return nil
}

// collector is a Source as the library wants it: one that describes nothing
// beforehand, and so is checked each time.
type collector struct{ Source }

// Describe implements prometheus.Collector.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	n := 0
	c.Source.Collect(func(s Sample) {
		if n++; n > MaxSamples {
			return
		}
		to <- s.metric()
	})
}

// metric is the sample, or what stands for one that is wrong.
func (s Sample) metric() prometheus.Metric {
	var names, labels []string
	for _, l := range s.Labels {
		names, labels = append(names, l.Name), append(labels, strings.ToValidUTF8(l.Value, "?"))
	}
	desc := prometheus.NewDesc(s.Name, s.Help, names, nil)
	bad := func(err error) prometheus.Metric { return prometheus.NewInvalidMetric(desc, err) }
	if !strings.HasPrefix(s.Name, prefix) || s.Help == "" || strings.HasSuffix(s.Name, "_total") != (s.Kind == Counter) {
		return bad(fmt.Errorf("%q is no name of a metric of this kind, or has no help", s.Name))
	}
	kind := prometheus.GaugeValue
	switch s.Kind {
	case Histogram:
		return s.histogram(desc, labels, bad)
	case Counter:
		kind = prometheus.CounterValue
	}
	m, err := prometheus.NewConstMetric(desc, kind, s.Value, labels...)
	if err != nil {
		return bad(err)
	}
	return m
}

func (s Sample) histogram(desc *prometheus.Desc, labels []string, bad func(error) prometheus.Metric) prometheus.Metric {
	buckets := make(map[float64]uint64, len(s.Buckets))
	for _, b := range s.Buckets {
		buckets[b.UpTo] = min(b.Count, s.Count) // counted one after the other, while more came
	}
	for i, b := range s.Buckets[min(1, len(s.Buckets)):] {
		if before := s.Buckets[i]; before.UpTo >= b.UpTo || before.Count > b.Count {
			return bad(fmt.Errorf("the buckets of %q do not rise", s.Name))
		}
	}
	m, err := prometheus.NewConstHistogram(desc, s.Count, s.Sum, buckets, labels...)
	if err != nil {
		return bad(err)
	}
	return m
}
