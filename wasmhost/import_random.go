package wasmhost

import (
	"errors"
	"io"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// hostRandom is edgeftp.random: out, len.
func hostRandom(in *instance, mod api.Module, stack []uint64) {
	n := size(stack, 1)
	if n > abi.MaxRandom {
		panic(errors.New("random: more bytes than one call gives")) // see bind
	}
	if _, err := io.ReadFull(in.policy.caps.random, guestBytes(mod, "random", stack[0], stack[1])); err != nil {
		panic(err) // see bind
	}
}
