package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
)

// report prints what the swaps have cost, and is an error if anything went wrong.
func (s *soak) report(memory []int64, failed []error, sessions int) error {
	s.sweep()
	instances := 0
	for _, p := range s.old {
		instances += p.Stats().Instances
	}
	at, apart := s.classes()
	status := s.Status()
	events := status.Policies[2].Events
	s.mu.Lock()
	defer s.mu.Unlock()
	s.judge.mu.Lock()
	defer s.judge.mu.Unlock()
	fmt.Printf(`| | |
|---|---|
| swaps; one takes p50, p99 | %d; %.0f us, %.0f us |
| sessions | %d |
| whole downloads of %s, whole uploads of %s | %d, %d |
| sessions that failed | %d |
| refusals held against the log; reported by events, dropped | %d; %d, %d |
| of them wrong | %d |
| failed calls of the policies | %d |
| replaced generations that are still held | %d |
| replaced policies that were closed; instances of the others | %d; %d |
| memory after a tenth of the swaps, just over half, all | %s, %s, %s |
| refused commands that began at a swap (%d): p50, p99 | %.2f ms, %.2f ms |
| half-way between two (%d): p50, p99 | %.2f ms, %.2f ms |
`, len(s.swaps), measure.Quantile(s.took, 0.5), measure.Quantile(s.took, 0.99), sessions,
		measure.MiB(s.size), measure.MiB(s.size/4), s.down.Load(), s.up.Load(), len(failed),
		s.judged, s.reported, events.Dropped, len(s.wrong), s.faults, status.OldGenerations, s.closed, instances,
		measure.MiB(memory[0]), measure.MiB(memory[1]), measure.MiB(memory[2]),
		len(at), measure.Quantile(at, 0.5), measure.Quantile(at, 0.99),
		len(apart), measure.Quantile(apart, 0.5), measure.Quantile(apart, 0.99))
	for _, w := range s.wrong {
		failed = append(failed, errors.New(w))
	}
	if instances > 0 || status.OldGenerations > 0 || s.faults > 0 {
		failed = append(failed, fmt.Errorf("%d instances, %d generations and %d failed calls are left", instances, status.OldGenerations, s.faults))
	}
	return errors.Join(failed...)
}

// classes takes two samples of the times of refused commands, in milliseconds: those
// that began at a swap, from 1 ms before it to 5 ms after it, and those that began in as
// long a window half-way to the next swap. What lies anywhere else is in neither: to
// sort commands by whether a swap met them would sort the slow ones to the swaps.
func (s *soak) classes() (at, apart []float64) {
	windows := make([]span, len(s.swaps))
	halves := make([]span, 0, len(s.swaps))
	for i, w := range s.swaps {
		windows[i] = span{w.from - time.Millisecond, w.to + 5*time.Millisecond}
		if i > 0 {
			half := (s.swaps[i-1].to + w.from) / 2
			halves = append(halves, span{half - time.Millisecond, half + 5*time.Millisecond})
		}
	}
	return s.began(windows), s.began(halves)
}

// began returns the times of the commands that began in one of the windows.
func (s *soak) began(windows []span) (ms []float64) {
	for _, a := range s.asked {
		i, _ := slices.BinarySearchFunc(windows, a.from, func(w span, t time.Duration) int { return int(w.to - t) })
		if i < len(windows) && windows[i].from <= a.from {
			ms = append(ms, float64(a.to-a.from)/1e6)
		}
	}
	return ms
}
