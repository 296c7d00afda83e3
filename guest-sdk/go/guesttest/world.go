//go:build !wasip1

package guesttest

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	edgeftp "github.com/edgeftp/edgeftp/guest-sdk/go"
	"github.com/edgeftp/edgeftp/guest-sdk/go/fetch"
	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// World is what a policy finds in place of a server. Its maps are the test's to fill;
// the methods are safe for concurrent use.
type World struct {
	// KV are the values of package kv. They vanish by Now.
	KV *policy.MemKV
	// Now is the time of the world and of Meta, 1700000000 seconds since 1970 at first,
	// as in tests.json.
	Now time.Time
	// HTTP are the answers of package fetch by "METHOD URL". What is not here is
	// abi.ErrnoDenied, as a host that was not granted.
	HTTP map[string]Response
	// Files are what Stat and Digest find, by canonical virtual path.
	Files map[string]File
	// Hashes are the stored hashes that Verify finds to be those of the login's
	// password.
	Hashes map[string]bool

	tb       testing.TB
	mu       sync.Mutex
	random   *rand.ChaCha8
	lines    []Line
	metrics  map[string]int64
	requests []fetch.Request
}

// Response is an answer to a request of package fetch. A Status of 0 is 200.
type Response struct {
	Status int
	Header map[string]string // names in any case; the policy sees those that it wants
	Body   string
	Err    error // such as abi.ErrnoTimeout; then there is no response
}

// File is one file, or a directory if its Mode says so.
type File struct {
	Data string
	Mode fs.FileMode
	Time time.Time
}

// Line is one line of the log.
type Line struct {
	Level edgeftp.Level
	Text  string
}

// New makes an empty world for the rest of the test. There is one at a time: New fails
// the test beside another one, and panics in a parallel one.
func New(tb testing.TB) *World {
	tb.Helper()
	w := &World{Now: time.Unix(1_700_000_000, 0).UTC(), HTTP: map[string]Response{}, Files: map[string]File{},
		Hashes: map[string]bool{}, tb: tb, random: rand.NewChaCha8([32]byte{}), metrics: map[string]int64{}}
	w.KV = &policy.MemKV{Now: func() time.Time { return w.Now }}
	enter(tb, &guest.World{KV: w.KV, Log: w.log, Metric: w.metric, Random: w.fill, Fetch: w.fetch, Services: services{w}})
	return w
}

// enter makes it the world until the test ends.
func enter(tb testing.TB, w *guest.World) {
	tb.Helper()
	tb.Setenv("EDGEFTP_GUESTTEST", "1") // panics in a parallel test, and bars it from becoming one
	if !guest.Enter(w) {
		tb.Fatal("guesttest: there is a world already, of this test or of one around it")
	}
	tb.Cleanup(func() { guest.Leave(w) })
}

// Context is that of a question about the file at path, whose digest is asked for;
// an empty path is no file.
func (w *World) Context(path string) context.Context {
	return policy.WithServices(w.tb.Context(), services{w}.about(path))
}

// Meta is what every question has: a session of that user from 192.0.2.1:40000, and Now.
func (w *World) Meta(user string) policy.Meta {
	return policy.Meta{Request: 1, Time: w.Now, Session: &policy.Session{ID: 1, User: user, Root: "/",
		Peer: netip.MustParseAddrPort("192.0.2.1:40000"), Local: netip.MustParseAddrPort("192.0.2.2:21")}}
}

// Log returns the lines that were logged so far.
func (w *World) Log() []Line {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Line(nil), w.lines...)
}

// Metric returns the value of a counter or a gauge, 0 if there is none.
func (w *World) Metric(name string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.metrics[name]
}

// Requests returns what was asked by package fetch so far, whatever came of it.
func (w *World) Requests() []fetch.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]fetch.Request(nil), w.requests...)
}

func (w *World) log(level int32, msg string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, Line{edgeftp.Level(level), abi.Clean(msg, abi.MaxLog)})
}

func (w *World) metric(name string, kind int32, v int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if kind == abi.MetricCounter {
		v = w.metrics[name] + max(v, 0)
	}
	w.metrics[name] = v
}

func (w *World) fill(b []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.random.Read(b) // it never fails
}
