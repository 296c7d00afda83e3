package host

import "unsafe"

//go:wasmimport edgeftp stat
func importStat(path unsafe.Pointer, pathLen uint32, out unsafe.Pointer, outCap uint32) int64

//go:wasmimport edgeftp pw_verify
func importVerify(hash unsafe.Pointer, hashLen uint32) int32

//go:wasmimport edgeftp digest
func importDigest(algorithm unsafe.Pointer, algorithmLen uint32, out unsafe.Pointer, outCap uint32) int64

func hostStat(path string, out []byte) int64 {
	return importStat(unsafe.Pointer(unsafe.StringData(path)), uint32(len(path)), unsafe.Pointer(unsafe.SliceData(out)), uint32(len(out)))
}

func hostVerify(hash string) int32 {
	return importVerify(unsafe.Pointer(unsafe.StringData(hash)), uint32(len(hash)))
}

func hostDigest(algorithm string, out []byte) int64 {
	return importDigest(unsafe.Pointer(unsafe.StringData(algorithm)), uint32(len(algorithm)), unsafe.Pointer(unsafe.SliceData(out)), uint32(len(out)))
}
