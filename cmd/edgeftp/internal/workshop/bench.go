package workshop

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
	"unicode"

	"github.com/edgeftp/edgeftp/wasmhost"
)

// BenchOptions say how long a module is measured.
type BenchOptions struct {
	Count int           // how often everything is measured, 0 for once
	Time  time.Duration // of one measurement, about; 0 for a second
}

// Bench measures each test of the module, the start of an instance and compiling, and
// writes lines in the format of Go's benchmarks: time of an operation, units of fuel
// and, for tests, bytes by which the instance's memory has grown. The time is that of a
// server: an instance of the pool, the record, the metered call, and the answer.
func (s *Shop) Bench(ctx context.Context, o BenchOptions, w io.Writer) error {
	if o.Time <= 0 {
		o.Time = time.Second
	}
	if _, err := fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: %s\n", runtime.GOOS, runtime.GOARCH, benchName(s.Name)); err != nil {
		return err
	}
	for range max(o.Count, 1) {
		for _, measure := range []func(context.Context, BenchOptions, io.Writer) error{s.benchTests, s.benchStart, s.benchCompile} {
			if err := measure(ctx, o, w); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// benchTests asks each test over and over, after those before it were asked once: each
// in a world of its own, for a counter that one test was asked about so often is not what
// the next one finds.
func (s *Shop) benchTests(ctx context.Context, o BenchOptions, w io.Writer) error {
	for i := range s.Set.Tests {
		if err := s.benchTest(ctx, o, w, i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Shop) benchTest(ctx context.Context, o BenchOptions, w io.Writer, last int) error {
	t := s.policy.Trial(s.Set)
	defer t.Close()
	for i := range s.Set.Tests[:last+1] {
		if got := t.Ask(ctx, &s.Set.Tests[i]); got.Err != nil {
			return fmt.Errorf("the test %q fails, and what it costs says nothing: %w\n   = help:   policy test  tells more", s.unique(i), got.Err)
		}
	}
	c, name := &s.Set.Tests[last], benchName(s.unique(last))
	ask := t.Asker(ctx, c)
	before := t.Stats()
	n, took := repeatFor(ctx, o.Time, func() { _ = ask() }) // a test may want a failure
	after := t.Stats()
	asked := max(after.Calls-before.Calls, 1)
	grown := max(int64(after.Memory)-int64(before.Memory), 0)
	_, err := fmt.Fprintf(w, "BenchmarkPolicy/%s/%s \t%8d\t%12.1f ns/op\t%10.1f fuel/op\t%8.1f B/op\n", c.Hook, name, n,
		float64(took)/float64(n), float64(after.Fuel-before.Fuel)/float64(asked), float64(grown)/float64(n))
	return err
}

// benchStart measures how long an instance takes until it can be asked.
func (s *Shop) benchStart(ctx context.Context, o BenchOptions, w io.Writer) error {
	var fuel, memory uint64
	var failed error
	n, took := repeatFor(ctx, o.Time, func() {
		t := s.policy.Trial(s.Set)
		defer t.Close()
		if err := t.Start(); err != nil {
			failed = err
		}
		st := t.Stats()
		fuel, memory = st.Fuel, st.Memory
	})
	if failed != nil {
		return failed
	}
	_, err := fmt.Fprintf(w, "BenchmarkInstanceStart \t%8d\t%12.1f ns/op\t%10d fuel/op\t%8d memory-B\n", n, float64(took)/float64(n), fuel, memory)
	return err
}

// benchCompile measures compiling without a cache, with the first start.
func (s *Shop) benchCompile(ctx context.Context, o BenchOptions, w io.Writer) error {
	h, err := wasmhost.New(ctx, wasmhost.Config{Compile: 10 * time.Minute})
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }() // only waits
	var failed error
	n, took := repeatFor(ctx, o.Time, func() {
		p, err := h.Load(ctx, s.Name, s.Module, s.options())
		if err == nil {
			err = p.Close()
		}
		if err != nil {
			failed = err
		}
	})
	if failed != nil {
		return failed
	}
	_, err = fmt.Fprintf(w, "BenchmarkCompile \t%8d\t%12.1f ns/op\t%8d module-B\n", n, float64(took)/float64(n), len(s.Module))
	return err
}

// repeatFor calls f as often as fills the time, as Go's benchmarks do: in rounds that
// grow, of which the last one counts.
func repeatFor(ctx context.Context, d time.Duration, f func()) (n int, took time.Duration) {
	for n = 1; ; {
		start := time.Now()
		for range n {
			f()
		}
		took = time.Since(start)
		if took >= d || n >= 1_000_000_000 || ctx.Err() != nil {
			return n, max(took, 1)
		}
		next := int(1.2 * float64(n) * float64(d) / float64(max(took, 1)))
		n = max(n+1, min(next, 100*n))
	}
}

// benchName writes a name so that it is one word of a benchmark's.
func benchName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return '_'
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, name)
}
