package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// What is secret about the webhooks of these tests.
const (
	hookSecret = "hush-otter-secret-of-hooks"
	hookToken  = "Bearer hush-otter-token"
	hookPath   = "/hush-otter-path"
)

// delivery is a request that a receiver got.
type delivery struct {
	path, id  string
	event     map[string]any
	signature bool // it is right
}

// hookReceiver is a receiver of webhooks, that answers as answer says.
type hookReceiver struct {
	*httptest.Server
	mu     sync.Mutex
	all    []delivery
	answer func(path string) int // 0: not at all, until the receiver ends
	gone   chan struct{}
}

// receiveHooks starts a receiver on an address, or on one of its own.
func receiveHooks(t *testing.T, addr string, answer func(path string) int) *hookReceiver {
	t.Helper()
	r := &hookReceiver{answer: answer, gone: make(chan struct{})}
	r.Server = httptest.NewUnstartedServer(r)
	if addr != "" {
		ok(t, r.Listener.Close())
		r.Listener = must(net.Listen("tcp", addr))(t)
	}
	r.Start()
	t.Cleanup(r.end)
	return r
}

func (r *hookReceiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	d := delivery{path: q.URL.Path, id: q.Header.Get("Idempotency-Key")}
	m := hmac.New(sha256.New, []byte(hookSecret))
	m.Write([]byte(q.Header.Get("Edgeftp-Timestamp") + "." + string(body)))
	d.signature = q.Header.Get("Edgeftp-Signature") == "v1="+hex.EncodeToString(m.Sum(nil)) && q.Header.Get("Authorization") == hookToken
	_ = json.Unmarshal(body, &d.event)
	code := r.answer(q.URL.Path)
	if code == 0 {
		select {
		case <-r.gone:
		case <-q.Context().Done():
		}
		return
	}
	if code < 300 {
		r.mu.Lock()
		r.all = append(r.all, d)
		r.mu.Unlock()
	}
	w.WriteHeader(code)
}

// end ends the receiver in the middle of what it does. A second call does nothing.
func (r *hookReceiver) end() {
	r.mu.Lock()
	select {
	case <-r.gone:
	default:
		close(r.gone)
	}
	r.mu.Unlock()
	r.CloseClientConnections()
	r.Close()
}

// taken are the paths of the files that events at a path of the URL were about, each
// identity once, in the order in which they came first.
func (r *hookReceiver) taken(t *testing.T, at string) (files []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	for _, d := range r.all {
		if !d.signature || d.id == "" || d.event["id"] != d.id {
			t.Errorf("%+v", d)
		}
		if file, is := d.event["path"].(string); is && d.path == at && !seen[d.id] {
			seen[d.id] = true
			files = append(files, file)
		}
	}
	return files
}

// hookSinks is a configuration with webhooks of names, each at hookPath/NAME of a receiver.
func hookSinks(addr string, names ...string) string {
	var b strings.Builder
	b.WriteString("events:\n  sinks:\n")
	for _, name := range names {
		fmt.Fprintf(&b, "    - { name: %s, webhook: \"http://%s%s/%s\", secret: \"${env:EDGEFTP_TEST_HOOK}\", headers: { Authorization: %q }, on: [file_received], allow_private: true }\n",
			name, addr, hookPath, name, hookToken)
	}
	return b.String()
}

// webhook is a line of notify list.
type webhook struct {
	Name                                          string
	Waiting, Delivered, Dropped, Failed, Given_up uint64
	LastError                                     string `json:"last_error"`
}

func (s *server) webhooks(t *testing.T) map[string]webhook {
	t.Helper()
	r := s.admin(t, "notify", "list", "-o", "json")
	var list []webhook
	if r.code != 0 || json.Unmarshal([]byte(r.stdout), &list) != nil {
		t.Fatalf("%d %s", r.code, r.both())
	}
	out := map[string]webhook{}
	for _, h := range list {
		out[h.Name] = h
	}
	return out
}

// uploads stores files with names that begin with a word, and returns their paths.
func (s *server) uploads(t *testing.T, word string, n int) (paths []string) {
	t.Helper()
	c := s.dial(t)
	ok(t, c.Identify("dev", secret))
	c.want(t, "TYPE I", 200)
	for i := range n {
		name := fmt.Sprintf("%s%02d", word, i)
		c.put(t, "STOR "+name, strings.NewReader("content"))
		paths = append(paths, "/"+name)
	}
	c.want(t, "QUIT", 221)
	return paths
}

// TestWebhookKill kills the server while a receiver holds the first event and the others
// wait, and then the receiver: after both are back each event arrives, in order, and once
// by its identity. A receiver that fails for a while gets everything as well.
func TestWebhookKill(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.env = append(p.env, "EDGEFTP_TEST_HOOK="+hookSecret)
	slow := receiveHooks(t, "", func(string) int { return 0 })
	addr := slow.Listener.Addr().String()
	s := p.serve(t, plain()+hookSinks(addr, "ops"))
	want := s.uploads(t, "first", 20)
	until(t, "every event waits on the disk", func() bool { return s.webhooks(t)["ops"].Waiting == 20 })
	s.kill()
	slow.end()
	s = p.start2(t)
	until(t, "it is tried", func() bool { return s.webhooks(t)["ops"].Failed > 0 })
	want = append(want, s.uploads(t, "second", 5)...)
	if h := s.webhooks(t)["ops"]; !strings.Contains(h.LastError, "refused") || h.Delivered != 0 {
		t.Errorf("%+v", h)
	}
	s.stop(t)
	bad := 3
	back := receiveHooks(t, addr, nil)
	var mu sync.Mutex
	back.answer = func(string) int {
		mu.Lock()
		defer mu.Unlock()
		if bad--; bad >= 0 {
			return 500
		}
		return 204
	}
	s = p.start2(t)
	until(t, "everything has arrived", func() bool { return len(back.taken(t, hookPath+"/ops")) >= len(want) })
	if got := back.taken(t, hookPath+"/ops"); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	until(t, "nothing waits", func() bool { h := s.webhooks(t)["ops"]; return h.Waiting == 0 && h.Dropped == 0 && h.Given_up == 0 })
	s.stop(t)
}

// start2 starts a server with the file that is there.
func (p place) start2(t *testing.T) *server {
	t.Helper()
	s := startServer(t, p, "--config", p.out("edgeftp.yaml"))
	s.plain, s.user, s.password = true, "dev", secret
	return s
}

// TestWebhookReload takes a webhook away and adds one while the server runs; what the first
// has not been given waits, and is delivered once it is there again. Another port needs
// another sandbox.
func TestWebhookReload(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.env = append(p.env, "EDGEFTP_TEST_HOOK="+hookSecret)
	var mu sync.Mutex
	broken := map[string]bool{hookPath + "/b": true}
	r := receiveHooks(t, "", func(path string) int {
		mu.Lock()
		defer mu.Unlock()
		if broken[path] {
			return 503
		}
		return 200
	})
	addr := r.Listener.Addr().String()
	s := p.serve(t, plain()+hookSinks(addr, "a", "b"))
	one := s.uploads(t, "one", 3)
	until(t, "b waits", func() bool { h := s.webhooks(t); return h["a"].Delivered == 3 && h["b"].Waiting == 3 })
	p.again(t, plain()+hookSinks(addr, "a", "c"))
	if got := s.reload(t, 0); !got.Applied {
		t.Errorf("%+v", got)
	}
	s.expect(t, "what may wait for a webhook that the configuration does not have is kept", `"webhook":"b"`)
	two := s.uploads(t, "two", 2)
	until(t, "c has its events", func() bool { return len(r.taken(t, hookPath+"/c")) == 2 })
	mu.Lock()
	broken = nil
	mu.Unlock()
	p.again(t, plain()+hookSinks(addr, "b", "c", "a"))
	s.reload(t, 0)
	three := s.uploads(t, "three", 1)
	until(t, "b has its events", func() bool { return len(r.taken(t, hookPath+"/b")) == 4 })
	until(t, "a and c have theirs", func() bool { return len(r.taken(t, hookPath+"/a")) == 6 && len(r.taken(t, hookPath+"/c")) == 3 })
	for name, want := range map[string][]string{"a": slices.Concat(one, two, three), "b": slices.Concat(one, three), "c": slices.Concat(two, three)} {
		if got := r.taken(t, hookPath+"/"+name); !slices.Equal(got, want) {
			t.Errorf("%s got %v, want %v", name, got, want)
		}
	}
	p.again(t, plain()+hookSinks(ports.Addr(t), "a"))
	got := s.admin(t, "reload")
	if !s.restrictsTCP(t) {
		t.Log("this kernel restricts no TCP: any port is possible")
	} else if got.code == 0 || !strings.Contains(got.both(), "needs an upgrade") || !strings.Contains(got.both(), "TCP connections to port") {
		t.Errorf("another port: %d %s", got.code, got.both())
	}
	s.stop(t)
}

// restrictsTCP reports whether the sandbox has its layer on the network.
func (s *server) restrictsTCP(t *testing.T) bool {
	t.Helper()
	var state struct {
		Layers []struct{ Name, State string }
	}
	ok(t, json.Unmarshal([]byte(s.admin(t, "doctor", "-o", "json").stdout), &state))
	for _, l := range state.Layers {
		if l.Name == "network" && l.State == "on" {
			return true
		}
	}
	return false
}

// TestWebhookSecrets holds that nothing that is secret about a webhook is shown, whether it
// works or not, and that notify test says what happened and is audited.
func TestWebhookSecrets(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.env = append(p.env, "EDGEFTP_TEST_HOOK="+hookSecret)
	codes := map[string]int{hookPath + "/good": 204, hookPath + "/stays": 302, hookPath + "/gone": 404}
	r := receiveHooks(t, "", func(path string) int { return codes[path] })
	addr, figures := r.Listener.Addr().String(), ports.Addr(t)
	text := plain() + hookSinks(addr, "good", "stays", "gone") + fmt.Sprintf("notify: { to: [{ name: ops, webhook: \"http://%s%s/none\", allow_private: true }] }\n", ports.Addr(t), hookPath) +
		fmt.Sprintf("telemetry: { log: { level: debug, commands: all }, metrics: { listen: %q } }\n", figures)
	s := p.serve(t, text)
	seen := s.follow(t)
	s.uploads(t, "file", 2)
	until(t, "all are tried", func() bool {
		h := s.webhooks(t)
		return h["good"].Delivered == 2 && h["stays"].Failed > 0 && h["gone"].Given_up == 2
	})
	s.expect(t, "events for a webhook were given up", `"webhook":"gone"`, "404")
	var shown bytes.Buffer
	if r := s.admin(t, "notify", "test"); r.code != 5 {
		t.Errorf("%d %s", r.code, r.both())
	} else {
		shown.WriteString(r.both())
		for _, want := range []string{"good  http://" + addr + "  ok, 204 in ", "redirects to", "nothing there that takes a POST", "ops  ", "refused"} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%q is not in\n%s", want, r.stdout)
			}
		}
	}
	if r := s.admin(t, "notify", "test", "good"); r.code != 0 {
		t.Errorf("%d %s", r.code, r.both())
	}
	if r := s.admin(t, "notify", "test", "god"); r.code != 1 || !strings.Contains(r.stderr, "there are good") {
		t.Errorf("%d %s", r.code, r.both())
	}
	for _, args := range [][]string{{"notify"}, {"notify", "list", "-o", "json"}, {"notify", "test", "-o", "json"}, {"status"}, {"status", "-o", "json"}, {"policy", "list"},
		{"config", "show"}, {"config", "show", "--effective"}, {"config", "history"}, {"doctor"}, {"logs"}} {
		shown.WriteString(s.admin(t, args...).both())
	}
	for _, args := range [][]string{{"config", "show", p.out("edgeftp.yaml")}, {"config", "show", "--effective", p.out("edgeftp.yaml")}, {"config", "validate", p.out("edgeftp.yaml")}} {
		shown.WriteString(edgeftp(t, args...).both())
	}
	p.again(t, strings.Replace(text, "name: stays", "name: other", 1))
	shown.WriteString(s.admin(t, "reload", "--dry-run").both())
	shown.WriteString(s.admin(t, "reload").both())
	shown.WriteString(read(t, "http://"+figures+"/metrics"))
	shown.Write(must(os.ReadFile(filepath.Join(p.state, "audit.jsonl")))(t))
	if !strings.Contains(shown.String(), "POST /v1/webhooks/test") {
		t.Error("trying a webhook is not audited")
	}
	s.stop(t)
	shown.WriteString(s.log.String())
	for line := range seen {
		shown.WriteString(line)
	}
	for _, bad := range []string{hookSecret, hookToken, "hush-otter"} {
		if i := strings.Index(shown.String(), bad); i >= 0 {
			t.Errorf("%q is shown: %s", bad, shown.String()[max(0, i-200):min(shown.Len(), i+200)])
		}
	}
}

// TestNoPassivePort: who gets no port is told to try again, and the operator what to
// widen; no port outside of the range is ever given.
func TestNoPassivePort(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	addr := ports.Addr(t)
	_, port, _ := net.SplitHostPort(addr)
	s := p.serve(t, listener("passive: { ports: \""+port+"\" }"))
	seen := s.follow(t)
	first, second := s.dial(t), s.dial(t)
	ok(t, first.Identify("dev", secret))
	ok(t, second.Identify("dev", secret))
	got := first.want(t, "EPSV", 229)
	if !strings.Contains(fmt.Sprint(got), "|||"+port+"|") {
		t.Errorf("%v, and the range is %s", got, port)
	}
	for _, verb := range []string{"EPSV", "PASV"} {
		if got := second.want(t, verb, 425); !strings.Contains(fmt.Sprint(got), "try again") {
			t.Errorf("%v", got)
		}
	}
	s.expect(t, "no passive port was free", `"listener":"main"`, "passive.ports")
	late := time.After(waitWithin)
	for {
		select {
		case line := <-seen:
			if strings.Contains(line, `"no_passive_port"`) && strings.Contains(line, "listener main") {
				return
			}
		case <-late:
			t.Fatal("there is no event")
		}
	}
}
