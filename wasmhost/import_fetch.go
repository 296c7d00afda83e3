package wasmhost

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
	"github.com/edgeftp/edgeftp/wasmhost/internal/fetch"
)

// maxFetchRequest bounds a request's record: what its parts may have together.
const maxFetchRequest = abi.MaxFetchBody + abi.MaxFetchURL + (abi.MaxFetchHeaders+abi.MaxFetchWants)*(abi.MaxFetchHeader+8) + 64

// fetchFrame is what a response has beside its fields and the bytes of its body:
// the status and the head of BODY.
const fetchFrame = 4 + 8

// hostFetch is edgeftp.fetch: request, request_len, out, out_cap. Nothing of the
// response is logged, nor of the request but the origin of one that was refused.
func hostFetch(in *instance, mod api.Module, stack []uint64) {
	raw := guestBytes(mod, "fetch: request", stack[0], stack[1])
	out := guestBytes(mod, "fetch: out", stack[2], stack[3])
	out = out[:min(len(out), abi.MaxFetchReply)]
	switch in.call.hook {
	case abi.HookAuth, abi.HookSite, abi.HookEvent, abi.HookCert:
	default:
		fail64(stack, abi.ErrnoDenied)
		return
	}
	if len(raw) > maxFetchRequest || len(out) < fetchFrame {
		fail64(stack, abi.ErrnoSize)
		return
	}
	asked, err := abi.DecodeFetchRequest(raw)
	if err != nil {
		fail64(stack, abi.ErrnoInvalid)
		return
	}
	carryOut := in.fetch
	if in.policy.world != nil {
		carryOut = in.fetchTried
	}
	n, err := carryOut(&asked, out)
	if err != nil {
		if errors.Is(err, fetch.ErrDenied) || errors.Is(err, fetch.ErrFailed) {
			in.remark("fetch: " + err.Error())
		}
		fail64(stack, fetchErrno(err))
		return
	}
	result64(stack, int64(n))
}

// fetch carries out a request and writes the response to out.
func (in *instance) fetch(asked *abi.FetchRequest, out []byte) (int, error) {
	req := &fetch.Request{Method: asked.Method, URL: asked.URL, Body: asked.Body, Timeout: asked.Timeout,
		MaxBody: max(len(out)-fetchFrame, 1), // 0 is no bound
		Permit: func(scheme, host string, port uint16) bool {
			return slices.ContainsFunc(in.policy.caps.origins, func(o origin) bool { return o.has(scheme, host, port) })
		}}
	if req.Method == "" {
		req.Method = "GET"
	}
	for _, f := range asked.Header {
		req.Headers = append(req.Headers, fetch.Header(f))
	}
	var got *fetch.Response
	err := in.request(fetch.MaxTimeout, func(ctx context.Context) (err error) {
		got, err = in.policy.caps.fetch.Do(ctx, req)
		return err
	})
	if err != nil {
		return 0, err
	}
	res := abi.FetchResponse{Status: got.Status, Body: got.Body}
	for _, h := range got.Headers {
		if slices.ContainsFunc(asked.Want, func(name string) bool { return strings.EqualFold(name, h.Name) }) {
			res.Header = append(res.Header, abi.FetchField{Name: strings.ToLower(h.Name), Value: h.Value})
		}
	}
	if len(res.Header) > abi.MaxFetchHeaders {
		return 0, fetch.ErrLarge
	}
	record, err := abi.AppendFetchResponse(nil, &res)
	if err != nil || len(record) > len(out) {
		return 0, fetch.ErrLarge
	}
	return copy(out, record), nil
}

// fetchTried is fetch in a trial, where the tests answer.
func (in *instance) fetchTried(asked *abi.FetchRequest, out []byte) (int, error) {
	scheme, host, port, err := fetch.Origin(asked.URL)
	if err != nil {
		return 0, err
	}
	if !slices.ContainsFunc(in.policy.caps.origins, func(o origin) bool { return o.has(scheme, host, port) }) {
		return 0, fmt.Errorf("%w: the manifest does not declare %s://%s:%d", fetch.ErrDenied, scheme, host, port)
	}
	res, err := in.policy.world.Fetch(asked)
	if err != nil {
		return 0, err
	}
	record, err := abi.AppendFetchResponse(nil, res)
	if err != nil || len(record) > len(out) {
		return 0, fetch.ErrLarge
	}
	return copy(out, record), nil
}

// fetchErrno gives an error of a fetch the number that the guest is told.
func fetchErrno(err error) abi.Errno {
	for _, e := range [...]struct {
		err   error
		errno abi.Errno
	}{
		{fetch.ErrLarge, abi.ErrnoSize}, {fetch.ErrRequest, abi.ErrnoInvalid}, {fetch.ErrDenied, abi.ErrnoDenied}, {cases.ErrUnlisted, abi.ErrnoDenied},
		{fetch.ErrBusy, abi.ErrnoBusy}, {fetch.ErrTimeout, abi.ErrnoTimeout}, {context.DeadlineExceeded, abi.ErrnoTimeout},
	} {
		if errors.Is(err, e.err) {
			return e.errno
		}
	}
	return abi.ErrnoIO
}
