package wasmhost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/internal/fetch"
)

// Keys of the entries of a fetch's request and response (ABI §7, fetch).
const (
	fetchMethod  = 1
	fetchURL     = 2
	fetchHeader  = 3
	fetchBody    = 4
	fetchTimeout = 5
	fetchWant    = 6
)

// maxFetchRequest bounds a request's record: what its parts may have together.
const maxFetchRequest = abi.MaxFetchBody + abi.MaxFetchURL + (abi.MaxFetchHeaders+abi.MaxFetchWants)*(abi.MaxFetchHeader+8) + 64

// errFetchSize is the error of a part of a request that is too long.
var errFetchSize = errors.New("a part of the request is too long")

// hostFetch is edgeftp.fetch: request, request_len, out, out_cap. The response is
// never logged, nor is what the guest sent but for the host of a refused one.
func hostFetch(in *instance, mod api.Module, stack []uint64) {
	in.charge(costHeavy)
	raw := guestBytes(mod, "fetch: request", stack[0], stack[1])
	out := guestBytes(mod, "fetch: out", stack[2], stack[3])
	out = out[:min(len(out), abi.MaxFetchReply)]
	switch in.call.hook {
	case abi.HookAuth, abi.HookSite, abi.HookEvent, abi.HookCert:
	default:
		fail64(stack, abi.ErrnoDenied)
		return
	}
	req, wants, err := readFetch(raw)
	if err == nil {
		req.MaxBody = len(out) - fetchHead
		req.Permit = func(scheme, host string, port uint16) bool {
			return slices.ContainsFunc(in.policy.caps.origins, func(o origin) bool { return o.has(scheme, host, port) })
		}
		if req.MaxBody < 0 {
			err = errFetchSize
		}
	}
	if err != nil {
		fail64(stack, fetchErrno(err))
		return
	}
	var res *fetch.Response
	in.pause(func() { res, err = in.policy.caps.fetch.Do(in.call.ctx, req) })
	if err != nil {
		if errors.Is(err, fetch.ErrDenied) || errors.Is(err, fetch.ErrFailed) {
			in.policy.logLine(slog.LevelWarn, []byte("fetch: "+err.Error()))
		}
		fail64(stack, fetchErrno(err))
		return
	}
	n, ok := writeFetch(out, res, wants)
	if !ok {
		fail64(stack, abi.ErrnoSize)
		return
	}
	result64(stack, int64(n))
}

// fetchErrno gives an error of a fetch the number that the guest is told.
func fetchErrno(err error) abi.Errno {
	for _, e := range [...]struct {
		err   error
		errno abi.Errno
	}{
		{errFetchSize, abi.ErrnoSize}, {fetch.ErrLarge, abi.ErrnoSize}, {fetch.ErrRequest, abi.ErrnoInvalid},
		{fetch.ErrDenied, abi.ErrnoDenied}, {fetch.ErrBusy, abi.ErrnoBusy}, {fetch.ErrTimeout, abi.ErrnoTimeout},
	} {
		if errors.Is(err, e.err) {
			return e.errno
		}
	}
	return abi.ErrnoIO
}

// readFetch reads a request's record. What it returns is a copy: the memory is the
// guest's. The parts are judged by package fetch.
func readFetch(b []byte) (req *fetch.Request, wants []string, err error) {
	if len(b) > maxFetchRequest {
		return nil, nil, errFetchSize
	}
	req = &fetch.Request{}
	var seen [fetchWant + 1]int
	for len(b) > 0 {
		if len(b) < 8 {
			return nil, nil, fetch.ErrRequest
		}
		key, n := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		b = b[8:]
		if uint64(n) > uint64(len(b)) || key == 0 || key > fetchWant {
			return nil, nil, fetch.ErrRequest
		}
		if seen[key]++; seen[key] > 1 && key != fetchHeader && key != fetchWant {
			return nil, nil, fetch.ErrRequest
		}
		if wants, err = fetchPart(req, wants, key, b[:n]); err != nil {
			return nil, nil, err
		}
		b = b[n:]
	}
	switch {
	case seen[fetchURL] == 0:
		return nil, nil, fetch.ErrRequest
	case seen[fetchHeader] > abi.MaxFetchHeaders || seen[fetchWant] > abi.MaxFetchWants:
		return nil, nil, errFetchSize
	case seen[fetchMethod] == 0:
		req.Method = "GET"
	}
	return req, wants, nil
}

// fetchPart takes one entry of a request.
func fetchPart(req *fetch.Request, wants []string, key uint32, part []byte) ([]string, error) {
	limits := [fetchWant + 1]int{fetchMethod: 16, fetchURL: abi.MaxFetchURL, fetchHeader: abi.MaxFetchHeader,
		fetchBody: abi.MaxFetchBody, fetchTimeout: 4, fetchWant: abi.MaxFetchHeader}
	if len(part) > limits[key] {
		return nil, errFetchSize
	}
	switch key {
	case fetchMethod:
		req.Method = string(part)
	case fetchURL:
		req.URL = string(part)
	case fetchHeader:
		name, v, ok := bytes.Cut(part, []byte{0})
		if !ok {
			return nil, fetch.ErrRequest
		}
		req.Headers = append(req.Headers, fetch.Header{Name: string(name), Value: string(v)})
	case fetchBody:
		req.Body = bytes.Clone(part)
	case fetchTimeout:
		if len(part) != 4 || binary.LittleEndian.Uint32(part) == 0 {
			return nil, fetch.ErrRequest
		}
		req.Timeout = time.Duration(binary.LittleEndian.Uint32(part)) * time.Millisecond
	case fetchWant:
		if !fetch.IsToken(string(part)) {
			return nil, fetch.ErrRequest
		}
		wants = append(wants, strings.ToLower(string(part)))
	}
	return wants, nil
}

// fetchHead is what a response has beside its headers and the bytes of its body:
// the status and the head of BODY.
const fetchHead = 4 + 8

// writeFetch writes a response's record and returns its length, false if it does
// not fit.
func writeFetch(out []byte, res *fetch.Response, wants []string) (int, bool) {
	b := binary.LittleEndian.AppendUint32(nil, uint32(res.Status))
	headers := 0
	entry := func(key uint32, parts ...string) {
		n := 0
		for _, p := range parts {
			n += len(p)
		}
		b = binary.LittleEndian.AppendUint32(b, key)
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
		for _, p := range parts {
			b = append(b, p...)
		}
	}
	for _, h := range res.Headers {
		name := strings.ToLower(h.Name)
		if !slices.Contains(wants, name) {
			continue
		}
		headers++
		if len(name)+1+len(h.Value) > abi.MaxFetchHeader {
			return 0, false
		}
		entry(fetchHeader, name, "\x00", h.Value)
	}
	if headers > abi.MaxFetchHeaders || len(b)+8+len(res.Body) > len(out) {
		return 0, false
	}
	entry(fetchBody, string(res.Body))
	return copy(out, b), true
}
