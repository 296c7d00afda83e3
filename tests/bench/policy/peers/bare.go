package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// patience is what every host that can stop a guest gives it for a decision: more than
// anybody would, so that a busy machine ends no call of the measurement.
const patience = 10 * time.Second

// bare are the engine alone, with one instance: once as fast as it goes, without any
// means to stop the guest, and once with the engine's own.
func bare(ctx context.Context) ([]contestant, error) {
	fast, err := engine(ctx, "wazero alone, cannot be stopped", wazero.NewRuntimeConfig(), func(f api.Function, stack []uint64) error {
		return f.CallWithStack(ctx, stack)
	})
	if err != nil {
		return nil, err
	}
	closing, err := engine(ctx, "wazero, context that closes", wazero.NewRuntimeConfig().WithCloseOnContextDone(true), func(f api.Function, stack []uint64) error {
		limited, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return f.CallWithStack(limited, stack)
	})
	return []contestant{fast, closing}, err
}

// engine asks write-once.wasm with the record that edgeftp would write.
func engine(ctx context.Context, name string, conf wazero.RuntimeConfig, call func(api.Function, []uint64) error) (contestant, error) {
	module, err := guests.Module("write-once")
	if err != nil {
		return contestant{}, err
	}
	r := wazero.NewRuntimeWithConfig(ctx, conf)
	c := contestant{name: name, close: func() error { return r.Close(ctx) }}
	mod, err := r.Instantiate(ctx, module)
	if err != nil {
		return c, err
	}
	box, err := mod.ExportedFunction(abi.ExportABI).Call(ctx, abi.Minor, 0)
	if err != nil {
		return c, err
	}
	ptr, n := uint32(box[0]), uint32(box[0]>>32)
	fs, stack := mod.ExportedFunction(abi.HookFS.Export()), make([]uint64, 2)
	c.ask = func(q *policy.Action) (policy.Verdict, error) {
		mail, ok := mod.Memory().Read(ptr, n)
		if !ok {
			return 0, fmt.Errorf("the mailbox is outside the memory")
		}
		rec, err := abi.AppendAction(mail[:0], name, q)
		if err != nil {
			return 0, err
		}
		stack[0] = uint64(len(rec))
		if err := call(fs, stack); err != nil {
			return 0, err
		}
		return decoded(stack[0], mail)
	}
	return c, nil
}

// decoded reads a verdict and the reply that belongs to it.
func decoded(raw uint64, reply []byte) (policy.Verdict, error) {
	v, err := abi.UnpackVerdict(raw)
	if err != nil {
		return 0, err
	}
	if v.Len > len(reply) {
		return 0, fmt.Errorf("%d bytes of reply in %d", v.Len, len(reply))
	}
	a, err := abi.DecodeAnswer(v, reply[:v.Len], false)
	return a.Verdict, err
}
