package data

import "github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"

//go:wasmexport edgeftp_data
func export(n int32) int64 { return guest.The.Data(n) }
