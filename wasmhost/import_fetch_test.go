package wasmhost

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// directory is a server that a policy asks, with the number of its requests.
func directory(t *testing.T) (*httptest.Server, *atomic.Int64) {
	hits := new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Role", "staff")
		w.Header().Set("X-Other", "hidden")
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
		case "/big":
			_, _ = w.Write(make([]byte, abi.MaxFetchReply))
		case "/moved":
			http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
		default:
			w.WriteHeader(http.StatusTeapot)
			_, _ = fmt.Fprintf(w, "%s %s %s", r.Method, r.Header.Get("X-Key"), body)
		}
	}))
	t.Cleanup(s.Close)
	return s, hits
}

// fetcher is a guest that may fetch from the server.
func fetcher(t *testing.T, s *httptest.Server, out io.Writer) *caller {
	host := strings.TrimPrefix(s.URL, "http://")
	g := allGranted(newMemKV(), newMemSink())
	g.Fetch = FetchGrant{Allow: []string{s.URL, "http://127.0.0.1:1", "http://undeclared.example"}, Timeout: 200 * time.Millisecond}
	return newCaller(t, Config{Log: slog.New(slog.NewTextHandler(out, nil))},
		everything(host), g)
}

// fetch asks the guest for a fetch in a hook.
func (c *caller) fetch(h abi.Hook, r abi.FetchRequest, room uint64) (int64, error) {
	c.t.Helper()
	b, err := abi.AppendFetchRequest(nil, &r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(inAt, b)
	return c.call(c.t.Context(), h, fnFetch, inAt, uint64(len(b)), outAt, room)
}

func TestImportFetch(t *testing.T) {
	s, hits := directory(t)
	var out bytes.Buffer
	c := fetcher(t, s, &out)
	ask := abi.FetchRequest{Method: "POST", URL: s.URL + "/who", Header: []abi.FetchField{{Name: "X-Key", Value: "k"}},
		Body: []byte("anna"), Want: []string{"x-role", "x-none"}}
	want := abi.FetchResponse{Status: 418, Header: []abi.FetchField{{Name: "x-role", Value: "staff"}}, Body: []byte("POST k anna")}
	for _, h := range []abi.Hook{abi.HookAuth, abi.HookSite, abi.HookEvent, abi.HookCert} {
		n, err := c.fetch(h, ask, 4096)
		if err != nil || n <= 0 {
			t.Fatalf("%v: %d, %v", h, n, err)
		}
		got, err := abi.DecodeFetchResponse(c.read(outAt, uint32(n)))
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%v: %v %s", h, err, d)
		}
		// It fits exactly, and not into one byte less.
		if again, err := c.fetch(h, ask, uint64(n)); err != nil || again != n {
			t.Errorf("%v: %d, %v", h, again, err)
		}
		if short, err := c.fetch(h, ask, uint64(n)-1); err != nil || short != int64(abi.ErrnoSize) {
			t.Errorf("%v: %d, %v", h, short, err)
		}
	}
	if n, err := c.fetch(abi.HookAuth, abi.FetchRequest{URL: s.URL + "/moved"}, 4096); err != nil || n <= 0 || binary.LittleEndian.Uint32(c.read(outAt, 4)) != 301 {
		t.Errorf("a redirect: %d, %v", n, err)
	}
	before := hits.Load()
	for what, tt := range map[string]struct {
		h    abi.Hook
		r    abi.FetchRequest
		room uint64
		want abi.Errno
	}{
		"fs":            {abi.HookFS, ask, 4096, abi.ErrnoDenied},
		"list":          {abi.HookList, ask, 4096, abi.ErrnoDenied},
		"cmd":           {abi.HookCmd, ask, 4096, abi.ErrnoDenied},
		"throttle":      {abi.HookThrottle, ask, 4096, abi.ErrnoDenied},
		"undeclared":    {abi.HookAuth, abi.FetchRequest{URL: "http://undeclared.example/"}, 4096, abi.ErrnoDenied},
		"not granted":   {abi.HookAuth, abi.FetchRequest{URL: strings.Replace(s.URL, "http:", "https:", 1)}, 4096, abi.ErrnoDenied},
		"metadata":      {abi.HookAuth, abi.FetchRequest{URL: "http://169.254.169.254/"}, 4096, abi.ErrnoDenied},
		"refused":       {abi.HookAuth, abi.FetchRequest{URL: "http://127.0.0.1:1/"}, 4096, abi.ErrnoIO},
		"user":          {abi.HookAuth, abi.FetchRequest{URL: strings.Replace(s.URL, "//", "//x@", 1)}, 4096, abi.ErrnoInvalid},
		"scheme":        {abi.HookAuth, abi.FetchRequest{URL: "gopher://127.0.0.1:1/"}, 4096, abi.ErrnoInvalid},
		"no room":       {abi.HookAuth, ask, 11, abi.ErrnoSize},
		"no room at 0":  {abi.HookAuth, ask, 0, abi.ErrnoSize},
		"keep-alive":    {abi.HookAuth, abi.FetchRequest{URL: s.URL, Header: []abi.FetchField{{Name: "Keep-Alive", Value: "x"}}}, 4096, abi.ErrnoInvalid},
		"another port":  {abi.HookAuth, abi.FetchRequest{URL: "http://127.0.0.1:2/"}, 4096, abi.ErrnoDenied},
		"another form":  {abi.HookAuth, abi.FetchRequest{URL: "http://2130706433/"}, 4096, abi.ErrnoInvalid},
		"mapped":        {abi.HookAuth, abi.FetchRequest{URL: "http://[::ffff:127.0.0.1]:2/"}, 4096, abi.ErrnoDenied},
		"relative":      {abi.HookAuth, abi.FetchRequest{URL: "/who"}, 4096, abi.ErrnoInvalid},
		"fs, malformed": {abi.HookFS, abi.FetchRequest{URL: "x"}, 4096, abi.ErrnoDenied},
	} {
		if n, err := c.fetch(tt.h, tt.r, tt.room); err != nil || n != int64(tt.want) {
			t.Errorf("%s: %d, %v, want %d", what, n, err, tt.want)
		}
	}
	if n := hits.Load(); n != before {
		t.Errorf("%d of them arrived", n-before)
	}
	for _, says := range []string{"fetch: the origin is not allowed: http://169.254.169.254:80", "connection refused"} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("the log has no %q:\n%s", says, out.String())
		}
	}
	if strings.Contains(out.String(), "staff") || strings.Contains(out.String(), "anna") {
		t.Errorf("the log holds a request or a response:\n%s", out.String())
	}
}

func TestImportFetchMemory(t *testing.T) {
	s, hits := directory(t)
	c := fetcher(t, s, io.Discard)
	for _, bad := range [][]uint64{{memEnd - 1, 2, outAt, 100}, {inAt, 0xffffffff, outAt, 100}, {inAt, 10, memEnd - 1, 2}, {inAt, 10, 0xffffffff, 0xffffffff}} {
		c.traps(abi.HookAuth, fnFetch, bad...)
	}
	record := func(entries ...any) (b []byte) {
		for i := 0; i < len(entries); i += 2 {
			v := entries[i+1].(string)
			b = binary.LittleEndian.AppendUint32(b, uint32(entries[i].(int)))
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(v))), v...)
		}
		return b
	}
	lies := append(record(2, s.URL), 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
	for what, b := range map[string][]byte{
		"nothing":   nil,
		"cut":       record(2, s.URL)[:7],
		"lies":      lies,
		"unknown":   record(2, s.URL, 9, "x"),
		"twice":     record(2, s.URL, 2, s.URL),
		"no URL":    record(1, "GET"),
		"injection": record(2, s.URL, 3, "X-A\x00b\r\nX-B: c"),
		"no name":   record(2, s.URL, 3, "X-A: b"),
		"host":      record(2, s.URL, 3, "Host\x00evil.example"),
		"method":    record(1, "CONNECT", 2, s.URL),
	} {
		c.write(inAt, b)
		n, err := c.call(t.Context(), abi.HookAuth, fnFetch, inAt, uint64(len(b)), outAt, 4096)
		if err != nil || n != int64(abi.ErrnoInvalid) {
			t.Errorf("%s: %d, %v", what, n, err)
		}
	}
	if n, err := c.call(t.Context(), abi.HookAuth, fnFetch, 0, memEnd, outAt, 4096); err != nil || n != int64(abi.ErrnoInvalid) && n != int64(abi.ErrnoSize) {
		t.Errorf("the whole memory for a request: %d, %v", n, err)
	}
	if n, err := c.fetch(abi.HookAuth, abi.FetchRequest{URL: s.URL + "/big"}, memEnd-outAt); err != nil || n != int64(abi.ErrnoSize) {
		t.Errorf("a response beyond the buffer: %d, %v", n, err)
	}
	if hits.Load() != 1 {
		t.Errorf("%d requests arrived", hits.Load())
	}
}

func TestImportFetchTime(t *testing.T) {
	s, _ := directory(t)
	c := fetcher(t, s, io.Discard)
	if n, err := c.fetch(abi.HookAuth, abi.FetchRequest{URL: s.URL + "/slow"}, 4096); err != nil || n != int64(abi.ErrnoTimeout) {
		t.Errorf("a slow server: %d, %v", n, err)
	}
	if n, err := c.fetch(abi.HookEvent, abi.FetchRequest{URL: s.URL + "/slow", Timeout: 5 * time.Millisecond}, 4096); err != nil || n != int64(abi.ErrnoTimeout) {
		t.Errorf("its own time: %d, %v", n, err)
	}
	// The client that is gone does not wait, and the instance is kept.
	ctx, cancel := context.WithCancel(t.Context())
	closed := c.p.Stats().Closed
	stop := time.AfterFunc(20*time.Millisecond, cancel)
	defer stop.Stop()
	b, err := abi.AppendFetchRequest(nil, &abi.FetchRequest{URL: s.URL + "/slow"})
	if err != nil {
		t.Fatal(err)
	}
	c.write(inAt, b)
	if n, err := c.call(ctx, abi.HookAuth, fnFetch, inAt, uint64(len(b)), outAt, 4096); err != nil || n >= 0 {
		t.Errorf("a client that went away: %d, %v", n, err)
	}
	if now := c.p.Stats().Closed; now != closed {
		t.Errorf("it cost %d instances", now-closed)
	}
}

// TestWaitsAreBounded holds that many short waits are not a long one.
func TestWaitsAreBounded(t *testing.T) {
	c := newCaller(t, Config{}, everything(), allGranted(newMemKV(), newMemSink()))
	in := c.guest()
	in.enter(t.Context(), abi.HookAuth, false, nil)
	defer in.leave()
	in.meter.paused = waitTime(abi.HookAuth) - 50*time.Millisecond
	err := in.request(time.Minute, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if errno(err, 0) != abi.ErrnoTimeout {
		t.Errorf("the last of the time: %v", err)
	}
	err = in.request(time.Minute, func(context.Context) error { t.Error("it ran all the same"); return nil })
	if errno(err, 0) != abi.ErrnoTimeout || fetchErrno(err) != abi.ErrnoTimeout {
		t.Errorf("beyond it: %v", err)
	}
}

// TestHeavyCallsCostFuel holds that a loop of verifications is bounded by fuel, not
// by the clock alone.
func TestHeavyCallsCostFuel(t *testing.T) {
	manifest := strings.Replace(everything(), "{", `{"limits":{"fuel":1000000},`, 1)
	c := newCaller(t, Config{}, manifest, allGranted(newMemKV(), newMemSink()))
	for fn, want := range map[int]Cause{fnVerify: CauseFuel, fnDigest: CauseFuel, fnFetch: CauseFuel, fnStat: 0, fnKVGet: 0} {
		_, err := c.call(t.Context(), abi.HookFS, fn, inAt, 1, outAt, 100)
		var fault *CallError
		if errors.As(err, &fault); (err != nil) != (want != 0) || want != 0 && (fault == nil || fault.Cause != want) {
			t.Errorf("function %d: got %v, want %v", fn, err, want)
		}
	}
}

// TestFetchDNS gives the guest's host a second meaning.
func TestFetchDNS(t *testing.T) {
	s, hits := directory(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	inside := func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	origin := "http://api.example.com:" + port
	for _, private := range []bool{false, true} {
		g := allGranted(newMemKV(), newMemSink())
		g.Fetch = FetchGrant{Allow: []string{origin, "http://127.0.0.1:1"}, Resolve: inside}
		arrive := int64(0)
		if private {
			g.Fetch, arrive = FetchGrant{Allow: []string{"http://127.0.0.1:1"}, Private: []string{origin}, Resolve: inside}, 1
		}
		c := newCaller(t, Config{}, everything("api.example.com:"+port), g)
		n, err := c.fetch(abi.HookAuth, abi.FetchRequest{URL: origin + "/x"}, 4096)
		if err != nil || private != (n > 0) || !private && n != int64(abi.ErrnoDenied) || hits.Load() != arrive {
			t.Errorf("private %v: %d, %v, %d arrived", private, n, err, hits.Load())
		}
	}
}

// TestPasswordNeedsBoth holds the password back from all but who declares it and is
// granted it.
func TestPasswordNeedsBoth(t *testing.T) {
	for _, tt := range []struct {
		manifest string
		granted  bool
		seen     bool
	}{{`{}`, true, false}, {`{"capabilities":["password"]}`, true, true}, {`{"capabilities":["pw"]}`, true, false}} {
		p := loadModule(t, newHost(t, Config{}), declaring(testModule(t, "early"), tt.manifest), LoadOptions{Grant: Grant{Password: tt.granted, Verify: true}})
		got, err := p.Hooks().Authenticator.Authenticate(t.Context(), &policy.Login{Meta: policy.Meta{Session: &policy.Session{ID: 1}}, Password: "secret"})
		if err != nil || (got.Verdict == policy.Deny) != tt.seen {
			t.Errorf("%s: got %v, %v", tt.manifest, got.Verdict, err)
		}
	}
}
