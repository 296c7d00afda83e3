package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// hostile asks each module of a folder again and again, beside a policy that behaves
// and a prober of the collector, and then lets a goroutine of the same process spin
// for as long.
func hostile(ctx context.Context, flags *flag.FlagSet, args []string) error {
	runs := flags.Int("runs", 30, "how often each module is asked at least")
	least := flags.Duration("least", time.Second, "how long each module is asked at least")
	dir := flags.String("dir", "wasmhost/testdata/hostile", "where the modules lie")
	only := flags.String("only", "", "this module alone")
	if err := flags.Parse(args); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(*dir, "*.wasm"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("there are no modules in %s (run this in the repository's root): %w", *dir, err)
	}
	h, err := wasmhost.New(ctx, wasmhost.Config{})
	if err != nil {
		return err
	}
	module, err := guests.Module("write-once")
	if err != nil {
		return err
	}
	good, err := h.Load(ctx, "good", module, wasmhost.LoadOptions{})
	if err != nil {
		return err
	}
	defer good.Close()
	y := &yard{host: h, good: good.Hooks().Authorizer, least: *least, recent: make([]float64, 1<<19)}
	for i := range y.recent { // so that the memory is there from the start
		y.recent[i] = 1
	}
	fmt.Println("| guest | stopped by | after p50 ms | max ms | beside it: decisions, p50 us | p99 us | max ms | collector's stops | p50 us | p99 us | memory kept |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|")
	y.show("(nothing)", "", y.beside(func() { wait(ctx, time.Second) }))
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".wasm")
		if *only != "" && name != *only {
			continue
		}
		if err := y.try(ctx, name, file, *runs); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s := y.beside(func() { spin(y.took) })
		y.native = y.native.With(s.stops)
		y.show("(a native goroutine spins)", "", s)
	}
	fmt.Printf("\nThe collector's stops, all together: p50 %.0f, p90 %.0f, p99 %.0f us beside guests (%d), p50 %.0f, p90 %.0f, p99 %.0f us beside native goroutines (%d).\n",
		us(y.guests.Quantile(0.5)), us(y.guests.Quantile(0.9)), us(y.guests.Quantile(0.99)), y.guests.Count(),
		us(y.native.Quantile(0.5)), us(y.native.Quantile(0.9)), us(y.native.Quantile(0.99)), y.native.Count())
	return nil
}

// yard is where a hostile guest and others meet.
type yard struct {
	host           *wasmhost.Host
	good           policy.Authorizer
	least          time.Duration
	recent         []float64      // microseconds, of the latest decisions of the other policy
	took           time.Duration  // by the last module in all
	guests, native measure.Pauses // of all modules, and of all goroutines that span
}

// seen is what happened while something ran.
type seen struct {
	stopped           []float64 // milliseconds
	others            int       // decisions of the policy beside it
	p50, p99, longest float64   // of these, microseconds
	stops             measure.Pauses
	kept              int64
}

// beside runs f beside decisions of the policy that behaves and collections.
func (y *yard) beside(f func()) (s seen) {
	var over atomic.Bool
	var wg sync.WaitGroup
	question := guests.Question(true)
	before := measure.StopTimes()
	wg.Go(func() {
		for ; !over.Load(); s.others++ {
			start := time.Now()
			a, err := y.good.Authorize(context.Background(), question)
			if err != nil || a.Verdict != policy.Deny {
				panic(fmt.Sprintf("the policy beside it: %v, %v", a.Verdict, err)) // nothing after this would mean anything
			}
			took := float64(time.Since(start)) / 1e3
			y.recent[s.others%len(y.recent)] = took
			s.longest = max(s.longest, took)
		}
	})
	wg.Go(func() {
		for !over.Load() {
			runtime.GC()
		}
	})
	f()
	over.Store(true)
	wg.Wait()
	s.stops = measure.StopTimes().Since(before)
	recent := y.recent[:min(s.others, len(y.recent))]
	s.p50, s.p99 = measure.Quantile(recent, 0.5), measure.Quantile(recent, 0.99)
	return s
}

// try loads a module and asks it.
func (y *yard) try(ctx context.Context, name, file string, runs int) error {
	code, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	measure.Settle()
	before := measure.Resident()
	p, err := y.host.Load(ctx, name, code, wasmhost.LoadOptions{})
	if err != nil {
		return err
	}
	fs, question := p.Hooks().Authorizer, guests.Question(true)
	causes := map[string]bool{}
	var stopped []float64
	y.took = 0
	s := y.beside(func() {
		for n := 0; n < runs || y.took < y.least; n++ {
			start := time.Now()
			_, err := fs.Authorize(ctx, question)
			took := time.Since(start)
			y.took += took
			stopped = append(stopped, float64(took)/1e6)
			fault := (*wasmhost.CallError)(nil)
			switch {
			case errors.As(err, &fault):
				causes[fault.Cause.String()] = true
			default:
				causes[fmt.Sprintf("nothing (%v)", err)] = true
			}
		}
	})
	s.stopped = stopped
	if err := p.Close(); err != nil {
		return err
	}
	measure.Settle()
	s.kept = measure.Resident() - before
	y.guests = y.guests.With(s.stops)
	var by []string
	for c := range causes {
		by = append(by, c)
	}
	slices.Sort(by)
	y.show(name, strings.Join(by, ", "), s)
	return nil
}

func (y *yard) show(name, by string, s seen) {
	stopped, kept := "| |", ""
	if len(s.stopped) > 0 {
		stopped = fmt.Sprintf("%.1f | %.1f |", measure.Quantile(s.stopped, 0.5), measure.Quantile(s.stopped, 1))
		kept = measure.MiB(s.kept)
	}
	fmt.Printf("| %s | %s | %s %d, %.1f | %.1f | %.1f | %d | %.0f | %.0f | %s |\n", name, by, stopped, s.others, s.p50, s.p99, s.longest/1e3,
		s.stops.Count(), us(s.stops.Quantile(0.5)), us(s.stops.Quantile(0.99)), kept)
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// spin keeps a processor busy for d, looking at the clock only now and then.
func spin(d time.Duration) {
	n := uint64(1)
	for end := time.Now().Add(d); time.Now().Before(end); {
		for range 10_000_000 {
			n ^= n << 13
			n ^= n >> 7
			n ^= n << 17
		}
	}
	runtime.KeepAlive(n)
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
