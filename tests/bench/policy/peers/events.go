package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// observer is an observer linked in.
type observer struct {
	name string
	wait <-chan struct{} // before each event; nil does not wait
}

// Name implements [policy.Policy].
func (o observer) Name() string { return o.name }

// Hooks implements [policy.Policy].
func (o observer) Hooks() policy.Hooks { return policy.Hooks{Observer: o} }

// Observe implements [policy.Observer].
func (o observer) Observe(context.Context, *policy.Event) error {
	if o.wait != nil {
		<-o.wait
	}
	return nil
}

// events has sessions report to one observer as fast as they can, one session for
// each processor, and sees what became of it all.
func events(ctx context.Context, rounds int) error {
	h, err := wasmhost.New(ctx, wasmhost.Config{})
	if err != nil {
		return err
	}
	module, err := guests.Module("events")
	if err != nil {
		return err
	}
	fmt.Println(measure.Machine())
	fmt.Println("\n| observer | accepted per s | p50 ns of batches | p99 ns of batches | slow ns | delivered | dropped | lost |\n|---|---|---|---|---|---|---|---|")
	blocked := make(chan struct{})
	guest, err := h.Load(ctx, "guest", module, wasmhost.LoadOptions{})
	if err != nil {
		return err
	}
	for _, p := range []policy.Policy{observer{name: "native"}, guest, observer{name: "blocked for the whole time", wait: blocked}} {
		if err := report(p, rounds, blocked); err != nil {
			return fmt.Errorf("%s: %w", p.Name(), err)
		}
	}
	return nil
}

// report measures one observer. What waits is let go when all was reported.
func report(p policy.Policy, rounds int, blocked chan struct{}) error {
	c, err := chain.New(chain.Config{Clean: func(s string) (string, error) { return s, nil }}, chain.Slot{Name: "p", Policy: p})
	if err != nil {
		return err
	}
	producers := runtime.GOMAXPROCS(0)
	batches, singles := make([][]float64, producers), make([][]float64, producers)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range producers {
		wg.Go(func() { batches[i], singles[i] = produce(c, uint64(i+1), rounds) })
	}
	wg.Wait()
	took := time.Since(start)
	if o, ok := p.(observer); ok && o.wait != nil {
		close(blocked)
	}
	var st chain.EventStatus
	for st = c.Status()[0].Events; st.Queued > 0; st = c.Status()[0].Events {
		runtime.Gosched()
	}
	c.Close()
	sent := uint64(producers * rounds * (1000*100 + 1000))
	if st.Added != sent || st.Delivered+st.Dropped+st.Lost != sent {
		return errors.Join(errors.New("events are not accounted for"), fmt.Errorf("sent %d, status %+v", sent, st))
	}
	var all, one []float64
	for i := range batches {
		all, one = append(all, batches[i]...), append(one, singles[i]...)
	}
	fmt.Printf("| %s | %.0f | %.0f | %.0f | %.0f | %d | %d | %d |\n", p.Name(), float64(sent)/took.Seconds(),
		measure.Quantile(all, 0.5), measure.Quantile(all, 0.99), max(0, measure.Quantile(one, 0.99)-measure.Clock()), st.Delivered, st.Dropped, st.Lost)
	return nil
}

// produce reports events by hundreds, and some one by one.
func produce(c *chain.Chain, session uint64, rounds int) (batches, singles []float64) {
	l := c.Lease(session)
	defer l.Release()
	e := policy.Event{Meta: guests.Question(true).Meta, Kind: policy.EventFileSent, Path: "/archive/2026/report.csv", Size: 1 << 20, Code: 226}
	for range rounds {
		for range 1000 {
			start := time.Now()
			for range 100 {
				l.Observe(e)
			}
			batches = append(batches, float64(time.Since(start))/100)
		}
		for range 1000 {
			start := time.Now()
			l.Observe(e)
			singles = append(singles, float64(time.Since(start)))
		}
	}
	return batches, singles
}
