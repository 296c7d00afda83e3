package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// What the failure of a module means is the operator's to say: nothing was said
// against it, or nothing goes. It is counted in either case.
func TestOnError(t *testing.T) {
	t.Parallel()
	told := map[string][]string{"deny": {`"policy_failed"`, "/0.trap"}, "allow": {"a policy failed, which refused nothing", `"moody"`, `"stage":"fs"`, "trap"}}
	for mode, code := range map[string]int{"allow": 257, "deny": 451} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			s := p.serve(t, plain()+fmt.Sprintf("policies: { modules: [{ name: moody, source: %q, on_error: %s }] }\n", testModule(t, "moody"), mode))
			c := s.login(t)
			for i := range 3 {
				if r := c.want(t, fmt.Sprintf("MKD %d.trap", i), code); mode == "deny" && !strings.Contains(r.String(), "(ref ") {
					t.Errorf("%q has no reference", r)
				}
			}
			c.refused(t, "STOR x.deny", 553) // its word counts where it has one
			c.want(t, "MKD fine", 257)
			want := []string{"fine"}
			if mode == "allow" {
				want = []string{"0.trap", "1.trap", "2.trap", "fine"}
			}
			s.holds(t, want...)
			var list []policy
			ok(t, json.Unmarshal([]byte(s.admin(t, "policy", "list", "-o", "json").stdout), &list))
			at := slices.IndexFunc(list, func(p policy) bool { return p.Name == "moody" })
			if at < 0 || list[at].Failed != 3 || list[at].Sandbox.Faults["trap"] != 3 || list[at].Denied != 1 {
				t.Errorf("the list is %+v", list)
			}
			s.expect(t, told[mode]...)
			s.stop(t)
		})
	}
}

// stewarding is the configuration of the guest steward.
func stewarding(t *testing.T, source, hash, keys string) string {
	t.Helper()
	return plain() + fmt.Sprintf("limits: { logins: { delay_after_failure: 0 } }\nevents: { file: events.json }\n"+
		"policies: { modules: [{ name: steward, source: %q, settings: { hash: %q }%s }] }\n", source, hash, keys)
}

// A policy that knows users, but is not granted their passwords, never sees one, and
// nobody else is shown it either. The same policy with the grant does see it.
func TestBlindAuthenticator(t *testing.T) {
	t.Parallel()
	const password = "Correct-Horse-41-Battery"
	hash := string(must(bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost))(t))
	p, figures := newPlace(t), ports.Addr(t)
	use := func(s *server) *session {
		t.Helper()
		c := s.dial(t)
		c.want(t, "USER blind", 331)
		c.want(t, "PASS "+password+"-no", 530)
		c.want(t, "USER blind", 331)
		c.want(t, "PASS "+password, 230)
		c.want(t, "PWD", 257)
		return c
	}
	s := p.serve(t, stewarding(t, p.guest(t, "steward"), hash, "")+fmt.Sprintf("telemetry: { metrics: { listen: %q } }\n", figures))
	c := use(s)
	s.expect(t, `asked about \"blind\" with the argument \"\"`)
	r := must(http.Get("http://" + figures + "/metrics"))(t)
	defer r.Body.Close()
	var page bytes.Buffer
	must(page.ReadFrom(r.Body))(t)
	shown := map[string]string{"STAT": c.want(t, "STAT", 211).String(), "the figures": page.String()}
	for _, args := range [][]string{{"policy", "list", "-o", "json"}, {"policy", "list"}, {"status", "-o", "json"}} {
		shown[strings.Join(args, " ")] = s.admin(t, args...).both()
	}
	s.stop(t)
	lines, _ := s.log.read()
	shown["the log"] = strings.Join(lines, "\n")
	for _, dir := range []string{p.state, p.outside} {
		ok(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				shown[path] = string(must(os.ReadFile(path))(t))
			}
			return err
		}))
	}
	for where, text := range shown {
		if text == "" && !strings.HasPrefix(where, p.state) || strings.Contains(text, password) {
			t.Errorf("%s shows the password, or nothing at all:\n%.2000s", where, text)
		}
	}

	seeing := p.guest(t, "steward", `"hooks"`, `"capabilities": ["password"], "hooks"`)
	s = p.serve(t, stewarding(t, seeing, hash, ", grants: { password: true }"))
	use(s)
	s.expect(t, `asked about \"blind\" with the argument \"`+password+`\"`)
	s.stop(t)
}

// One guest that takes part in many stages, as curl shows it to its user.
func TestStewardByCurl(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	p := newPlace(t)
	s := p.serve(t, stewarding(t, must(filepath.Abs("testdata/guests/steward"))(t), "", ""))
	textFile(t, s.in("seen"), "seen")
	textFile(t, s.in("hidden-too"), "hidden")
	textFile(t, s.in("hidden", "under"), "under")

	// cmd
	r := s.curl(t, "-v", "-Q", "DELE seen", s.url("/")).run(t)
	if r.code != 21 || !strings.Contains(r.stderr, "< 502 nothing is deleted here, not even seen") {
		t.Errorf("DELE: exit code %d\n%s", r.code, r.both())
	}
	// list
	for _, args := range [][]string{nil, {"-l"}, {"-X", "MLSD"}} {
		if r := s.curl(t, append(args, s.url("/"))...).must(t); !strings.Contains(r.stdout, "seen") || strings.Contains(r.stdout, "hidden") {
			t.Errorf("%q lists %q", args, r.stdout)
		}
	}
	// site
	r = s.curl(t, "-v", "-Q", "SITE HELP", "-Q", "SITE HELP TEASE", "-Q", "SITE tease one two three", s.url("/")).must(t)
	for _, line := range []string{"TEASE", "Says the words backwards.", "words", "211-three", "211 one"} {
		if !strings.Contains(r.stderr, line) {
			t.Errorf("SITE does not say %q\n%s", line, r.stderr)
		}
	}
	r = s.curl(t, "-v", "-Q", "SITE TEASE", s.url("/")).run(t)
	if r.code != 21 || !strings.Contains(r.stderr, "< 501 say something") {
		t.Errorf("SITE TEASE: exit code %d\n%s", r.code, r.both())
	}
	// throttle
	if r := s.curl(t, s.url("/seen")).must(t); r.stdout != "seen" {
		t.Errorf("the download is %q", r.stdout)
	}
	s.expect(t, "how fast may /seen be, upload false")
	s.stop(t)
}

// A guest that finds something in an upload ends it: nothing is published, and what
// was there before stays. It finds it in a download too, and across two chunks.
func TestStewardStopsUploads(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	p := newPlace(t)
	s := p.serve(t, stewarding(t, must(filepath.Abs("testdata/guests/steward"))(t), "", ""))
	const mark = "EDGEFTP-TEST-SIGNATURE-OF-SOMETHING-BAD"
	here, filler := t.TempDir(), strings.Repeat("nothing ", 64<<10)
	for name, text := range map[string]string{"small": mark, "late": filler + mark + filler,
		"border": filler[:1<<16-7] + mark, "fine": filler + mark[:len(mark)-1]} {
		textFile(t, filepath.Join(here, name), text)
	}
	textFile(t, s.in("old"), "old")
	textFile(t, s.in("bad"), "before "+mark)
	for _, name := range []string{"small", "late", "border"} {
		for _, to := range []string{"/new", "/old"} {
			r := s.curl(t, "-v", "-T", filepath.Join(here, name), s.url(to)).run(t)
			// A client that is still sending may see the data connection closed before it
			// reads the reply; curl then gives up with 55 and reads nothing.
			early := name == "late" && r.code == 55
			if r.code == 0 || !early && !strings.Contains(r.stderr, "< 552 this holds something bad") {
				t.Errorf("%s to %s: exit code %d\n%s", name, to, r.code, r.both())
			}
		}
	}
	r := s.curl(t, "-v", "-a", "-T", filepath.Join(here, "small"), s.url("/old")).run(t)
	if r.code == 0 || !strings.Contains(r.stderr, "< 552 ") {
		t.Errorf("appending: exit code %d\n%s", r.code, r.both())
	}
	if r := s.curl(t, "-v", s.url("/bad")).run(t); r.code == 0 || strings.Contains(r.stdout, mark) {
		t.Errorf("download: exit code %d\n%s", r.code, r.both())
	}
	s.content(t, "old", []byte("old"))
	s.curl(t, "-T", filepath.Join(here, "fine"), s.url("/fine")).must(t)
	s.content(t, "fine", must(os.ReadFile(filepath.Join(here, "fine")))(t))
	s.expect(t, "how fast may /fine be, upload true")
	if m := s.module(t, "steward"); m.Failed != 0 || m.Denied != 8 {
		t.Errorf("%+v", m)
	}
	s.stop(t)
	if got := p.inView(t); !slices.Equal(got, []string{"bad", "fine", "old"}) {
		t.Errorf("the root holds %q", got)
	}
}
