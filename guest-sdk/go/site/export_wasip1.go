package site

import "github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"

//go:wasmexport edgeftp_site
func export(n int32) int64 { return guest.The.Site(n) }
