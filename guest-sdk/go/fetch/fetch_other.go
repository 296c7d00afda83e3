//go:build !wasip1

package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// do sends the request as the server would, so that a policy's tests see the same.
func do(r *Request, limit int) (*Response, error) {
	if _, err := abi.AppendFetchRequest(nil, r); err != nil {
		return nil, err
	}
	if w := guest.Found(); w != nil {
		answer, err := w.Fetch(r)
		if err != nil {
			return nil, err
		}
		return fitting(answer, limit)
	}
	ctx := context.Background()
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Timeout)
		defer cancel()
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil || request.URL.Host == "" {
		return nil, abi.ErrnoInvalid
	}
	for _, f := range r.Header {
		request.Header.Add(f.Name, f.Value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return nil, errnoOf(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	if err != nil {
		return nil, errnoOf(err)
	}
	answer := &Response{Status: response.StatusCode, Body: body}
	for _, name := range r.Want {
		for _, v := range response.Header.Values(name) {
			answer.Header = append(answer.Header, Field{Name: strings.ToLower(name), Value: v})
		}
	}
	return fitting(answer, limit)
}

// fitting refuses a response that is too long, as the host does.
func fitting(answer *Response, limit int) (*Response, error) {
	wire, err := abi.AppendFetchResponse(nil, answer)
	if err != nil || len(wire) > limit {
		return nil, abi.ErrnoSize
	}
	return answer, nil
}

func errnoOf(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return abi.ErrnoTimeout
	}
	return abi.ErrnoIO
}
