package wasmhost

import (
	"encoding/binary"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Keys and values are views of the guest's memory: a policy.KV copies what it
// keeps, and the guest stands still until the function returns.

// guestKey returns the key that a guest names, false if it has no valid length.
func guestKey(mod api.Module, stack []uint64) (string, bool) {
	b := guestBytes(mod, "kv: key", stack[0], stack[1])
	return string(b[:min(len(b), policy.MaxKVKey)]), len(b) > 0 && len(b) <= policy.MaxKVKey
}

// guestValue returns the value that a guest names: nil for none, never nil else.
// False stands for one that is too long.
func guestValue(mod api.Module, ptr, n uint64) ([]byte, bool) {
	if uint32(n) == abi.NoValue {
		return nil, true
	}
	b := guestBytes(mod, "kv: value", ptr, n)
	if len(b) == 0 {
		return []byte{}, true
	}
	return b, len(b) <= policy.MaxKVValue
}

// lifetime reads a ttl_ms. What is beyond a century is for ever.
func lifetime(ms uint64) time.Duration {
	const century = 100 * 365 * 24 * time.Hour
	if n := int64(ms); n > 0 && n <= int64(century/time.Millisecond) {
		return time.Duration(n) * time.Millisecond
	}
	return 0
}

// hostKVGet is edgeftp.kv_get: key, key_len, out, out_cap.
func hostKVGet(in *instance, mod api.Module, stack []uint64) {
	key, ok := guestKey(mod, stack)
	out := guestBytes(mod, "kv_get: out", stack[2], stack[3])
	if !ok {
		fail64(stack, abi.ErrnoSize)
		return
	}
	v, found := in.policy.caps.kv.Get(key)
	switch {
	case !found:
		fail64(stack, abi.ErrnoNotFound)
		return
	case len(v) <= len(out):
		copy(out, v)
	}
	result64(stack, int64(len(v)))
}

// hostKVSet is edgeftp.kv_set: key, key_len, value, value_len, ttl_ms.
func hostKVSet(in *instance, mod api.Module, stack []uint64) {
	key, ok := guestKey(mod, stack)
	v, fits := guestValue(mod, stack[2], stack[3])
	if !ok || !fits {
		fail32(stack, abi.ErrnoSize)
		return
	}
	fail32(stack, errno(in.policy.caps.kv.Set(key, v, lifetime(stack[4])), abi.ErrnoIO))
}

// hostKVIncr is edgeftp.kv_incr: key, key_len, delta, ttl_ms, out.
func hostKVIncr(in *instance, mod api.Module, stack []uint64) {
	key, ok := guestKey(mod, stack)
	out := guestBytes(mod, "kv_incr: out", stack[4], 8)
	if !ok {
		fail32(stack, abi.ErrnoSize)
		return
	}
	sum, err := in.policy.caps.kv.Incr(key, int64(stack[2]), lifetime(stack[3]))
	if err == nil {
		binary.LittleEndian.PutUint64(out, uint64(sum))
	}
	fail32(stack, errno(err, abi.ErrnoIO))
}

// hostKVCAS is edgeftp.kv_cas: key, key_len, old, old_len, new, new_len, ttl_ms.
func hostKVCAS(in *instance, mod api.Module, stack []uint64) {
	key, ok := guestKey(mod, stack)
	old, oldFits := guestValue(mod, stack[2], stack[3])
	v, fits := guestValue(mod, stack[4], stack[5])
	if !ok || !oldFits || !fits {
		fail32(stack, abi.ErrnoSize)
		return
	}
	swapped, err := in.policy.caps.kv.CompareAndSwap(key, old, v, lifetime(stack[6]))
	switch {
	case err != nil:
		fail32(stack, errno(err, abi.ErrnoIO))
	case swapped:
		result32(stack, 1)
	default:
		result32(stack, 0)
	}
}
