package list

import "github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"

//go:wasmexport edgeftp_list
func export(n int32) int64 { return guest.The.List(n) }
