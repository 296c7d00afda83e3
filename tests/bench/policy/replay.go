package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/record"
)

// replay records decisions of a module and asks them of another, which differs from it
// in one bit: it lets existing files below /archive be deleted.
func replay(ctx context.Context, flags *flag.FlagSet, args []string) error {
	n := flags.Int("decisions", 100_000, "how many are recorded")
	runs := flags.Int("runs", 9, "how often each is replayed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	old, err := guests.Module("write-once")
	if err != nil {
		return err
	}
	mask := []byte{0x41, 0xb0, 0x1f} // i32.const 0xfb0: the operations that it is about
	if bytes.Count(old, mask) != 1 {
		return errors.New("write-once.wasm does not hold its mask of operations once")
	}
	seeded := bytes.Replace(old, mask, []byte{0x41, 0xb0, 0x1d}, 1) // without 8, delete
	h, err := wasmhost.New(ctx, wasmhost.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }() // only waits
	list, changed, err := recording(ctx, h, old, *n)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name   string
		module []byte
		want   int
	}{{"the same module", old, 0}, {"one that lets delete", seeded, changed}} {
		if err := replayed(ctx, h, c.name, c.module, list, c.want, *runs); err != nil {
			return err
		}
	}
	return nil
}

// recording asks a module n questions and returns what was written down of them, with
// the number of those that the seeded change is about.
func recording(ctx context.Context, h *wasmhost.Host, module []byte, n int) (list []*record.Exchange, changed int, err error) {
	p, err := h.Load(ctx, "guard", module, wasmhost.LoadOptions{})
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = p.Close() }()
	var file bytes.Buffer
	w, err := record.NewWriter(&file, 0)
	if err == nil {
		err = w.Module(record.Module{Policy: "guard", Digest: p.Digest(), Generation: 1, Hidden: true})
	}
	if err != nil {
		return nil, 0, err
	}
	hider := record.NewHider([]byte("replay"), "/archive")
	var hiding time.Duration
	p.Watch(&wasmhost.Watcher{Tell: func(x *wasmhost.Exchange) {
		start := time.Now()
		err = errors.Join(err, hider.Hide(x))
		hiding += time.Since(start)
		_, werr := w.Exchange(x)
		err = errors.Join(err, werr)
	}})
	ops := []policy.Op{policy.OpRead, policy.OpWrite, policy.OpDelete, policy.OpRename, policy.OpStat}
	for i := range n {
		a := guests.Question(i%3 != 0)
		a.Op, a.Path = ops[i%len(ops)], fmt.Sprintf("/%s/2026/%02d/report-%d.csv", []string{"archive", "in"}[i%2], i%12, i)
		if a.Op == policy.OpDelete && i%2 == 0 && a.Exists {
			changed++
		}
		if _, aerr := p.Hooks().Authorizer.Authorize(ctx, a); aerr != nil || err != nil {
			return nil, 0, errors.Join(aerr, err)
		}
	}
	if err := w.Close(0); err != nil {
		return nil, 0, err
	}
	fmt.Printf("recorded %d decisions, %.1f MB; hiding the names of one took %.1f us\n\n", n, float64(file.Len())/1e6, float64(hiding.Microseconds())/float64(n))
	r, err := record.NewReader(&file)
	for err == nil {
		var x *record.Exchange
		if x, err = r.Next(); err == nil {
			list = append(list, x)
		}
	}
	if err != io.EOF {
		return nil, 0, err
	}
	return list, changed, nil
}

// replayed asks one module, and holds what differs to what was changed.
func replayed(ctx context.Context, h *wasmhost.Host, name string, module []byte, list []*record.Exchange, want, runs int) error {
	p, err := h.Load(ctx, "candidate", module, wasmhost.LoadOptions{Intercept: record.Answer})
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	for _, workers := range []int{1, 2} {
		var rates []float64
		for range runs {
			report, err := record.Replay(ctx, list, record.Options{New: p, Workers: workers})
			if err != nil {
				return err
			}
			if report.Differ != want || report.Same+report.Differ != len(list) || report.OldFuel < report.NewFuel || want == 0 && report.OldFuel != report.NewFuel {
				return fmt.Errorf("%s: %d of %d differ, want %d; fuel %d and %d", name, report.Differ, report.Exchanges, want, report.OldFuel, report.NewFuel)
			}
			rates = append(rates, float64(len(list))/report.Took.Seconds()/1e6)
		}
		fmt.Printf("%s: %d differ, as was seeded; %d at a time: %.2f million a second (least %.2f)\n", name, want, workers,
			measure.Quantile(rates, 0.5), measure.Quantile(rates, 0))
	}
	return nil
}
