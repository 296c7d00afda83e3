package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// ErrUnreachable says that no server answers on the socket.
var ErrUnreachable = errors.New("no edgeftp answers on the admin socket")

// Client talks to the admin socket at Path.
type Client struct{ Path string }

// Status asks for GET /v1/status.
func (c Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.do(ctx, http.MethodGet, "/v1/status", nil, &s)
}

// Swap sends a module.
func (c Client) Swap(ctx context.Context, name string, module []byte) (Policy, error) {
	var p Policy
	return p, c.do(ctx, http.MethodPost, "/v1/policies/"+url.PathEscape(name)+"/swap", module, &p)
}

// Rollback brings the previous module back.
func (c Client) Rollback(ctx context.Context, name string) (Policy, error) {
	var p Policy
	return p, c.do(ctx, http.MethodPost, "/v1/policies/"+url.PathEscape(name)+"/rollback", nil, &p)
}

// do makes one request. The error is a *Refusal when the server said no, and
// wraps ErrUnreachable when nobody answered.
func (c Client) do(ctx context.Context, method, path string, body []byte, into any) error {
	transport := &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", c.Path)
		}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://edgeftp"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/wasm")
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrUnreachable, c.Path, errors.Unwrap(err))
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrUnreachable, c.Path, err)
	}
	if res.StatusCode != http.StatusOK {
		var no struct{ Error *Refusal }
		if json.Unmarshal(text, &no) == nil && no.Error != nil {
			return no.Error
		}
		return fmt.Errorf("the server answered %s", res.Status)
	}
	return json.Unmarshal(text, into)
}
