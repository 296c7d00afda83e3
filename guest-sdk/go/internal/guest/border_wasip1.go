package guest

import (
	"syscall"
	"unsafe"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// exportABI is called once, before everything else but _initialize. The mailbox
// is a variable of the module, which Go never moves.
//
//go:wasmexport edgeftp_abi_v1
func exportABI(_ int32, _ int64) int64 {
	if The.configure == nil { // else it may still be about to export
		if text := The.unset(); text != "" {
			die(text)
		}
	}
	box := The.Mailbox()
	return int64(len(box))<<32 | int64(uintptr(unsafe.Pointer(&box[0])))
}

//go:wasmexport edgeftp_config
func exportConfig(n int32) int64 { return The.Config(n) }

// caught ends the instance of a policy that panicked with one line that leads with the
// author's file and line; the runtime's own words would be a screen of addresses.
func caught() {
	if v := recover(); v != nil {
		die(At("panic: " + spoken(v)))
	}
}

// refuse ends the start of the instance with the place of the call and the text.
func refuse(text string) { die(At(text)) }

// die ends the instance. What is on the standard error leads the host's error.
func die(text string) {
	print(text, "\n")
	syscall.Exit(2)
}

//go:wasmimport edgeftp log
func hostLog(level int32, ptr unsafe.Pointer, n uint32)

// Log hands one line to the host, which copies it.
func Log(level int32, msg string) {
	if len(msg) > abi.MaxLog {
		msg = msg[:abi.MaxLog+1] // one byte more, so that the host sees that it was cut
	}
	hostLog(level, unsafe.Pointer(unsafe.StringData(msg)), uint32(len(msg)))
}

// spoken is what somebody panicked with.
func spoken(v any) string {
	switch v := v.(type) {
	case error:
		return v.Error()
	case string:
		return v
	case interface{ String() string }:
		return v.String()
	}
	return "a value without words"
}
