package cert

import "github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"

//go:wasmexport edgeftp_cert
func export(n int32) int64 { return guest.The.Cert(n) }
