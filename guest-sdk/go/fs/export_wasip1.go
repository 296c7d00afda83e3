package fs

import "github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"

//go:wasmexport edgeftp_fs
func export(n int32) int64 { return guest.The.FS(n) }
