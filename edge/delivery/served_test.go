package delivery_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/delivery"
	"github.com/edgeftp/edgeftp/edge/policy"
)

func protocols(t *testing.T, test func(t *testing.T, protocol string)) {
	for _, p := range []string{"http", "https", "h2", "h3"} {
		t.Run(p, func(t *testing.T) { test(t, p) })
	}
}

// A file leaves as it is, and whoever watches is told of it as of any other.
func TestServed(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		r := start(t, protocol, public(), nil)
		resp, body := r.get("/d/b.txt", "User-Agent", "tester/1")
		if resp.StatusCode != 200 || body != "line\nline\n" || resp.ContentLength != 10 {
			t.Fatalf("%s %q", resp.Status, body)
		}
		tag := resp.Header.Get("ETag")
		if !strings.HasPrefix(tag, `"`) {
			t.Errorf("ETag %s", tag)
		}
		e := r.keeper.told(t, "the file", func(e policy.Event) bool { return e.Kind == policy.EventFileSent })
		want := map[string]string{"http": "http/1.1", "https": "http/1.1", "h2": "h2", "h3": "h3"}[protocol]
		if e.Path != "/d/b.txt" || e.Size != 10 || e.Session.Protocol != want || e.Session.User != "anonymous" || e.Session.Client != "tester/1" || e.Session.TLS.Enabled() != (protocol != "http") {
			t.Errorf("%+v of %+v", e, e.Session)
		}
		if resp, _ := r.get("/d/b.txt", "If-None-Match", tag); resp.StatusCode != 304 {
			t.Errorf("%s", resp.Status)
		}
		if resp, body := r.get("/d/b.txt", "Range", "bytes=5-", "If-Range", tag); resp.StatusCode != 206 || body != "line\n" {
			t.Errorf("%s %q", resp.Status, body)
		}
		if resp, body := r.get("/a.txt", "Range", "bytes=8-,0-0"); resp.StatusCode != 206 || resp.ContentLength != int64(len(body)) || !strings.Contains(body, "bytes 8-9/10\r\n\r\n89\r\n--") {
			t.Errorf("%s %q", resp.Status, body)
		}
		// Another file of the same size and time is another file.
		name := filepath.Join(r.root, "d", "b.txt")
		was, err := os.Stat(name)
		r.must(err)
		r.must(os.WriteFile(name+"2", []byte("LINE\nLINE\n"), 0o644))
		r.must(os.Chtimes(name+"2", was.ModTime(), was.ModTime()))
		r.must(os.Rename(name+"2", name))
		if resp, body := r.get("/d/b.txt", "Range", "bytes=5-", "If-Range", tag); resp.StatusCode != 200 || body != "LINE\nLINE\n" {
			t.Errorf("another file: %s %q", resp.Status, body)
		}
		// One that was changed just now has no strong validator.
		r.must(os.Chtimes(name, time.Now(), time.Now()))
		resp, _ = r.get("/d/b.txt")
		young := resp.Header.Get("ETag")
		if resp, _ := r.get("/d/b.txt", "Range", "bytes=5-", "If-Range", young); !strings.HasPrefix(young, "W/") || resp.StatusCode != 200 {
			t.Errorf("%s: %s", young, resp.Status)
		}
		if all := r.srv.Sessions(); len(all) != 1 || all[0].Protocol != want {
			t.Errorf("%+v", all)
		}
	})
}

func TestListed(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		r := start(t, protocol, public(), func(c *edge.Config) { c.Listeners[0].Zone = time.FixedZone("there", 3*3600) })
		resp, body := r.get("/d/?format=json")
		st, err := os.Stat(filepath.Join(r.root, "d", "b.txt"))
		r.must(err)
		if want := `{"name":"b.txt","type":"file","size":10,"modified":"` + st.ModTime().UTC().Format(time.RFC3339) + `"}`; resp.StatusCode != 200 || !strings.Contains(body, want) ||
			!strings.Contains(body, `"name":"deep","type":"directory","size":null`) || !strings.HasSuffix(body, "\"complete\":true}\n") {
			t.Errorf("%s %s, want %s", resp.Status, body, want)
		}
		if resp, body := r.get("/"); resp.StatusCode != 200 || !strings.Contains(body, `<a href="/bad%FFutf8"><bdi>bad\xFFutf8</bdi></a>`) || !strings.Contains(body, `<a href="/d/"><bdi>d/</bdi></a>`) {
			t.Errorf("%s %s", resp.Status, body)
		}
		if resp, _ := r.get("/d"); resp.StatusCode != 301 || resp.Header.Get("Location") != "./d/" {
			t.Errorf("%s %v", resp.Status, resp.Header)
		}
	})
}

// What a policy refuses is refused with the reference that its event bears, what it hides
// is not there, and what it could not decide is the server's fault.
func TestRefused(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		r := start(t, protocol, public(), nil)
		resp, body := r.get("/denied/c.txt")
		ref := regexp.MustCompile(`^403 Forbidden: The keeper refuses\. \(ref (\d+-\d+)\)\n$`).FindStringSubmatch(body)
		if resp.StatusCode != 403 || ref == nil {
			t.Fatalf("%s %q", resp.Status, body)
		}
		r.keeper.told(t, "the refusal", func(e policy.Event) bool {
			return e.Kind == policy.EventDenied && e.Path == "/denied/c.txt" && strings.HasSuffix(ref[1], "-"+itoa(e.Request))
		})
		if resp, body := r.get("/denied/"); resp.StatusCode != 403 || !strings.Contains(body, "(ref ") {
			t.Errorf("%s %q", resp.Status, body)
		}
		missing, text := r.get("/none.txt")
		hidden, same := r.get("/hidden/h.txt")
		if missing.StatusCode != 404 || hidden.StatusCode != 404 || text != same {
			t.Errorf("%s %q, %s %q", missing.Status, text, hidden.Status, same)
		}
		for _, h := range []*http.Response{missing, hidden} {
			h.Header.Del("Date")
		}
		for name := range missing.Header {
			if missing.Header.Get(name) != hidden.Header.Get(name) {
				t.Errorf("%s tells them apart", name)
			}
		}
		if resp, body := r.get("/failing/f.txt"); resp.StatusCode != 500 || !strings.Contains(body, "(ref ") || strings.Contains(body, "out of order") {
			t.Errorf("%s %q", resp.Status, body)
		}
		// Conditions tell nothing of what is refused.
		for _, h := range []string{"If-None-Match", "If-Match"} {
			if resp, _ := r.get("/denied/c.txt", h, "*"); resp.StatusCode != 403 {
				t.Errorf("%s: %s", h, resp.Status)
			}
		}
		if resp, _ := r.get("/out/passwd"); resp.StatusCode != 403 {
			t.Errorf("%s", resp.Status)
		}
	})
}

// Users log in as they do over FTP, and the defence counts what they get wrong.
func TestUsers(t *testing.T) {
	r := start(t, "h2", delivery.Config{Anonymous: "anonymous", Basic: true}, func(c *edge.Config) { c.Defence.Score = 40 })
	resp, _ := r.get("/a.txt", "Authorization", basicOf("ann", "secret"))
	if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "private" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	r.keeper.told(t, "the file", func(e policy.Event) bool { return e.Kind == policy.EventFileSent && e.Session.User == "ann" })
	status := 0
	for n := 0; n < 20 && status != 429; n++ {
		resp, body := r.get("/a.txt", "Authorization", basicOf("ann", "wrong"))
		if status = resp.StatusCode; status != 401 && status != 429 || status == 401 && resp.Header.Get("WWW-Authenticate") == "" || status == 429 && resp.Header.Get("Retry-After") != "900" {
			t.Fatalf("%s %v %s", resp.Status, resp.Header, body)
		}
	}
	if status != 429 || len(r.srv.Bans()) != 1 {
		t.Errorf("%d; bans: %v", status, r.srv.Bans())
	}
}

// hasty is a policy that refuses to carry files out with a code.
type hasty int

func (hasty) Name() string { return "hasty" }

func (h hasty) Hooks() policy.Hooks { return policy.Hooks{Commander: h} }

func (h hasty) Command(_ context.Context, c *policy.Command) (policy.Answer, error) {
	if c.Verb != "RETR" {
		return policy.Answer{}, nil
	}
	return policy.Answer{Verdict: policy.Deny, Code: int(h), Text: "The hasty one refuses."}, nil
}

// A policy that takes no more of a client for now is one thing, and one that refuses another.
func TestTooFast(t *testing.T) {
	for code, want := range map[hasty]string{
		450: `{"status":429,"error":"Your requests come too fast.","ref":"1-6","limit":"rate","retry_after":10}` + "\n",
		421: `{"status":429,"error":"Your requests come too fast.","ref":"1-6","limit":"rate","retry_after":10}` + "\n",
		550: `{"status":403,"error":"The hasty one refuses.","ref":"1-6"}` + "\n",
	} {
		r := start(t, "http", public(), func(c *edge.Config) { c.Policies = append(c.Policies, edge.Slot{Name: "hasty", Policy: code}) })
		resp, body := r.get("/a.txt", "Accept", "application/json")
		if regexp.MustCompile(`1-\d+`).ReplaceAllString(body, "1-6") != want || (resp.Header.Get("Retry-After") == "10") != (code < 500) {
			t.Errorf("%d: %s %v %s", code, resp.Status, resp.Header, body)
		}
	}
}

// The bandwidth of the listener holds for what leaves by HTTP, and what a policy allows.
func TestThrottled(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		t.Parallel() // they only wait
		r := start(t, protocol, public(), func(c *edge.Config) {
			c.Bandwidth.Listeners = map[string]edge.Rates{"web": {Down: 400_000}}
		})
		for path, least := range map[string]time.Duration{"/big.bin": 500 * time.Millisecond, "/slow/s.bin": 400 * time.Millisecond} {
			began := time.Now()
			resp, body := r.get(path)
			if took := time.Since(began); resp.StatusCode != 200 || took < least {
				t.Errorf("%s: %d bytes in %v", path, len(body), took)
			}
		}
	})
}

// A client that goes away ends its transfer and its session.
func TestGone(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		r := start(t, protocol, public(), func(c *edge.Config) {
			c.Bandwidth.Listeners = map[string]edge.Rates{"web": {Down: 50_000}}
		})
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", r.URL+"/big.bin", nil)
		r.must(err)
		resp, err := r.client.Do(req)
		r.must(err)
		defer resp.Body.Close()
		_, err = resp.Body.Read(make([]byte, 1))
		r.must(err)
		cancel()
		e := r.keeper.told(t, "the broken transfer", func(e policy.Event) bool { return e.Kind == policy.EventIncompleteFileSent })
		if e.Path != "/big.bin" || e.Size >= 300_000 {
			t.Errorf("%+v", e)
		}
		r.keeper.told(t, "the end", func(e policy.Event) bool { return e.Kind == policy.EventDisconnect })
	})
}

// A server that is full, or held, or shuts down says so, and so does one that has enough of
// an address: what is the client's own doing is 429.
func TestTurnedAway(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		r := start(t, protocol, public(), func(c *edge.Config) { c.Limits.SessionsPerIP = 1 })
		defer r.ftp().Close()
		resp, body := r.get("/a.txt", "Accept", "application/json")
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "10" || body != `{"status":429,"error":"There are too many sessions of your address.","limit":"address","retry_after":10}`+"\n" {
			t.Errorf("%s %s", resp.Status, body)
		}
		r.srv.Hold(true)
		if resp, body := r.get("/a.txt", "Accept", "text/html"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "10" || !strings.Contains(body, "<p>The server takes nobody new at the moment. Try again in 10 seconds.</p>") {
			t.Errorf("%s %s", resp.Status, body)
		}
	})
	r := start(t, "http", public(), func(c *edge.Config) { c.Limits.Sessions = 1 })
	c := r.ftp()
	resp, body := r.get("/a.txt")
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || body != "503 Service Unavailable: The server has as many sessions as it may have. Try again in 10 seconds.\n" {
		t.Errorf("%s %s", resp.Status, body)
	}
	r.must(c.Quit())
	for end := time.Now().Add(time.Minute); resp.StatusCode != 200 && time.Now().Before(end); {
		resp, _ = r.get("/a.txt")
	}
	if resp.StatusCode != 200 {
		t.Errorf("when there is room: %s", resp.Status)
	}
	r.shutdown()
	if resp, body := r.get("/a.txt"); resp.StatusCode != 503 || !strings.Contains(body, "shutting down") {
		t.Errorf("afterwards: %s %s", resp.Status, body)
	}
}

// A session that the operator ends is replaced for the next request.
func TestKicked(t *testing.T) {
	r := start(t, "http", public(), nil)
	r.get("/a.txt")
	r.must(r.srv.Kick(r.srv.Sessions()[0].ID, "enough"))
	r.keeper.told(t, "the end", func(e policy.Event) bool { return e.Kind == policy.EventDisconnect })
	if resp, _ := r.get("/a.txt"); resp.StatusCode != 200 {
		t.Errorf("%s", resp.Status)
	}
}

// Over HTTP/1.1 in the clear the kernel moves the bytes of a file, and of a part of it, also
// where its rate is limited; net/http looks at the first ones by itself.
func TestKernelMoves(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		r := start(t, protocol, public(), nil)
		for _, c := range []struct {
			path, parts string
			size        int64
		}{{"/big.bin", "", 300_000}, {"/big.bin", "bytes=1000-200999", 200_000}, {"/slow/s.bin", "", 60_000}} {
			before := r.files.Load()
			header := []string{"Range", c.parts}
			if c.parts == "" {
				header = nil
			}
			resp, body := r.get(c.path, header...)
			if resp.StatusCode >= 400 || int64(len(body)) != c.size {
				t.Fatalf("%s, %d bytes", resp.Status, len(body))
			}
			want := int64(0)
			if protocol == "http" {
				want = c.size - 4096
			}
			for end := time.Now().Add(time.Minute); r.files.Load()-before < want && time.Now().Before(end); {
				<-time.After(time.Millisecond) // it is counted after the client has it
			}
			moved := r.files.Load() - before
			if moved < want || want == 0 && moved != 0 {
				t.Errorf("%s %s: the kernel has moved %d of %d bytes", c.path, c.parts, moved, c.size)
			}
		}
	})
}

// For how long a client may take nothing of a file is the server's matter (Timeouts.Stall),
// and a transfer may take longer than Stall.
func TestLongTransfer(t *testing.T) {
	protocols(t, func(t *testing.T, protocol string) {
		t.Parallel() // they only wait
		conf := public()
		conf.Stall = 300 * time.Millisecond
		r := start(t, protocol, conf, func(c *edge.Config) { c.Timeouts.Stall = -1 })
		if resp, body := r.get("/slow/s.bin"); resp.StatusCode != 200 || len(body) != 60_000 {
			t.Errorf("%s, %d bytes", resp.Status, len(body))
		}
	})
}
