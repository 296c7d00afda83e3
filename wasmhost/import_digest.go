package wasmhost

import (
	"context"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// hostDigest is edgeftp.digest: algorithm, algorithm_len, out, out_cap.
func hostDigest(in *instance, mod api.Module, stack []uint64) {
	algorithm := guestBytes(mod, "digest: algorithm", stack[0], stack[1])
	out := guestBytes(mod, "digest: out", stack[2], stack[3])
	switch {
	case in.call.hook != abi.HookFS || in.call.services() == nil:
		fail64(stack, abi.ErrnoDenied)
		return
	case len(algorithm) == 0 || len(algorithm) > abi.MaxAlgorithm:
		fail64(stack, abi.ErrnoSize)
		return
	case strings.Trim(string(algorithm), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/") != "":
		fail64(stack, abi.ErrnoInvalid)
		return
	}
	var sum []byte
	err := in.request(digestTime, func(ctx context.Context) (err error) {
		sum, err = in.call.services().Digest(ctx, string(algorithm))
		return err
	})
	switch {
	case err != nil:
		fail64(stack, errno(err, abi.ErrnoIO))
	case len(sum) > len(out):
		fail64(stack, abi.ErrnoSize)
	default:
		result64(stack, int64(copy(out, sum)))
	}
}
