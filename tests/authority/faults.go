package authority

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"time"
)

// Body is what is wrong with the body of an answer. The zero value is nothing.
type Body uint8

// The wrong bodies.
const (
	HTML      Body = iota + 1 // a page for people, as a proxy in between has it
	Truncated                 // the first half of the document
)

// Fault is something that goes wrong with requests.
type Fault struct {
	At         []Endpoint    // where; empty: everywhere
	Times      int           // how many requests it meets; 0: all until Resume
	Delay      time.Duration // before the answer; Resume ends it
	Status     int           // of the answer, which is a problem document (RFC 7807); 0: the answer is the true one
	RetryAfter time.Duration // whole seconds; 0: is not sent
	Type       string        // of the problem, without urn:ietf:params:acme:error:; empty: what fits to Status
	Detail     string        // of the problem; empty: some words
	Body       Body
}

// Break makes requests meet the fault, instead of the one they met until now.
func (a *Authority) Break(fault Fault) {
	a.gate.down.Store(false)
	a.front.setFault(fault, true)
}

// Resume ends every fault.
func (a *Authority) Resume() {
	a.gate.down.Store(false)
	a.front.setFault(Fault{}, false)
}

// Down closes all connections, and new ones as soon as they are there.
func (a *Authority) Down() {
	a.front.setFault(Fault{}, false)
	a.gate.down.Store(true)
	a.server.CloseClientConnections()
}

// Refused is how many connections met Down.
func (a *Authority) Refused() int { return int(a.gate.refused.Load()) }

// Slow delays every answer.
func (a *Authority) Slow(d time.Duration, at ...Endpoint) { a.Break(Fault{At: at, Delay: d}) }

// Status answers with the code and a problem: 429 rateLimited, 5xx serverInternal, else
// unauthorized. A retryAfter of 0 is not sent.
func (a *Authority) Status(code int, retryAfter time.Duration, at ...Endpoint) {
	a.Break(Fault{At: at, Status: code, RetryAfter: retryAfter})
}

// Garbage answers with bodies that are none of the protocol's.
func (a *Authority) Garbage(body Body, at ...Endpoint) { a.Break(Fault{At: at, Body: body}) }

// Requests returns what the authority was asked, in that order.
func (a *Authority) Requests() []Request {
	a.front.mu.Lock()
	defer a.front.mu.Unlock()
	all := make([]Request, 0, len(a.front.requests))
	for _, r := range a.front.requests {
		all = append(all, *r)
	}
	return all
}

// Count is how many requests came to the endpoints, whatever the answer.
func (a *Authority) Count(at ...Endpoint) int {
	n := 0
	for _, r := range a.Requests() {
		if slices.Contains(at, r.Endpoint) {
			n++
		}
	}
	return n
}

// Orders is how many orders were accepted, of the names if there are any: each order
// counts that holds one of them.
func (a *Authority) Orders(names ...string) int {
	n := 0
	for _, r := range a.Requests() {
		if r.Endpoint == NewOrder && r.Status == http.StatusCreated && r.about(names) {
			n++
		}
	}
	return n
}

// Tried is like Orders, and counts the orders that were refused too.
func (a *Authority) Tried(names ...string) int {
	n := 0
	for _, r := range a.Requests() {
		if r.Endpoint == NewOrder && r.about(names) {
			n++
		}
	}
	return n
}

func (r *Request) about(names []string) bool {
	return len(names) == 0 || slices.ContainsFunc(r.Names, func(n string) bool { return slices.Contains(names, n) })
}

func (f *front) setFault(fault Fault, broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.broken = fault, broken
	close(f.mended)
	f.mended = make(chan struct{})
}

// refuse writes the answer that the fault has in place of the true one.
func (f *Fault) refuse(answer *httptest.ResponseRecorder) {
	if f.RetryAfter > 0 {
		answer.Header().Set("Retry-After", seconds(f.RetryAfter))
	}
	kind, detail := f.Type, f.Detail
	if kind == "" {
		kind = kindOf(f.Status)
	}
	if detail == "" {
		detail = "the test wants this to fail"
	}
	problem(answer, f.Status, kind, detail)
}

func kindOf(status int) string {
	switch {
	case status == http.StatusTooManyRequests:
		return "rateLimited"
	case status >= 500:
		return "serverInternal"
	}
	return "unauthorized"
}

// problem writes a problem document (RFC 8555 §6.7).
func problem(w http.ResponseWriter, status int, kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "urn:ietf:params:acme:error:" + kind, "detail": detail, "status": status,
	}) // to a buffer, which takes everything
}

// page is the answer of something that is no certificate authority.
func page(status int) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.WriteString("<!DOCTYPE html>\n<html><head><title>Please log in</title></head><body>The network wants to know you.</body></html>\n")
	return w
}

// gate is a listener that can be down.
type gate struct {
	net.Listener
	down    atomic.Bool
	refused atomic.Int64
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil || !g.down.Load() {
			return conn, err
		}
		g.refused.Add(1)
		_ = conn.Close()
	}
}
