//go:build !wasip1

package host

import "github.com/edgeftp/edgeftp/wasmhost/abi"

func hostStat(string, []byte) int64 { return int64(abi.ErrnoDenied) }

func hostVerify(string) int32 { return int32(abi.ErrnoDenied) }

func hostDigest(string, []byte) int64 { return int64(abi.ErrnoDenied) }
