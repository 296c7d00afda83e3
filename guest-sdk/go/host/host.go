// Package host gives a guest what it may ask of the server while it answers: the
// facts of a path, whether a hash is that of the login's password, and digests.
// Importing it makes policy.ServicesOf work in a module:
//
//	import _ "github.com/edgeftp/edgeftp/guest-sdk/go/host"
//
// The module imports the functions of those methods that are called somewhere in
// it; they need the capabilities "fs.stat", "pw" and "digest" in its manifest, and
// grants (ABI §7, §8). Natively there is no server to ask.
package host

import (
	"context"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Services asks the host of the running module. The context of a call is not looked
// at: the deadline of the question ends it. Natively every method fails with
// abi.ErrnoDenied.
type Services struct{}

var _ policy.Services = Services{}

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

func init() { guest.The.SetServices(Services{}) }
