package cmd

import "github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"

//go:wasmexport edgeftp_cmd
func export(n int32) int64 { return guest.The.Cmd(n) }
