package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/ports"
)

// receiver answers as it is told, request by request, and then 204.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer []func(http.ResponseWriter, *http.Request)
	ids    []string // of all requests
	bodies []string
	fields []http.Header
}

func receive(t *testing.T, answer ...func(http.ResponseWriter, *http.Request)) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	text, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	r.ids, r.bodies, r.fields = append(r.ids, q.Header.Get(HeaderID)), append(r.bodies, string(text)), append(r.fields, q.Header)
	n := len(r.ids) - 1
	r.mu.Unlock()
	if n < len(r.answer) && r.answer[n] != nil {
		r.answer[n](w, q)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ids)
}

func status(code int, fields ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(fields); i += 2 {
			w.Header().Set(fields[i], fields[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, "the-receivers-words")
	}
}

const (
	secret = "s3cret-s3cret-s3cret"
	token  = "Bearer t0ken-t0ken"
)

func hook(t *testing.T, r *receiver, change ...func(*Config)) *Hook {
	t.Helper()
	c := Config{Name: "webhook@x", URL: r.URL + "/in/p4th-secret?k=v", Secret: secret, Headers: map[string]string{"Authorization": token}, Private: true, Instance: "edge-1", Version: "edgeftp/test"}
	for _, f := range change {
		f(&c)
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func event(path string) *policy.Event {
	return &policy.Event{Meta: policy.Meta{Session: &policy.Session{ID: 7, User: "anna", Peer: netip.MustParseAddrPort("192.0.2.7:5000")}, Request: 3, Time: time.Now()},
		Kind: policy.EventFileReceived, Path: path, Size: 10, Took: time.Second, Code: 226}
}

// later is when events are to be handed over again.
func later(t *testing.T, err error) time.Duration {
	t.Helper()
	var l *policy.Later
	if !errors.As(err, &l) {
		t.Fatalf("%v is no policy.Later", err)
	}
	for _, s := range []string{secret, token, "p4th-secret", "the-receivers-words"} {
		if strings.Contains(err.Error(), s) {
			t.Errorf("the error gives away %q: %v", s, err)
		}
	}
	return l.After
}

// TestPost holds what a receiver is sent: the form of the event log with an identity, and
// a signature that can be verified.
func TestPost(t *testing.T) {
	r := receive(t)
	h := hook(t, r)
	n, err := h.ObserveAll(t.Context(), []*policy.Event{event("/a"), event("/\x1b[2J\"é")})
	if n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	for i, body := range r.bodies {
		f := r.fields[i]
		var got struct{ ID, Instance, Event, Path, User, Remote string }
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if got.ID != f.Get(HeaderID) || len(got.ID) != 32 || got.Instance != "edge-1" || got.Event != "file_received" || got.Path != []string{"/a", "/\x1b[2J\"é"}[i] || got.User != "anna" {
			t.Errorf("%s", body)
		}
		if err := Verify(secret, f.Get(HeaderTime), f.Get(HeaderSignature), []byte(body), time.Now(), time.Minute); err != nil {
			t.Error(err)
		}
		if f.Get("Content-Type") != "application/json" || f.Get("Authorization") != token || f.Get("User-Agent") != "edgeftp/test" {
			t.Errorf("%v", f)
		}
		if strings.Contains(body, "\x1b") || strings.Contains(body, "\n") {
			t.Errorf("%q could steer a terminal", body)
		}
	}
	if st := h.Status(); st.Delivered != 2 || st.Success.IsZero() || st.Error != "" {
		t.Errorf("%+v", st)
	}
	if r.ids[0] == r.ids[1] {
		t.Error("two events have one identity")
	}
	unsigned := hook(t, r, func(c *Config) { c.Secret, c.Instance = "", "" })
	if err := unsigned.Observe(t.Context(), event("/b")); err != nil || r.fields[2].Get(HeaderSignature) != "" || strings.Contains(r.bodies[2], "instance") {
		t.Errorf("%v %v %s", err, r.fields[2], r.bodies[2])
	}
}

func TestVerify(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	// The signature was made by openssl dgst -sha256 -hmac.
	const body, stamp, made = `{"id":"x"}`, "1800000000", "v1=cc4a461f71b21229de3ee6440d476ffef0b457f706a750e452af6e06a486e03c"
	sig := Sign("key", stamp, []byte(body))
	if sig != made {
		t.Errorf("%s, want %s", sig, made)
	}
	if err := Verify("key", stamp, sig, []byte(body), now, time.Minute); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"body": Verify("key", stamp, sig, []byte(body+" "), now, time.Minute), "key": Verify("kez", stamp, sig, []byte(body), now, time.Minute),
		"time": Verify("key", "1800000001", sig, []byte(body), now, time.Minute), "scheme": Verify("key", stamp, sig[3:], []byte(body), now, time.Minute)} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("another %s: %v", what, err)
		}
	}
	if err := Verify("key", stamp, sig, []byte(body), now.Add(2*time.Minute), time.Minute); !errors.Is(err, ErrTime) {
		t.Errorf("too old: %v", err)
	}
}

// TestFails: a receiver that fails for a while gets the same event under the same identity,
// later and later, and then what came behind it, in order.
func TestFails(t *testing.T) {
	r := receive(t, status(500), status(502), nil)
	h := hook(t, r)
	all := []*policy.Event{event("/a"), event("/b")}
	n, err := h.ObserveAll(t.Context(), all)
	if first := later(t, err); n != 0 || first < pauseFirst/2 || first > pauseFirst {
		t.Errorf("%d, after %v", n, first)
	}
	n, err = h.ObserveAll(t.Context(), all)
	if second := later(t, err); n != 0 || second < pauseFirst || second > 2*pauseFirst {
		t.Errorf("%d, after %v", n, second)
	}
	if st := h.Status(); st.Failed != 2 || st.Error != "the receiver answered 502 Bad Gateway" || st.Next.IsZero() {
		t.Errorf("%+v", st)
	}
	if n, err = h.ObserveAll(t.Context(), all); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if want := []string{r.ids[0], r.ids[0], r.ids[0], r.ids[3]}; !slices.Equal(r.ids, want) || r.ids[3] == r.ids[0] {
		t.Errorf("%v", r.ids)
	}
	if st := h.Status(); st.Delivered != 2 || st.Error != "" || !st.Next.IsZero() {
		t.Errorf("%+v", st)
	}
}

// TestAnswers holds what becomes of an event by the receiver's answer.
func TestAnswers(t *testing.T) {
	for code, final := range map[int]bool{200: false, 202: false, 301: false, 307: false, 400: true, 401: true, 404: true, 408: false, 410: true, 413: true, 425: false, 429: false, 500: false, 503: false} {
		r := receive(t, status(code, "Location", "http://127.0.0.1:1/elsewhere"))
		var gone string
		h := hook(t, r, func(c *Config) { c.GaveUp = func(n uint64, why string) { gone = why } })
		err := h.Observe(t.Context(), event("/a"))
		st := h.Status()
		switch {
		case code < 300:
			if err != nil || st.Delivered != 1 {
				t.Errorf("%d: %v %+v", code, err, st)
			}
		case final:
			if err != nil || st.GivenUp != 1 || !strings.Contains(gone, "the receiver answered") {
				t.Errorf("%d: %v %+v %q", code, err, st, gone)
			}
		default:
			if later(t, err); st.GivenUp != 0 || gone != "" {
				t.Errorf("%d: %+v", code, st)
			}
		}
		if r.requests() != 1 {
			t.Errorf("%d: %d requests", code, r.requests())
		}
	}
}

// TestRetryAfter: a receiver says when, within bounds.
func TestRetryAfter(t *testing.T) {
	r := receive(t, status(429, "Retry-After", "90"), status(503, "Retry-After", "999999"), status(503, "Retry-After", "soon"), status(500, "Retry-After", "90"))
	h := hook(t, r)
	for i, want := range [][2]time.Duration{{90 * time.Second, 90 * time.Second}, {time.Hour, time.Hour}, {0, 4 * time.Second}, {0, 8 * time.Second}} {
		if got := later(t, h.Observe(t.Context(), event("/a"))); got < want[0] || got > want[1] {
			t.Errorf("%d: after %v", i, got)
		}
	}
	now := time.Now()
	if got := retryAfter(now.Add(time.Minute).UTC().Format(http.TimeFormat), now); got < 58*time.Second || got > time.Minute {
		t.Errorf("a date: %v", got)
	}
	if got := retryAfter("-5", now); got != 0 {
		t.Errorf("the past: %v", got)
	}
}

func TestPause(t *testing.T) {
	for fails := range 100 {
		if low, high := pause(fails, 1), pause(fails, 0); low < high/2 || high > pauseMost || high < pauseFirst {
			t.Errorf("%d: %v to %v", fails, low, high)
		}
	}
	if pause(5, 0) != 16*time.Second || pause(50, 0) != pauseMost {
		t.Error(pause(5, 0), pause(50, 0))
	}
}

// TestTooOld: what has become too old is given up, and that is told once a minute.
func TestTooOld(t *testing.T) {
	r := receive(t, status(500))
	var told []uint64
	h := hook(t, r, func(c *Config) { c.Retry, c.GaveUp = time.Hour, func(n uint64, _ string) { told = append(told, n) } })
	old := event("/a")
	old.Time = time.Now().Add(-2 * time.Hour)
	if n, err := h.ObserveAll(t.Context(), []*policy.Event{old, old, old}); n != 3 || err != nil || r.requests() != 0 || !slices.Equal(told, []uint64{1}) {
		t.Errorf("%d, %v, told %v", n, err, told)
	}
	h.told = h.told.Add(-tellEvery)
	if err := h.Observe(t.Context(), old); err != nil || !slices.Equal(told, []uint64{1, 3}) {
		t.Errorf("%v, told %v", err, told)
	}
	near := event("/b")
	near.Time = time.Now().Add(-time.Hour + 100*time.Millisecond)
	if after := later(t, h.Observe(t.Context(), near)); after > 100*time.Millisecond {
		t.Errorf("it is given up late: after %v", after)
	}
}

// TestSelf: that its own events were given up, a hook is not told.
func TestSelf(t *testing.T) {
	r := receive(t)
	h := hook(t, r)
	e := event("/")
	e.Kind, e.Policy = policy.EventWebhookFailed, "webhook@x"
	if err := h.Observe(t.Context(), e); err != nil || r.requests() != 0 {
		t.Errorf("%v, %d requests", err, r.requests())
	}
	e.Policy = "webhook@y"
	if err := h.Observe(t.Context(), e); err != nil || r.requests() != 1 {
		t.Errorf("%v, %d requests", err, r.requests())
	}
}

// TestSlow: a receiver that does not answer costs its time and no more, and whoever ends
// the server need not wait for it.
func TestSlow(t *testing.T) {
	goOn := make(chan struct{})
	stay := func(http.ResponseWriter, *http.Request) { <-goOn }
	r := receive(t, stay, stay)
	t.Cleanup(func() { close(goOn) })
	h := hook(t, r, func(c *Config) { c.Timeout = 50 * time.Millisecond })
	err := h.Observe(t.Context(), event("/a"))
	if later(t, err); !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Error(err)
	}
	h = hook(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	stop := time.AfterFunc(20*time.Millisecond, cancel)
	defer stop.Stop()
	if err := h.Observe(ctx, event("/a")); !errors.Is(err, errInterrupted) {
		t.Error(err)
	}
	if st := h.Status(); st.Failed != 0 {
		t.Errorf("the end of the server is the receiver's failure: %+v", st)
	}
}

// TestKilled: a receiver that goes away in the middle, or was never there, or talks
// something else, is asked again.
func TestKilled(t *testing.T) {
	cut := func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = buf.WriteString("HTTP/1.1 2")
			_ = buf.Flush()
			_ = conn.Close()
		}
	}
	r := receive(t, cut, func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = buf.WriteString("the-receivers-words\r\n\r\n")
			_ = buf.Flush()
			_ = conn.Close()
		}
	}, status(200))
	h := hook(t, r)
	later(t, h.Observe(t.Context(), event("/a")))
	later(t, h.Observe(t.Context(), event("/a")))
	if err := h.Observe(t.Context(), event("/a")); err != nil {
		t.Error(err)
	}
	r.Server.Close()
	err := h.Observe(t.Context(), event("/a"))
	if later(t, err); !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}

// TestLargeAnswer: an answer without an end holds nobody up.
func TestLargeAnswer(t *testing.T) {
	r := receive(t, func(w http.ResponseWriter, q *http.Request) {
		for q.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	if err := hook(t, r).Observe(t.Context(), event("/a")); err != nil {
		t.Error(err)
	}
}

// TestWhere holds where requests may go, whatever a name resolves to when it is dialled.
func TestWhere(t *testing.T) {
	for _, c := range []struct {
		url     string
		private bool
		to      string // what the name leads to
		denied  bool
	}{
		{"https://hooks.example/", false, "127.0.0.1", true},
		{"https://hooks.example/", false, "10.0.0.1", true},
		{"https://hooks.example/", true, "169.254.169.254", true},
		{"https://hooks.example/", true, "fe80::1", true},
		{"http://hooks.example/", true, "93.184.216.34", true},
		{"https://hooks.example/", true, "127.0.0.1", false},
		{"http://hooks.example/", true, "127.0.0.1", false},
	} {
		h, err := New(Config{URL: c.url[:len(c.url)-1] + ":1/", Private: c.private, Timeout: 5 * time.Second,
			Resolve: func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr(c.to)}, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		err = h.Observe(t.Context(), event("/a"))
		if later(t, err); strings.Contains(err.Error(), "is not allowed") != c.denied {
			t.Errorf("%s to %s: %v", c.url, c.to, err)
		}
		_ = h.Close()
	}
}

func TestCheck(t *testing.T) {
	for _, good := range []string{"https://hooks.example.org/x", "https://hooks.example.org:8443/?q", "https://93.184.216.34/"} {
		if err := Check(good, false); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "x", "ftp://a/", "https://", "https://u:p@a.example/", "https://a.example/#x", "http://a.example/", "https://127.0.0.1/", "https://[::1]/",
		"https://a.example:0/", "https://a.example:99999/", "https://a.example/\nx", "https://169.254.169.254/"} {
		if err := Check(bad, false); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if Check("https://169.254.169.254/", true) == nil || Check("http://93.184.216.34/", true) == nil || Check("http://127.0.0.1:1/", true) != nil {
		t.Error("a private webhook")
	}
	for name, value := range map[string]string{"": "x", "A B": "x", "Host": "x", "idempotency-key": "x", "X": "a\r\nb", "Proxy-X": "y"} {
		if CheckHeader(name, value) == nil {
			t.Errorf("the header %q: %q is taken", name, value)
		}
		if _, err := New(Config{URL: "https://a.example/", Headers: map[string]string{name: value}}); err == nil {
			t.Errorf("New takes the header %q", name)
		}
	}
	if o, p := Origin("https://Hooks.example:8443/secret"); o != "https://Hooks.example:8443" || p != 8443 || Host("https://Hooks.example/secret") != "hooks.example" {
		t.Error(o, p)
	}
}

// TestTry: a trial is sent at once, and says what came of it.
func TestTry(t *testing.T) {
	r := receive(t, status(403))
	h := hook(t, r)
	if got := h.Try(t.Context(), event("/a")); got.Status != 403 || got.Err == nil || !got.Signed || got.ID != r.ids[0] {
		t.Errorf("%+v", got)
	}
	if got := h.Try(t.Context(), event("/a")); got.Status != 204 || got.Err != nil {
		t.Errorf("%+v", got)
	}
	h = hook(t, r, func(c *Config) { c.URL = "http://" + ports.Addr(t) })
	if got := h.Try(t.Context(), event("/a")); got.Status != 0 || got.Err == nil {
		t.Errorf("%+v", got)
	}
	if st := h.Status(); st != (Status{}) {
		t.Errorf("a trial is counted: %+v", st)
	}
}

// BenchmarkPost is what one event costs, with a receiver on the same machine.
func BenchmarkPost(b *testing.B) {
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer r.Close()
	h, err := New(Config{URL: r.URL, Secret: secret, Private: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	e := event("/a")
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Observe(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
}
