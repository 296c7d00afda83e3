package event

import "github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"

//go:wasmexport edgeftp_event
func export(n int32) int64 { return guest.The.Event(n) }
