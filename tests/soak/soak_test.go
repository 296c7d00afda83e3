package soak

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// How many there are at a time.
const (
	honest    = 12
	intruders = 4
	idle      = 20
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSoak loads the server in rounds, at the end of each of which it has nothing to
// do but to hold some idle sessions. Then it must hold as much as after the rounds
// before.
func TestSoak(t *testing.T) {
	length, rounds := 2*time.Second, 3
	long := os.Getenv("EDGEFTP_SOAK")
	if long != "" {
		all, err := time.ParseDuration(long)
		if err != nil {
			t.Fatalf("EDGEFTP_SOAK: %v", err)
		}
		rounds = 20
		length = all
	}
	s := start(t)
	rest := s.rest()
	var held []holds
	begin, visits := time.Now(), 0
	for i := range rounds + 1 { // the first one warms up
		visits += s.round(length/time.Duration(rounds+1), uint64(i))
		h := s.quiet()
		t.Logf("after %4.0f s: %6d visits, %d goroutines, %d descriptors, heap %5.1f MiB, resident %5.1f MiB", time.Since(begin).Seconds(), visits,
			h.goroutines, h.descriptors, float64(h.heap)/(1<<20), float64(h.resident)/(1<<20))
		if i > 0 {
			held = append(held, h)
		}
	}
	if t.Logf("%d visits ended as a policy was late", s.late); long != "" && s.late > visits/1000 { // of some hundred visits one would be
		t.Error("they are too many")
	}
	for _, c := range rest {
		_, err := c.Must("NOOP", 200)
		s.must(err)
		_ = c.Close()
	}
	s.flat("goroutines", held, func(h holds) int64 { return int64(h.goroutines) }, 2)
	s.flat("descriptors", held, func(h holds) int64 { return int64(h.descriptors) }, 2)
	if long != "" { // a heap takes minutes to find its size
		s.flat("heap", held, func(h holds) int64 { return h.heap }, 2<<20)
		s.flat("resident memory", held, func(h holds) int64 { return h.resident }, 4<<20)
	}
	s.stop()
}

// undecided reports whether a policy did not answer in time, which is a refusal and may
// come to pass where the machine has other work too.
func undecided(err error) bool {
	return strings.Contains(err.Error(), "could not be decided")
}

// rest opens sessions that do nothing.
func (s *server) rest() (all []*userpi.Client) {
	c := &client{server: s, Rand: rand.New(rand.NewPCG(1, 1))}
	for range idle {
		pi, err := c.dial(1, 4)
		s.must(err)
		s.must(pi.Identify("dev", "secret"))
		all = append(all, pi)
	}
	return all
}

// round has everybody use the server for some time, with a policy that is swapped. It
// returns how many visits there were.
func (s *server) round(length time.Duration, seed uint64) int {
	var all sync.WaitGroup
	var mu sync.Mutex
	visits := 0
	end := time.Now().Add(length)
	for i := range honest + intruders {
		c := &client{server: s, Rand: rand.New(rand.NewPCG(seed, uint64(i))), name: fmt.Sprintf("file-%d", i)}
		visit := c.visit
		if i >= honest {
			visit = c.intrude
		}
		all.Go(func() {
			for time.Now().Before(end) {
				err := visit()
				if err != nil && !undecided(err) {
					s.Errorf("client %d: %v", i, err)
					return
				}
				mu.Lock()
				visits++
				if err != nil {
					s.late++
				}
				mu.Unlock()
			}
		})
	}
	s.must(s.swap())
	all.Wait()
	s.must(s.swap())
	return visits
}

// quiet waits until the server has ended what the clients left, and returns what it
// holds: the least of several looks, since garbage comes and goes.
func (s *server) quiet() holds {
	var least holds
	same := 0
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(time.Minute); same < 10 && time.Now().Before(limit); <-tick.C {
		h, err := s.measure()
		s.must(err)
		same++
		if least.goroutines == 0 || h.goroutines < least.goroutines || h.descriptors < least.descriptors {
			same = 0
		}
		if least.goroutines == 0 {
			least = h
		}
		least = holds{min(least.goroutines, h.goroutines), min(least.descriptors, h.descriptors), min(least.heap, h.heap), min(least.resident, h.resident)}
	}
	return least
}

// flat compares the first third of what was measured with the last: its median may be
// 2 % and a little more than that of the first.
func (s *server) flat(what string, held []holds, of func(holds) int64, little int64) {
	s.Helper()
	median := func(part []holds) int64 {
		var all []int64
		for _, h := range part {
			all = append(all, of(h))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	third := max(1, len(held)/3)
	first, last := median(held[:third]), median(held[len(held)-third:])
	s.Logf("%s: %d at first, %d at last (%+.1f %%)", what, first, last, 100*float64(last-first)/float64(first))
	if last > first+first/50+little {
		s.Errorf("%s grow: %d at first, %d at last", what, first, last)
	}
}
