package main

import (
	"math"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// steady is a transfer that moves n bytes every step, from the moment from on.
func steady(start time.Time, from, step time.Duration, n int) (all []piece) {
	for at := from; at < 3*time.Second; at += step {
		all = append(all, piece{start.Add(at), n})
	}
	return all
}

func TestMeasure(t *testing.T) {
	start := time.Now()
	const ms = time.Millisecond
	even := steady(start, 0, 10*ms, 1000)
	burst := steady(start, 0, 10*ms, 1000)
	burst[150].n += 5000
	for _, c := range []struct {
		name      string
		transfers [][]piece
		rate      float64
		want      figures
	}{
		{"even", [][]piece{even}, 100_000, figures{fullest: 1}},
		{"half", [][]piece{even}, 200_000, figures{total: -0.5, first: -0.5, fullest: 0.5}},
		{"a burst", [][]piece{burst}, 100_000, figures{total: 0.025, fullest: 1.5}},
		{"a burst at the start", [][]piece{append([]piece{{start, 9000}}, even...)}, 100_000, figures{total: 0.045, first: 0.09, fullest: 1}},
		{"two", [][]piece{even, even}, 200_000, figures{fullest: 1}},
		{"two, one later", [][]piece{even, steady(start, 500*ms, 10*ms, 1000)}, 200_000,
			figures{total: -0.125, first: -0.25, fullest: 1}},
		{"unfair", [][]piece{even, steady(start, 0, 10*ms, 500)}, 150_000, figures{fullest: 1, unfair: 0.5}},
		{"nothing", [][]piece{nil}, 1, figures{total: -1, first: -1}},
	} {
		got := measure(c.transfers, c.rate, 2*time.Second)
		for what, d := range map[string]float64{"total": got.total - c.want.total, "first": got.first - c.want.first,
			"fullest": got.fullest - c.want.fullest, "unfair": got.unfair - c.want.unfair} {
			if math.Abs(d) > 1e-9 {
				t.Errorf("%s: %s is off by %v: %+v", c.name, what, d, got)
			}
		}
	}
}

func TestMiddle(t *testing.T) {
	median, worst := middle([]figures{{total: 1}, {total: -3, fullest: 2}, {total: -2}})
	if median != (figures{total: -2}) || worst != (figures{total: -3, fullest: 2}) {
		t.Errorf("%+v, %+v", median, worst)
	}
}

// Every line of the table can be measured.
func TestRun(t *testing.T) {
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	p := plan{rates: []int{2}, transfers: []int{1, 2}}
	if all := p.shapes(); len(all) != 8 {
		t.Fatalf("%d shapes", len(all))
	}
	for _, s := range p.shapes() {
		seen, err := s.run(100*time.Millisecond, server, client)
		if err != nil || len(seen) != 2 {
			t.Fatalf("%v: %v, %v", s, seen, err)
		}
		for _, f := range seen {
			if f.total <= -1 {
				t.Errorf("%v: nothing was seen: %+v", s, seen)
			}
		}
	}
	p.only = "TLS up"
	if all := p.shapes(); len(all) != 2 || !all[0].tls || all[0].down {
		t.Errorf("only TLS up: %v", all)
	}
	if _, err := numbers("1,x"); err == nil {
		t.Error("x is a number")
	}
}
