package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// data asks the stage data about chunks of the greatest size, one after the other.
func data(ctx context.Context, flags *flag.FlagSet, args []string) error {
	rounds := flags.Int("rounds", 20, "how often each line has its turn")
	if err := flags.Parse(args); err != nil {
		return err
	}
	module, err := guests.Module("chunks")
	if err != nil {
		return err
	}
	h, err := wasmhost.New(ctx, wasmhost.Config{})
	if err != nil {
		return err
	}
	q := guests.Question(true)
	chunk := &policy.Chunk{Meta: q.Meta, Op: policy.OpRead, Path: q.Path, Data: make([]byte, policy.MaxChunk)}
	var subjects []*measure.Subject
	for _, s := range []struct{ name, settings string }{{"looks at nothing", ""}, {"sums the bytes by eights", "look"}} {
		p, err := h.Load(ctx, s.name, module, wasmhost.LoadOptions{Settings: []byte(s.settings)})
		if err != nil {
			return err
		}
		defer p.Close()
		filter := p.Hooks().Filter
		subjects = append(subjects, &measure.Subject{Name: s.name, Batch: 20, Call: func() error {
			_, err := filter.Filter(ctx, chunk)
			return err
		}})
	}
	copied := make([]byte, policy.MaxChunk)
	subjects = append(subjects, &measure.Subject{Name: "(a copy of the chunk alone)", Batch: 20, Call: func() error {
		copy(copied, chunk.Data)
		return nil
	}})
	if err := measure.Compare(subjects, *rounds, 50, 1); err != nil {
		return err
	}
	fmt.Println("| a guest that | p50 us for 64 KiB | p99 us | GB/s | allocations |\n|---|---|---|---|---|")
	for _, s := range subjects {
		f := s.Figures()
		fmt.Printf("| %s | %.1f | %.1f | %.1f | %.0f |\n", s.Name, f.P50/1e3, f.P99/1e3, policy.MaxChunk/f.P50, f.Allocs)
	}
	return nil
}
