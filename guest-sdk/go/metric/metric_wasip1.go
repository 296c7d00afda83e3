package metric

import "unsafe"

//go:wasmimport edgeftp metric
func hostMetric(name unsafe.Pointer, nameLen uint32, kind int32, v int64)

func send(name string, kind int32, v int64) {
	hostMetric(unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)), kind, v)
}
