package random

import "unsafe"

//go:wasmimport edgeftp random
func hostRandom(out unsafe.Pointer, n uint32)

func fill(b []byte) { hostRandom(unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))) }
