package control

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/sandbox"
)

// ErrUnreachable says that no server answers on the socket: there is none, or it
// does not speak with this user.
var ErrUnreachable = errors.New("no edgeftp answers on the admin socket")

// maxAnswer is how many bytes of an answer are read.
const maxAnswer = 16 << 20

// Client talks to the admin socket at Path. Its errors wrap [ErrUnreachable], are
// a [*Refusal], or say what else went wrong.
type Client struct {
	Path   string
	Reason string // why it asks, for the audit log; may be empty
}

// Status asks for GET /v1/status.
func (c Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.do(ctx, http.MethodGet, "/v1/status", nil, &s)
	return s, err
}

// Policies asks for GET /v1/policies.
func (c Client) Policies(ctx context.Context) ([]Policy, error) {
	var list []Policy
	err := c.do(ctx, http.MethodGet, "/v1/policies", nil, &list)
	return list, err
}

// Swap sends modules to be put in the place of policies.
func (c Client) Swap(ctx context.Context, s Swap) ([]Policy, error) {
	if len(s.Modules) != 1 {
		var list []Policy
		body, err := json.Marshal(s)
		if err == nil {
			err = c.send(ctx, request{method: http.MethodPost, path: "/v1/policies/swap", kind: "application/json", body: body}, &list)
		}
		return list, err
	}
	m := s.Modules[0]
	r := request{method: http.MethodPost, path: policyPath(m.Name, "swap"), kind: moduleType, body: m.Module, header: http.Header{}}
	if q := s.query(); len(q) > 0 {
		r.path += "?" + q.Encode()
	}
	if len(m.Signature) > 0 {
		r.header.Set(signatureHeader, base64.StdEncoding.EncodeToString(m.Signature))
	}
	if m.Source != "" {
		r.header.Set(sourceHeader, url.PathEscape(m.Source))
	}
	var p Policy
	err := c.send(ctx, r, &p)
	return []Policy{p}, err
}

func policyPath(name, what string) string { return "/v1/policies/" + url.PathEscape(name) + "/" + what }

// Promote puts the candidate of name in force for all.
func (c Client) Promote(ctx context.Context, name string) (Policy, error) {
	var p Policy
	err := c.do(ctx, http.MethodPost, policyPath(name, "promote"), nil, &p)
	return p, err
}

// Rollback ends the trial of name's candidate, or brings an earlier module back.
func (c Client) Rollback(ctx context.Context, name, to string) (Policy, error) {
	var p Policy
	path := policyPath(name, "rollback")
	if to != "" {
		path += "?to=" + url.QueryEscape(to)
	}
	err := c.do(ctx, http.MethodPost, path, nil, &p)
	return p, err
}

// History asks what a slot took.
func (c Client) History(ctx context.Context, name string) ([]Accepted, error) {
	var list []Accepted
	err := c.do(ctx, http.MethodGet, policyPath(name, "history"), nil, &list)
	return list, err
}

// Differences asks what the shadow of name answered otherwise.
func (c Client) Differences(ctx context.Context, name string) ([]Difference, error) {
	var list []Difference
	err := c.do(ctx, http.MethodGet, policyPath(name, "differences"), nil, &list)
	return list, err
}

// Confinement asks for GET /v1/sandbox.
func (c Client) Confinement(ctx context.Context) (sandbox.State, error) {
	var s sandbox.State
	err := c.do(ctx, http.MethodGet, "/v1/sandbox", nil, &s)
	return s, err
}

// Bandwidth asks for GET /v1/bandwidth.
func (c Client) Bandwidth(ctx context.Context) (Bandwidth, error) {
	var b Bandwidth
	err := c.do(ctx, http.MethodGet, "/v1/bandwidth", nil, &b)
	return b, err
}

// Limit changes a limit and returns those that are in force then.
func (c Client) Limit(ctx context.Context, l Limit) (Bandwidth, error) {
	var b Bandwidth
	body, err := json.Marshal(l)
	if err == nil {
		err = c.do(ctx, http.MethodPut, "/v1/bandwidth", body, &b)
	}
	return b, err
}

// request is one call of the server.
type request struct {
	method, path, kind string // kind is the media type of the body
	body               []byte
	header             http.Header
	also               int // a status beside 200 that has the answer
}

// do makes a request whose body, if it has one, is JSON.
func (c Client) do(ctx context.Context, method, path string, body []byte, into any) error {
	return c.send(ctx, request{method: method, path: path, kind: "application/json", body: body}, into)
}

// begin makes one request over a connection of its own, which done ends.
func (c Client) begin(ctx context.Context, r request) (res *http.Response, done func(), err error) {
	if err := CheckPath(c.Path); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	transport := &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", c.Path)
		}}
	req, err := http.NewRequestWithContext(ctx, r.method, "http://edgeftp"+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(req.Header, r.header)
	if c.Reason != "" {
		req.Header.Set(reasonHeader, c.Reason)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", r.kind)
	}
	res, err = (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		transport.CloseIdleConnections()
		return nil, nil, c.failed(ctx, err)
	}
	return res, func() {
		_ = res.Body.Close() // it was read, or it does not matter
		transport.CloseIdleConnections()
	}, nil
}

// send makes one request and reads its answer.
func (c Client) send(ctx context.Context, r request, into any) error {
	res, done, err := c.begin(ctx, r)
	if err != nil {
		return err
	}
	defer done()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return c.failed(ctx, err)
	}
	if res.StatusCode != http.StatusOK && (r.also == 0 || res.StatusCode != r.also) {
		return c.refused(res.Status, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the server on %s gave an answer that is no answer of edgeftp: %w", c.Path, err)
	}
	return nil
}

// refused reads an answer that is a refusal.
func (c Client) refused(status string, text []byte) error {
	var no struct{ Error *Refusal }
	if json.Unmarshal(text, &no) == nil && no.Error != nil {
		return no.Error
	}
	return fmt.Errorf("the server on %s answered %s, which is no answer of edgeftp", c.Path, status)
}

// failed words an error of the connection.
func (c Client) failed(ctx context.Context, err error) error {
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("%w %s: %w", ErrUnreachable, c.Path, op.Err)
	case ctx.Err() != nil:
		return fmt.Errorf("the server on %s did not answer in time: %w", c.Path, context.Cause(ctx))
	}
	// A server that does not speak with this user closes without a word.
	return fmt.Errorf("%w %s: the connection was closed; it serves only the server's own user and root, and those whom admin.group and admin.roles let in", ErrUnreachable, c.Path)
}
