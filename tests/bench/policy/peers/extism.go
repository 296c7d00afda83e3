package main

import (
	"context"
	"encoding/binary"
	"fmt"

	extism "github.com/extism/go-sdk"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// extisms are Extism's SDK without a limit of time and with one. The guest reads the
// same record; each has one plug-in of its own, as the SDK has no pool.
func extisms(ctx context.Context) ([]contestant, error) {
	free, err := plugin(ctx, "Extism", 0)
	if err != nil {
		return nil, err
	}
	limited, err := plugin(ctx, "Extism with timeout_ms", uint64(patience.Milliseconds()))
	return []contestant{free, limited}, err
}

func plugin(ctx context.Context, name string, timeout uint64) (contestant, error) {
	module, err := guests.Module("write-once-extism")
	if err != nil {
		return contestant{}, err
	}
	manifest := extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: module}}, Timeout: timeout}
	p, err := extism.NewPlugin(ctx, manifest, extism.PluginConfig{}, nil)
	if err != nil {
		return contestant{}, err
	}
	var rec []byte
	decide := func(q *policy.Action) (policy.Verdict, error) {
		var err error
		if rec, err = abi.AppendAction(rec[:0], name, q); err != nil {
			return 0, err
		}
		code, out, err := p.CallWithContext(ctx, "fs", rec)
		switch {
		case err != nil:
			return 0, err
		case code != 0:
			return 0, fmt.Errorf("the plug-in returned %d", code)
		case len(out) == 0:
			return policy.Pass, nil
		case len(out) < 8:
			return 0, fmt.Errorf("%d bytes of output", len(out))
		}
		return decoded(binary.LittleEndian.Uint64(out), out[8:])
	}
	return contestant{name, decide, func() error { return p.Close(ctx) }}, nil
}
