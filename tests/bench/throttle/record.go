package main

import (
	"slices"
	"sync"
	"time"
)

// record is what one transfer moved, and when.
type record struct {
	mu     sync.Mutex
	pieces []piece
}

type piece struct {
	at time.Time
	n  int
}

func (r *record) add(n int) {
	if n <= 0 {
		return
	}
	now := time.Now()
	r.mu.Lock()
	r.pieces = append(r.pieces, piece{now, n})
	r.mu.Unlock()
}

// take returns what is recorded and empties the record.
func (r *record) take() []piece {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pieces
	r.pieces = nil
	return p
}

// figures are what is asked of a throttle, as parts of the limit.
type figures struct {
	total   float64 // what is too much or too little after all the time
	first   float64 // after the first second
	fullest float64 // 100 ms, wherever they begin after the first ones; 1 is their share
	unfair  float64 // what the most lucky transfer got beyond the least lucky one
}

const (
	warm   = 100 * time.Millisecond
	window = 100 * time.Millisecond
)

// measure reckons the figures of transfers that ran for d at the same time.
func measure(transfers [][]piece, rate float64, d time.Duration) (f figures) {
	all := slices.Concat(transfers...)
	if len(all) == 0 {
		return figures{total: -1, first: -1}
	}
	slices.SortFunc(all, func(a, b piece) int { return a.at.Compare(b.at) })
	start := all[0].at
	f.total = sum(all, start.Add(d))/(rate*d.Seconds()) - 1
	f.first = sum(all, start.Add(time.Second))/rate - 1
	f.fullest = fullest(all, start.Add(warm), start.Add(d)) / (rate * window.Seconds())
	began := start
	for _, t := range transfers {
		if len(t) > 0 && t[0].at.After(began) {
			began = t[0].at
		}
	}
	least, most := 0.0, 0.0
	for i, t := range transfers {
		n := sum(t, start.Add(d)) - sum(t, began) // while all of them ran
		if most = max(most, n); i == 0 || n < least {
			least = n
		}
	}
	f.unfair = (most - least) / max(1, most)
	return f
}

// sum is what moved before a moment.
func sum(pieces []piece, until time.Time) (n float64) {
	for _, p := range pieces {
		if p.at.Before(until) {
			n += float64(p.n)
		}
	}
	return n
}

// fullest is the most that moved within one window.
func fullest(pieces []piece, from, until time.Time) (most float64) {
	first, n := 0, 0.0
	for i, p := range pieces {
		if !p.at.Before(until) {
			break
		}
		if p.at.Before(from) {
			first = i + 1
			continue
		}
		for n += float64(p.n); p.at.Sub(pieces[first].at) >= window; first++ {
			n -= float64(pieces[first].n)
		}
		most = max(most, n)
	}
	return most
}

// middle returns the median of each figure, and the worst window of all.
func middle(runs []figures) (median, worst figures) {
	pick := func(of func(figures) float64) (mid, extreme float64) {
		v := make([]float64, len(runs))
		for i, r := range runs {
			v[i] = of(r)
			if max(v[i], -v[i]) > max(extreme, -extreme) {
				extreme = v[i]
			}
		}
		slices.Sort(v)
		return v[len(v)/2], extreme
	}
	median.total, worst.total = pick(func(f figures) float64 { return f.total })
	median.first, worst.first = pick(func(f figures) float64 { return f.first })
	median.fullest, worst.fullest = pick(func(f figures) float64 { return f.fullest })
	median.unfair, worst.unfair = pick(func(f figures) float64 { return f.unfair })
	return median, worst
}
