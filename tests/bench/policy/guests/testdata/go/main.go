// Write-once keeps what exists below /archive as it is. It uses no SDK and makes no
// garbage. Package guests builds it.
package main

import (
	"encoding/binary"
	"unsafe"
)

const (
	prefix = "/archive/"
	text   = "archive is write-once"
	ops    = 1<<4 | 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11
)

var box [32768]byte

//go:wasmexport edgeftp_abi_v1
func abi(int32, int64) int64 {
	return int64(len(box))<<32 | int64(uintptr(unsafe.Pointer(&box)))
}

//go:wasmexport edgeftp_fs
func fs(int32) int64 {
	op, flags := binary.LittleEndian.Uint16(box[6:]), binary.LittleEndian.Uint32(box[48:])
	if op > 31 || ops>>op&1 == 0 || flags&16 == 0 {
		return 0
	}
	off, n := binary.LittleEndian.Uint32(box[64:]), binary.LittleEndian.Uint32(box[68:])
	if path := box[off : off+n]; len(path) < len(prefix) || string(path[:len(prefix)]) != prefix {
		return 0
	}
	binary.LittleEndian.PutUint16(box[0:], 1) // TEXT
	binary.LittleEndian.PutUint16(box[2:], uint16(len(text)))
	copy(box[4:], text)
	return int64(len(text)+4)<<32 | 2<<16 // deny
}

func main() {}
