package wasmhost

import (
	"context"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// hostStat is edgeftp.stat: path, path_len, out, out_cap.
func hostStat(in *instance, mod api.Module, stack []uint64) {
	name := guestBytes(mod, "stat: path", stack[0], stack[1])
	out := guestBytes(mod, "stat: out", stack[2], stack[3])
	switch {
	case in.call.services() == nil:
		fail64(stack, abi.ErrnoDenied)
		return
	case len(name) == 0 || len(name) > abi.MaxPath || len(out) < abi.EntrySize:
		fail64(stack, abi.ErrnoSize)
		return
	}
	p := string(name)
	if !isCanonical(p) {
		fail64(stack, abi.ErrnoInvalid)
		return
	}
	var entry policy.Entry
	err := in.request(statTime, func(ctx context.Context) (err error) {
		entry, err = in.call.services().Stat(ctx, p)
		return err
	})
	if err != nil {
		fail64(stack, errno(err, abi.ErrnoIO))
		return
	}
	result64(stack, int64(copy(out, abi.AppendStat(nil, &entry))))
}
