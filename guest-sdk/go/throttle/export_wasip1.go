package throttle

import "github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"

//go:wasmexport edgeftp_throttle
func export(n int32) int64 { return guest.The.Throttle(n) }
