package fetch

import (
	"unsafe"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

//go:wasmimport edgeftp fetch
func hostFetch(request unsafe.Pointer, requestLen uint32, out unsafe.Pointer, outCap uint32) int64

func do(r *Request, limit int) (*Response, error) {
	request, err := abi.AppendFetchRequest(nil, r)
	if err != nil {
		return nil, err
	}
	out := make([]byte, limit)
	n := hostFetch(unsafe.Pointer(unsafe.SliceData(request)), uint32(len(request)), unsafe.Pointer(&out[0]), uint32(len(out)))
	switch {
	case n < 0:
		return nil, abi.Errno(n)
	case n > int64(len(out)):
		return nil, abi.ErrnoSize
	}
	response, err := abi.DecodeFetchResponse(out[:n])
	if err != nil {
		return nil, err
	}
	return &response, nil
}
