// Package measure has what the benchmarks of the policy host share: quantiles, the
// timing of calls that are shorter than a look at a clock, and what the process and
// its collector did meanwhile.
package measure

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"
)

// Quantile returns the value below which the part q (0 to 1) of all values lies, the
// zero value of none. The values are sorted in place.
func Quantile[T cmp.Ordered](values []T, q float64) (v T) {
	if len(values) == 0 {
		return v
	}
	slices.Sort(values)
	i := int(math.Ceil(q*float64(len(values)))) - 1
	return values[min(max(i, 0), len(values)-1)]
}

// Subject is one thing that is timed beside others.
type Subject struct {
	Name string
	Call func() error
	// Batch is how many calls are timed at a time, 0 for 100.
	Batch int

	batches []float64 // nanoseconds for one call
	singles []float64 // of calls that were timed one by one
	allocs  float64
}

// Figures are the times of one call of a Subject, in nanoseconds.
type Figures struct {
	P50      float64 // of batches
	P99      float64 // of batches
	Slow     float64 // the 99th of 100 calls that were timed one by one, less what the clock costs
	Allocs   float64 // for one call
	Measured int     // calls in the batches
}

// Compare times the subjects in turn, rounds times: each has batches batches and
// singles single calls in each round, so that what else the machine does meets all of
// them alike. It stops at the first error of a call.
func Compare(subjects []*Subject, rounds, batches, singles int) error {
	for _, s := range subjects {
		if s.Batch == 0 {
			s.Batch = 100
		}
		if err := s.count(); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	for range rounds {
		for _, s := range subjects {
			if err := s.round(batches, singles); err != nil {
				return fmt.Errorf("%s: %w", s.Name, err)
			}
		}
	}
	return nil
}

// count counts allocations, and warms up.
func (s *Subject) count() error {
	const calls = 1000
	for range calls {
		if err := s.Call(); err != nil {
			return err
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		if err := s.Call(); err != nil {
			return err
		}
	}
	runtime.ReadMemStats(&after)
	s.allocs = math.Floor(float64(after.Mallocs-before.Mallocs) / calls)
	return nil
}

func (s *Subject) round(batches, singles int) error {
	for range s.Batch { // the caches are the last subject's
		if err := s.Call(); err != nil {
			return err
		}
	}
	for range batches {
		start := time.Now()
		for range s.Batch {
			if err := s.Call(); err != nil {
				return err
			}
		}
		s.batches = append(s.batches, float64(time.Since(start))/float64(s.Batch))
	}
	for range singles {
		start := time.Now()
		err := s.Call()
		s.singles = append(s.singles, float64(time.Since(start)))
		if err != nil {
			return err
		}
	}
	return nil
}

// Figures returns what Compare found.
func (s *Subject) Figures() Figures {
	return Figures{P50: Quantile(s.batches, 0.5), P99: Quantile(s.batches, 0.99),
		Slow: max(0, Quantile(s.singles, 0.99)-Clock()), Allocs: s.allocs, Measured: len(s.batches) * s.Batch}
}

// Clock returns what timing one call costs by itself, in nanoseconds.
func Clock() float64 {
	all := make([]float64, 10000)
	for i := range all {
		start := time.Now()
		all[i] = float64(time.Since(start))
	}
	return Quantile(all, 0.5)
}
