package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fetch"
	_ "github.com/edgeftp/edgeftp/guest-sdk/go/host"
	"github.com/edgeftp/edgeftp/guest-sdk/go/metric"
	"github.com/edgeftp/edgeftp/guest-sdk/go/random"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// call calls one import, by its place in abi.Imports.
func (m *mirror) call(ctx context.Context, in *input) string {
	n := int(in.byte())
	if n >= len(abi.Imports()) {
		return "unknown\n"
	}
	switch abi.Imports()[n].Name {
	case abi.ImportLog:
		level := in.int64()
		edgeftp.Log(edgeftp.Level(level), string(in.bytes()))
		return result(0, nil, nil)
	case abi.ImportMetric:
		name, kind, value := string(in.bytes()), in.int64(), in.int64()
		if int32(kind) == abi.MetricGauge {
			metric.Set(name, value)
		} else {
			metric.Add(name, value)
		}
		return result(0, nil, nil)
	case abi.ImportRandom:
		b := make([]byte, in.int64())
		random.Fill(b)
		return result(0, b, nil)
	case abi.ImportFetch:
		r, err := fetch.Do(&fetch.Request{Method: string(in.bytes()), URL: string(in.bytes()), Body: in.bytes()}, 0)
		if err != nil {
			return result(0, nil, err)
		}
		return result(int64(r.Status), r.Body, nil)
	case abi.ImportVerify:
		ok, err := policy.ServicesOf(ctx).Verify(ctx, string(in.bytes()))
		return result(truth(ok), nil, err)
	case abi.ImportStat:
		e, err := policy.ServicesOf(ctx).Stat(ctx, string(in.bytes()))
		return result(abi.EntrySize, abi.AppendStat(nil, &e), err)
	case abi.ImportDigest:
		sum, err := policy.ServicesOf(ctx).Digest(ctx, string(in.bytes()))
		return result(int64(len(sum)), sum, err)
	}
	return m.value(abi.Imports()[n].Name, in)
}

// value calls one import of kv.
func (m *mirror) value(name string, in *input) string {
	key := string(in.bytes())
	switch name {
	case abi.ImportKVGet:
		v, ok := m.kv.Get(key)
		if !ok {
			return result(0, nil, abi.ErrnoNotFound)
		}
		return result(int64(len(v)), v, nil)
	case abi.ImportKVSet:
		v, ttl := in.bytes(), in.int64()
		return result(0, nil, m.kv.Set(key, v, time.Duration(ttl)*time.Millisecond))
	case abi.ImportKVIncr:
		delta, ttl := in.int64(), in.int64()
		n, err := m.kv.Incr(key, delta, time.Duration(ttl)*time.Millisecond)
		return result(0, binary.LittleEndian.AppendUint64(nil, uint64(n)), err)
	}
	old, v, ttl := in.bytes(), in.bytes(), in.int64()
	ok, err := m.kv.CompareAndSwap(key, old, v, time.Duration(ttl)*time.Millisecond)
	return result(truth(ok), nil, err)
}

func truth(ok bool) int64 {
	if ok {
		return 1
	}
	return 0
}

// result tells what an import returned.
func result(n int64, out []byte, err error) string {
	if err != nil {
		return "result " + strconv.FormatInt(errno(err), 10) + "\n"
	}
	s := "result " + strconv.FormatInt(n, 10) + "\n"
	if len(out) > 0 {
		s += "out " + hex.EncodeToString(out) + "\n"
	}
	return s
}

// errno is the number of an error of the SDK, -100 for one that no import returns.
func errno(err error) int64 {
	var e abi.Errno
	switch {
	case errors.As(err, &e):
		return int64(e)
	case errors.Is(err, policy.ErrKVFull):
		return int64(abi.ErrnoFull)
	case errors.Is(err, policy.ErrKVSize):
		return int64(abi.ErrnoSize)
	case errors.Is(err, policy.ErrKVType):
		return int64(abi.ErrnoType)
	}
	return -100
}
