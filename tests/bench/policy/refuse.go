package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// candidate is something that is offered as a module and must not be taken.
type candidate struct {
	name string
	make func() ([]byte, error)
}

// refuse offers each of them.
func refuse(ctx context.Context, flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	h, err := wasmhost.New(ctx, wasmhost.Config{})
	if err != nil {
		return err
	}
	fmt.Println("| candidate | bytes | refused with | ms | memory beside its own bytes |\n|---|---|---|---|---|")
	for _, c := range candidates() {
		b, err := c.make()
		if err != nil {
			return err
		}
		measure.Settle()
		if err := measure.ResetPeak(); err != nil {
			return err
		}
		before, start := measure.Resident(), time.Now()
		p, err := h.Load(ctx, "candidate", b, wasmhost.LoadOptions{})
		took, peak := time.Since(start), measure.Peak()-before
		fault := (*wasmhost.LoadError)(nil)
		if p != nil || !errors.As(err, &fault) {
			return fmt.Errorf("%s was not refused: %w", c.name, err)
		}
		fmt.Printf("| %s | %d | %s | %.1f | %s |\n", c.name, len(b), fault.Code, float64(took)/1e6, measure.MiB(max(0, peak)))
	}
	return nil
}

func candidates() []candidate {
	given := func(b []byte) func() ([]byte, error) { return func() ([]byte, error) { return b, nil } }
	changed := func(f func(module []byte) []byte) func() ([]byte, error) {
		return func() ([]byte, error) {
			b, err := guests.Module("write-once")
			if err != nil {
				return nil, err
			}
			return f(b), nil
		}
	}
	named := func(old, new string) func() ([]byte, error) {
		return changed(func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(new), 1) })
	}
	return []candidate{
		{"nothing", given(nil)},
		{"an HTML page", given([]byte("<!DOCTYPE html><html><body>404</body></html>"))},
		{"a program", given([]byte("\x7fELF\x02\x01\x01"))},
		{"a component", given([]byte("\x00asm\x0d\x00\x01\x00"))},
		{"cut off", changed(func(b []byte) []byte { return b[:len(b)-20] })},
		{"200 MB", func() ([]byte, error) {
			b, err := guests.Module("write-once")
			return append(b, make([]byte, 200_000_000)...), err
		}},
		{"a million functions", func() ([]byte, error) { return million(), nil }},
		{"a million exports of one function", func() ([]byte, error) { return exports(), nil }},
		{"a body of 8 MB", func() ([]byte, error) { return body(8_000_000), nil }},
		{"8 MB of code that returns 0 from edgeftp_abi_v1", func() ([]byte, error) { return heavy(8_000_000), nil }},
		{"blocks in one another, 4 MB of them", func() ([]byte, error) { return nested(2_000_000), nil }},
		{"no export of the ABI", named("edgeftp_abi_v1", "edgeftp_abi_vX")},
		{"a hook that nobody knows", named("edgeftp_fs", "edgeftp_fz")},
		{"a start section", func() ([]byte, error) { return started(), nil }},
		{"a manifest that is no JSON", changed(func(b []byte) []byte { return append(b, custom("edgeftp.manifest", "{")...) })},
		{"a manifest that wants too much", changed(func(b []byte) []byte {
			return append(b, custom("edgeftp.manifest", `{"capabilities":["kv"]}`)...)
		})},
	}
}
