package wasmhost

import (
	"context"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// hostVerify is edgeftp.pw_verify: hash, hash_len. The guest learns whether it is
// that of the password, and never the password.
func hostVerify(in *instance, mod api.Module, stack []uint64) {
	hash := guestBytes(mod, "pw_verify: hash", stack[0], stack[1])
	switch {
	case in.call.hook != abi.HookAuth || in.call.early || in.call.services() == nil:
		fail32(stack, abi.ErrnoDenied)
		return
	case len(hash) == 0 || len(hash) > abi.MaxVerifyHash:
		fail32(stack, abi.ErrnoSize)
		return
	}
	match := false
	err := in.request(verifyTime, func(ctx context.Context) (err error) {
		match, err = in.call.services().Verify(ctx, string(hash))
		return err
	})
	switch {
	case err != nil: // what has no other meaning is a hash that is none
		fail32(stack, errno(err, abi.ErrnoInvalid))
	case match:
		result32(stack, 1)
	default:
		result32(stack, 0)
	}
}
