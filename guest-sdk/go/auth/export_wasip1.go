package auth

import "github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"

//go:wasmexport edgeftp_auth
func export(n int32) int64 { return guest.The.Auth(n) }
