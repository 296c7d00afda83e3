package wasmhost

import (
	"encoding/binary"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// HostCall is one call that a guest made of the host, by value.
type HostCall struct {
	Import string // such as "kv_get" (ABI §7)
	// In are the arguments in the ABI's order, without where results go: a byte string
	// is a u32 length and the bytes (abi.NoValue alone for none), a number is an i64,
	// all little-endian. Of a string that is longer than the function takes there is the
	// beginning, with a byte too many. Nil is for what must not be kept: see [Exchange].
	In []byte
	// Result is what the function returned, 0 if it returns nothing.
	Result int64
	// Out are the bytes that it wrote for the guest, nil for none.
	Out []byte
}

// border describes the arguments of an import, one letter each: b bytes (address,
// length), v a value or none (the same), i an i32, l an i64, o a buffer (address,
// capacity), c the address of a counter's eight bytes, r bytes to fill (address,
// length). It is what lets a call be written down and answered without its function.
func border(name string) string {
	switch name {
	case abi.ImportLog:
		return "ib"
	case abi.ImportKVGet, abi.ImportStat, abi.ImportDigest, abi.ImportFetch:
		return "bo"
	case abi.ImportKVSet:
		return "bvl"
	case abi.ImportKVIncr:
		return "bllc"
	case abi.ImportKVCAS:
		return "bvvl"
	case abi.ImportMetric:
		return "bil"
	case abi.ImportRandom:
		return "r"
	case abi.ImportVerify:
		return "b"
	}
	return ""
}

// Units of fuel that the host's functions cost. One stands for about an
// instruction; work that is done elsewhere costs so much that one call of a guest
// can have some tens of it, whatever the clock says.
const (
	costBytes = 8         // bytes for one unit
	costKV    = 300       // a map and a lock
	costStat  = 10_000    // a look at the disk
	costHeavy = 2_000_000 // a verification, a digest, a fetch
)

// cost is what a call of an import costs, by its arguments alone.
func cost(name string, stack []uint64) int64 {
	switch name {
	case abi.ImportLog:
		return costKV + int64(size(stack, 2))/costBytes
	case abi.ImportKVGet, abi.ImportKVSet:
		return costKV + policy.MaxKVValue/costBytes
	case abi.ImportKVCAS:
		return costKV + 2*policy.MaxKVValue/costBytes
	case abi.ImportKVIncr, abi.ImportMetric:
		return costKV
	case abi.ImportRandom:
		return costKV + int64(min(size(stack, 1), abi.MaxRandom))
	case abi.ImportStat:
		return costStat
	case abi.ImportVerify, abi.ImportDigest, abi.ImportFetch:
		return costHeavy
	}
	return 0
}

// longest is how much of a byte string a function can take: what is longer it refuses
// or cuts, whatever it is.
func longest(name string, kind rune) int {
	switch name {
	case abi.ImportLog:
		return abi.MaxLog
	case abi.ImportMetric:
		return abi.MaxMetricName
	case abi.ImportVerify:
		return abi.MaxVerifyHash
	case abi.ImportStat:
		return abi.MaxPath
	case abi.ImportDigest:
		return abi.MaxAlgorithm
	case abi.ImportFetch:
		return maxFetchRequest
	}
	if kind == 'v' {
		return policy.MaxKVValue
	}
	return policy.MaxKVKey
}

// cross carries out a call of the host's, or has it answered by whoever tries the
// module, and writes it down where somebody wants to know.
func (in *instance) cross(f *hostFunction, mod api.Module, stack []uint64) {
	in.charge(cost(f.name, stack))
	tape, intercept := in.tape, in.policy.intercept
	if tape != nil && tape.bytes > maxTape {
		tape.lost++
		tape = nil
	}
	if tape == nil && intercept == nil {
		f.call(in, mod, stack)
		return
	}
	shape := border(f.name)
	c := HostCall{Import: f.name}
	var out []byte
	var ok bool
	var arena []byte
	if tape != nil {
		arena = tape.arena
	}
	if c.In, out, ok = arguments(arena[len(arena):], mod, f.name, shape, stack); !ok {
		f.call(in, mod, stack) // it says what is wrong, and ends the call
		return
	}
	answered := false
	if intercept != nil {
		own := c // here alone it must outlive the call: a watched call costs no memory
		if answered = intercept(in.call.ctx, &own); answered {
			give(&own, shape, out)
			result(f.typ, stack, own.Result)
		}
		c = own
	}
	if !answered {
		f.call(in, mod, stack)
		c.Result = resultOf(f.typ, stack)
		if n := written(shape, c.Result, len(out)); n > 0 {
			c.Out = append(c.In[len(c.In):], out[:n]...) // behind the arguments, where there is room
		}
	}
	if tape != nil {
		tape.calls = append(tape.calls, c)
		tape.bytes += len(c.In) + len(c.Out) + callSize
		tape.arena = c.In
		if len(c.Out) > 0 {
			tape.arena = c.Out
		}
	}
}

// arguments reads what a guest hands over into dst, which is empty and may have room,
// and finds where it wants what comes back. It is false for what the function does not
// take at all: bytes that the guest has not.
func arguments(dst []byte, mod api.Module, name, shape string, stack []uint64) (in, out []byte, ok bool) {
	in = dst
	le := binary.LittleEndian
	view := func(at int, n uint32) (b []byte) {
		if ok {
			b, ok = mod.Memory().Read(uint32(stack[at]), n)
		}
		return b
	}
	at := 0
	ok = true
	for _, kind := range shape {
		switch kind {
		case 'b', 'v':
			if kind == 'v' && uint32(stack[at+1]) == abi.NoValue {
				in = le.AppendUint32(in, abi.NoValue)
			} else {
				b := view(at, size(stack, at+1))
				b = b[:min(len(b), longest(name, kind)+1)]
				in = append(le.AppendUint32(in, uint32(len(b))), b...)
			}
			at++
		case 'i':
			in = le.AppendUint64(in, uint64(int64(int32(uint32(stack[at])))))
		case 'l':
			in = le.AppendUint64(in, stack[at])
		case 'o':
			out = view(at, size(stack, at+1))
			at++
		case 'c':
			out = view(at, 8)
		case 'r':
			in = le.AppendUint64(in, uint64(size(stack, at+1)))
			out = view(at, size(stack, at+1))
			ok = ok && size(stack, at+1) <= abi.MaxRandom
			at++
		}
		at++
	}
	return in, out, ok
}

// written is how many bytes a function wrote, by what it returned.
func written(shape string, result int64, room int) int {
	switch shape[len(shape)-1] {
	case 'r':
		return room
	case 'c':
		if result == 0 {
			return room
		}
	case 'o':
		if result > 0 && result <= int64(room) {
			return int(result)
		}
	}
	return 0
}

// give writes an answer that did not come from the host's own function. What does not
// fit is told as the function would tell it.
func give(c *HostCall, shape string, out []byte) {
	if len(c.Out) <= len(out) {
		copy(out, c.Out)
		return
	}
	if c.Out = nil; c.Import != abi.ImportKVGet {
		c.Result = int64(abi.ErrnoSize)
	}
}

// result puts the result of a function of the type where the guest finds it.
func result(typ string, stack []uint64, n int64) {
	switch {
	case strings.HasSuffix(typ, "i64"):
		result64(stack, n)
	case strings.HasSuffix(typ, "-> i32"):
		result32(stack, int32(n))
	}
}

// resultOf reads it.
func resultOf(typ string, stack []uint64) int64 {
	switch {
	case strings.HasSuffix(typ, "i64"):
		return int64(stack[0])
	case strings.HasSuffix(typ, "-> i32"):
		return int64(int32(uint32(stack[0])))
	}
	return 0
}
