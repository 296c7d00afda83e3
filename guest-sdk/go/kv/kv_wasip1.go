package kv

import (
	"time"
	"unsafe"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

//go:wasmimport edgeftp kv_get
func hostGet(key unsafe.Pointer, keyLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport edgeftp kv_set
func hostSet(key unsafe.Pointer, keyLen uint32, value unsafe.Pointer, valueLen uint32, ttl int64) int32

//go:wasmimport edgeftp kv_incr
func hostIncr(key unsafe.Pointer, keyLen uint32, delta, ttl int64, out unsafe.Pointer) int32

//go:wasmimport edgeftp kv_cas
func hostCAS(key unsafe.Pointer, keyLen uint32, old unsafe.Pointer, oldLen uint32, value unsafe.Pointer, valueLen uint32, ttl int64) int32

func open() policy.KV { return space{} }

// space is the one space of a module: all of it is the host's.
type space struct{}

// Get implements policy.KV.
func (space) Get(key string) ([]byte, bool) {
	b := make([]byte, policy.MaxKVValue)
	n := hostGet(unsafe.Pointer(unsafe.StringData(key)), uint32(len(key)), unsafe.Pointer(&b[0]), uint32(len(b)))
	if n < 0 || n > int64(len(b)) {
		return nil, false
	}
	return b[:n:n], true
}

// Set implements policy.KV.
func (space) Set(key string, value []byte, ttl time.Duration) error {
	if len(value) > policy.MaxKVValue {
		return policy.ErrKVSize
	}
	p, n := wire(value)
	return errorOf(hostSet(unsafe.Pointer(unsafe.StringData(key)), uint32(len(key)), p, n, millis(ttl)))
}

// Incr implements policy.KV.
func (space) Incr(key string, delta int64, ttl time.Duration) (int64, error) {
	var sum int64
	code := hostIncr(unsafe.Pointer(unsafe.StringData(key)), uint32(len(key)), delta, millis(ttl), unsafe.Pointer(&sum))
	return sum, errorOf(code)
}

// CompareAndSwap implements policy.KV.
func (space) CompareAndSwap(key string, old, value []byte, ttl time.Duration) (bool, error) {
	if len(value) > policy.MaxKVValue {
		return false, policy.ErrKVSize
	}
	if len(old) > policy.MaxKVValue {
		return false, nil // no value is as long
	}
	po, no := wire(old)
	pv, nv := wire(value)
	code := hostCAS(unsafe.Pointer(unsafe.StringData(key)), uint32(len(key)), po, no, pv, nv, millis(ttl))
	return code == 1, errorOf(code)
}

// wire is where a value lies and its length, that of no value for nil.
func wire(b []byte) (unsafe.Pointer, uint32) {
	if b == nil {
		return nil, abi.NoValue
	}
	return unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))
}

// millis is a time to live in whole milliseconds, rounded up.
func millis(ttl time.Duration) int64 {
	if ttl <= 0 {
		return 0
	}
	return int64((ttl-1)/time.Millisecond) + 1
}

// errorOf is the error of a result, one of edge/policy where there is one.
func errorOf(code int32) error {
	switch e := abi.Errno(code); {
	case code >= 0:
		return nil
	case e == abi.ErrnoFull:
		return policy.ErrKVFull
	case e == abi.ErrnoSize:
		return policy.ErrKVSize
	case e == abi.ErrnoType:
		return policy.ErrKVType
	default:
		return e
	}
}
