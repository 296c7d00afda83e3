package e2e

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// guest copies the source of a guest of these tests to where its author might have
// it, with texts of its manifest replaced, and returns the directory.
func (p place) guest(t *testing.T, name string, oldnew ...string) string {
	t.Helper()
	dir, repo := p.out(name), must(filepath.Abs(filepath.Join("..", "..")))(t)
	ok(t, os.MkdirAll(dir, 0o755))
	for _, file := range []string{"main.go", "manifest.json"} {
		text := string(must(os.ReadFile(filepath.Join("testdata", "guests", name, file)))(t))
		ok(t, os.WriteFile(filepath.Join(dir, file), []byte(strings.NewReplacer(oldnew...).Replace(text)), 0o644))
	}
	version := regexp.MustCompile(`(?m)^go .*$`).Find(must(os.ReadFile(filepath.Join(repo, "go.mod")))(t))
	mod := fmt.Sprintf("module %s\n\n%s\n\nrequire github.com/edgeftp/edgeftp v0.0.0\n\nreplace github.com/edgeftp/edgeftp => %q\n", name, version, repo)
	ok(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644))
	return dir
}

// office is the other server of the guest courier. It knows every user but one, whom
// it thinks about until it is asked no more.
type office struct {
	*httptest.Server
	hash  string
	asked chan string // the user it thinks about

	mu      sync.Mutex
	refuses string   // the event that it does not take, and those after it
	taken   []string // events
	turned  int      // events that it did not take
}

func newOffice(t *testing.T) *office {
	o := &office{hash: string(must(bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost))(t)), asked: make(chan string, 8)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{name}", o.user)
	mux.HandleFunc("POST /events", o.event)
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

func (o *office) user(w http.ResponseWriter, r *http.Request) {
	if name := r.PathValue("name"); name == "remoteslow" {
		o.asked <- name
		<-r.Context().Done()
		return
	}
	_, _ = io.WriteString(w, o.hash)
}

func (o *office) event(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil || o.refuses != "" && string(body) == o.refuses {
		o.turned++
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	o.taken = append(o.taken, string(body))
}

// refuse sets the event that is not taken.
func (o *office) refuse(event string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refuses = event
}

func (o *office) events() (taken []string, turned int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.taken), o.turned
}

// host is its address.
func (o *office) host() string { return strings.TrimPrefix(o.URL, "http://") }

// courier is the configuration of the guest, with further keys of the module.
func (o *office) courier(source, grants, keys string) string {
	return plain() + fmt.Sprintf("limits: { logins: { delay_after_failure: 0 } }\n"+
		"policies: { modules: [{ name: courier, source: %q, settings: { origin: %q }, grants: { %s }%s }] }\n", source, o.URL, grants, keys)
}

// What a guest is granted to ask another server decides a login, what it counts is
// shown, and what it is not granted refuses it.
func TestFetchAndMetric(t *testing.T) {
	t.Parallel()
	p, o, figures := newPlace(t), newOffice(t), ports.Addr(t)
	source := p.guest(t, "courier", "@HOST@", o.host())
	private := fmt.Sprintf("fetch_private: [%q]", o.URL)
	s := p.serve(t, o.courier(source, "metric: true, "+private, "")+fmt.Sprintf("telemetry: { metrics: { listen: %q } }\n", figures))
	c := s.loginAs(t, "remote", secret)
	c.put(t, "STOR file", strings.NewReader("seven b"))
	bad := s.dial(t)
	bad.want(t, "USER remote", 331)
	bad.want(t, "PASS not it", 530)
	s.expect(t, "told of file_received at /file")
	if taken, _ := o.events(); !slices.Equal(taken, []string{"file_received /file"}) {
		t.Errorf("the other server was told %q", taken)
	}
	var page string
	until(t, "the figures are shown", func() bool {
		r := must(http.Get("http://" + figures + "/metrics"))(t)
		defer r.Body.Close()
		page = string(must(io.ReadAll(r.Body))(t))
		return strings.Contains(page, "last_size")
	})
	for name, line := range map[string]string{"logins_asked": "edgeftp_guest_total", "events_told": "edgeftp_guest_total", "last_size": "edgeftp_guest"} {
		want := map[string]string{"logins_asked": "2", "events_told": "1", "last_size": "7"}[name]
		if re := regexp.MustCompile(`(?m)^` + line + `\{name="` + name + `",policy="courier"\} ` + want + `$`); !re.MatchString(page) {
			t.Errorf("the page has no %s %s %s:\n%s", line, name, want, page)
		}
	}
	if m := s.module(t, "courier"); m.Metrics["logins_asked"] != 2 || m.Failed != 0 {
		t.Errorf("%+v", m)
	}
	s.stop(t)

	for grants, wants := range map[string]string{"metric: true": `"fetch:` + o.host() + `"`, private: `"metric"`,
		"metric: true, fetch_private: [\"http://127.0.0.1:1\"]": `"fetch:` + o.host() + `"`} {
		l := launch(t, p, "--config", p.file(t, o.courier(source, grants, "")))
		if code, log := l.wait(t, readyWithin), l.log.String(); code != 3 || !strings.Contains(log, "EF2106") || !strings.Contains(log, wants) {
			t.Errorf("{ %s }: exit code %d, want 3, EF2106 and %s\n%s", grants, code, wants, log)
		}
	}
}

// A name that is granted, and leads into the own network, is not asked.
func TestFetchStaysOutside(t *testing.T) {
	t.Parallel()
	p, o := newPlace(t), newOffice(t)
	o.URL = strings.Replace(o.URL, "127.0.0.1", "localhost", 1)
	source := p.guest(t, "courier", "@HOST@", o.host())
	s := p.serve(t, o.courier(source, fmt.Sprintf("metric: true, fetch: [%q]", o.URL), ""))
	c := s.dial(t)
	c.want(t, "USER remoteslow", 331)
	c.want(t, "PASS "+secret, 530, 451)
	s.expect(t, `"courier"`, "fetch: ")
	select {
	case name := <-o.asked:
		t.Errorf("the other server was asked about %s", name)
	default:
	}
	s.stop(t)
}

// A server that does not answer costs the one login that waits for it.
func TestFetchSlow(t *testing.T) {
	t.Parallel()
	p, o := newPlace(t), newOffice(t)
	source := p.guest(t, "courier", "@HOST@", o.host())
	s := p.serve(t, o.courier(source, fmt.Sprintf("metric: true, fetch_private: [%q]", o.URL), ""))
	calm, slow := s.login(t), s.dial(t)
	tries := 1
	for ; !o.overtaken(t, s, calm, slow) && tries < 20; tries++ { // the machine may be busy, but not each time
	}
	if tries == 20 {
		t.Error("a login that waits for the other server holds up everybody, each time")
	}
	slow.want(t, "USER remote", 331)
	slow.want(t, "PASS "+secret, 230)
	if m := s.module(t, "courier"); m.Failed != uint64(tries) {
		t.Errorf("%+v", m)
	}
	s.stop(t)
}

// overtaken has one session log in by way of the other server, which does not answer, and
// reports whether others were served before that was refused.
func (o *office) overtaken(t *testing.T, s *server, calm, slow *session) bool {
	t.Helper()
	slow.want(t, "USER remoteslow", 331)
	ok(t, slow.Send("PASS "+secret))
	began := time.Now()
	select {
	case <-o.asked:
	case <-time.After(waitWithin):
		t.Fatal("the other server was not asked")
	}
	calm.put(t, "STOR file", strings.NewReader("x"))
	if got := string(calm.get(t, "RETR file")); got != "x" {
		t.Errorf("meanwhile another session got %q", got)
	}
	s.loginAs(t, "remote", secret).want(t, "MKD "+rand.Text(), 257)
	meanwhile := time.Since(began)
	r := must(slow.Reply())(t)
	took := time.Since(began)
	if !r.Is(530, 451) || took < time.Second {
		t.Errorf("after %v the login was answered %q", took, r)
	}
	t.Logf("refused after %v, the others were done after %v", took.Round(time.Millisecond), meanwhile.Round(time.Millisecond))
	return meanwhile < took
}

// Events that nobody has taken are told to the next server's policy, in order, and
// those that were taken are not told again.
func TestDurableEvents(t *testing.T) {
	t.Parallel()
	p, o := newPlace(t), newOffice(t)
	source := p.guest(t, "courier", "@HOST@", o.host())
	conf := o.courier(source, fmt.Sprintf("metric: true, fetch_private: [%q]", o.URL), ", events: durable")
	o.refuse("dir_created /c")
	s := p.serve(t, conf)
	c := s.login(t)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.want(t, "MKD "+name, 257)
	}
	until(t, "three events wait in files", func() bool {
		m := s.module(t, "courier")
		_, turned := o.events()
		return m.Events.Waiting == 3 && m.Events.Delivered == 2 && turned > 0
	})
	s.expect(t, "a policy failed, which refused nothing", `"courier"`, `"stage":"event"`)
	s.kill()

	s = p.serve(t, conf) // and the other server still does not take it
	if m := s.module(t, "courier"); m.Events.Waiting != 3 {
		t.Errorf("after the kill: %+v", m.Events)
	}
	s.login(t).want(t, "MKD f", 257)
	_, before := o.events()
	until(t, "it is told once more", func() bool {
		_, turned := o.events()
		return turned > before
	})
	o.refuse("")
	until(t, "all is told", func() bool { return s.module(t, "courier").Events.Waiting == 0 })
	var want, told []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		want = append(want, "dir_created /"+name)
	}
	if taken, _ := o.events(); !slices.Equal(taken, want) {
		t.Errorf("the other server was told %q, want %q", taken, want)
	}
	s.expect(t, "told of dir_created at /f")
	lines, _ := s.log.read()
	for _, line := range lines {
		if _, path, found := strings.Cut(line, "told of dir_created at /"); found {
			told = append(told, path[:1])
		}
	}
	if got := strings.Join(told, ""); got != "cdef" {
		t.Errorf("the log of the second server tells of %s, want cdef", got)
	}
	s.stop(t)
}
