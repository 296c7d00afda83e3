package host

import (
	"context"
	"strings"
	"unsafe"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

//go:wasmimport edgeftp stat
func importStat(path unsafe.Pointer, pathLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport edgeftp pw_verify
func importVerify(hash unsafe.Pointer, hashLen uint32) int32

//go:wasmimport edgeftp digest
func importDigest(algorithm unsafe.Pointer, algorithmLen uint32, out unsafe.Pointer, outCap uint32) int64

func hostStat(path string, out []byte) int64 {
	return importStat(unsafe.Pointer(unsafe.StringData(path)), uint32(len(path)), unsafe.Pointer(unsafe.SliceData(out)), uint32(len(out)))
}

func hostVerify(hash string) int32 {
	return importVerify(unsafe.Pointer(unsafe.StringData(hash)), uint32(len(hash)))
}

func hostDigest(algorithm string, out []byte) int64 {
	return importDigest(unsafe.Pointer(unsafe.StringData(algorithm)), uint32(len(algorithm)), unsafe.Pointer(unsafe.SliceData(out)), uint32(len(out)))
}

// Stat implements policy.Services. Its errors are of package io/fs to errors.Is.
func (Services) Stat(_ context.Context, path string) (policy.Entry, error) {
	var b [abi.EntrySize]byte
	n := hostStat(path, b[:])
	if n < 0 {
		return policy.Entry{}, abi.Errno(n)
	}
	e, err := abi.DecodeStat(b[:min(int(n), len(b))])
	e.Name = path[strings.LastIndexByte(path, '/')+1:]
	return e, err
}

// Verify implements policy.Services.
func (Services) Verify(_ context.Context, hash string) (bool, error) {
	code := hostVerify(hash)
	if code < 0 {
		return false, abi.Errno(code)
	}
	return code == 1, nil
}

// Digest implements policy.Services.
func (Services) Digest(_ context.Context, algorithm string) ([]byte, error) {
	b := make([]byte, 128) // twice the longest one
	n := hostDigest(algorithm, b)
	switch {
	case n < 0:
		return nil, abi.Errno(n)
	case n > int64(len(b)):
		return nil, abi.ErrnoSize
	}
	return b[:n:n], nil
}
