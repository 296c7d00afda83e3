package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// workshop is a policy's folder, as policy init makes it.
type workshop struct{ dir string }

func newWorkshop(t *testing.T, p place, language string) workshop {
	t.Helper()
	w := workshop{p.out("guard")}
	if r := edgeftp(t, "policy", "init", "--lang", language, "guard", "--dir", w.dir); r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.both())
	}
	return w
}

const (
	kind      = "files of this kind are not accepted here"
	guardText = "#include \"edgeftp.h\"\n\nEDGEFTP_FS(q) {\n" +
		"    return edgeftp_has_extension(q->path, \"exe\") ? edgeftp_deny(\"" + kind + "\") : edgeftp_pass();\n}\n"
	guardTests = `{"tests": [{"name": "a program", "hook": "fs", "op": "write", "path": "/a.exe", "want": {"action": "deny", "text": "` + kind + `"}}]}`
)

// smallWorkshop is one with a policy in C of a few lines, which is built and loaded in
// no time.
func smallWorkshop(t *testing.T, p place) workshop {
	t.Helper()
	need(t, "clang")
	w := newWorkshop(t, p, "c")
	for name, text := range map[string]string{"policy.c": guardText, "tests.json": guardTests, "manifest.json": `{"name": "guard", "hooks": ["fs"]}`} {
		textFile(t, filepath.Join(w.dir, name), text)
	}
	ok(t, os.Remove(filepath.Join(w.dir, "policy_test.c")))
	return w
}

func (w workshop) read(t *testing.T, name string) string {
	t.Helper()
	return string(must(os.ReadFile(filepath.Join(w.dir, name)))(t))
}

// edit replaces every old in a file, as an editor does that writes in place.
func (w workshop) edit(t *testing.T, name, old, with string) {
	t.Helper()
	text := w.read(t, name)
	if !strings.Contains(text, old) {
		t.Fatalf("%s has no %q:\n%s", name, old, text)
	}
	ok(t, os.WriteFile(filepath.Join(w.dir, name), []byte(strings.ReplaceAll(text, old, with)), 0o644))
}

// rename is edit, as an editor does that writes beside and renames: the file changes
// once.
func (w workshop) rename(t *testing.T, name, old, with string) {
	t.Helper()
	w.put(t, name, strings.ReplaceAll(w.read(t, name), old, with))
}

func (w workshop) put(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(w.dir, name)
	ok(t, os.WriteFile(path+"~", []byte(text), 0o644))
	ok(t, os.Rename(path+"~", path))
}

var lineOfMain = regexp.MustCompile(`main\.go:\d+:`)

// built waits for what comes of the n-th build that is told, and returns it. Builds
// that changed nothing are not told.
func (s *server) built(t *testing.T, n int) (r rebuilt) {
	t.Helper()
	seen := 0
	line, err := s.log.find(s.ended, readyWithin, func(line string) bool {
		switch message(line) {
		case "policy swapped", "policy not swapped", "policy unchanged":
			seen++
		default:
			return false
		}
		return seen == n
	})
	if err != nil {
		t.Fatalf("build %d: %v\n%s", n, err, s.log)
	}
	ok(t, json.Unmarshal([]byte(line), &r))
	r.Error = lineOfMain.ReplaceAllString(r.Error, "main.go:N:") // the template may grow
	return r
}

// rebuilt is the log's record of a build.
type rebuilt struct {
	Level, Msg, Policy, Changed, Build, Error string

	Gen uint64 `json:"policy_gen"`
}

// A policy is worked on while it serves: what is saved is in force for the next
// question, what is broken changes nothing, and a transfer does not notice.
func TestDevelop(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	w := smallWorkshop(t, p)
	s := p.start(t, "--policy", w.dir)
	c, up := s.login(t), s.login(t)
	body := noise("up", bulk())
	var to net.Conn
	says := func(words string) {
		t.Helper()
		if to != nil { // compilers may take longer than an upload may stand still
			must(io.CopyN(to, body, 1000))(t)
		}
		if r := c.refused(t, "STOR tool.exe", 550); !strings.Contains(r.String(), words) {
			t.Errorf("refused with %q, want %q", r, words)
		}
	}
	says(kind)
	to = up.begin(t, "STOR up.txt")
	up.half(t, to, body, bulk())

	// The policy and its tests, saved one after the other, the one in place: that may be
	// several builds, of which the last alone is taken.
	w.edit(t, "tests.json", kind, "no programs")
	w.rename(t, "policy.c", kind, "no programs")
	n := 1
	for ; s.built(t, n).Msg != "policy swapped"; n++ {
		if n > 3 {
			t.Fatal("the policy is not swapped")
		}
	}
	if r := s.built(t, n); r.Gen != 2 || !strings.Contains(r.Changed, "policy.c") || r.Build == "" || r.Policy != "guard" {
		t.Errorf("%+v", r)
	}
	says("no programs")

	n = faults(t, w, s, n, says)
	w.rename(t, "policy.c", "no software", "no programs")
	if r := s.built(t, n+1); r.Msg != "policy unchanged" || r.Gen != 2 || r.Level != "INFO" {
		t.Errorf("%+v", r)
	}

	if st := s.status(t); st.Transfers != 1 || st.OldGenerations != 1 {
		t.Errorf("the upload is to run with the policy that it began with: %+v", st)
	}
	_, err := io.Copy(to, body)
	ok(t, err)
	ok(t, userpi.End(to))
	_, err = up.Expect("the upload", 226)
	ok(t, err)
	sameSum(t, "the upload", s.in("up.txt"), sum(t, noise("up", bulk())))
	s.stop(t)
}

// faults saves what cannot be taken, after n builds, and returns how many there were
// then. Each is told in the compiler's or the server's words, and changes nothing.
func faults(t *testing.T, w workshop, s *server, n int, says func(words string)) int {
	t.Helper()
	good := w.read(t, "policy.c")
	for _, fault := range []struct{ old, with, says string }{
		{"q->path", "q->", "building the policy in DIR: clang reports faults\npolicy.c:4:37: error: expected identifier\n"},
		{"return", "nonsense; return", "building the policy in DIR: clang reports faults\npolicy.c:4:5: error: use of undeclared identifier 'nonsense'\n"},
		{"no programs", "no software", "policy \"guard\": EF2122: policy \"guard\" fails a test that it brings\n   = found:  a program: got the text \"no software\", want \"no programs\"\n" +
			"   = help:   edgeftp policy test tells more: the policy or its tests.json says the wrong thing\n   = generation 2 keeps running"},
	} {
		w.put(t, "policy.c", strings.Replace(good, fault.old, fault.with, 1))
		n++
		r := s.built(t, n)
		text := strings.ReplaceAll(r.Error, w.dir, "DIR")
		if !strings.HasPrefix(text, fault.says) || !strings.HasSuffix(text, "\n   = generation 2 keeps running") || r.Msg != "policy not swapped" || r.Level != "ERROR" || r.Changed != "policy.c" {
			t.Errorf("%+v\ngot  %q\nwant %q", r, text, fault.says)
		}
		says("no programs")
	}
	return n
}

// Two hundred writes are a few builds, and the last of them is in force.
func TestDevelopStorm(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	w := smallWorkshop(t, p)
	ok(t, os.Remove(filepath.Join(w.dir, "tests.json")))
	s := p.start(t, "--policy", w.dir)
	text := w.read(t, "policy.c")
	const writes = 200
	for i := range writes {
		ok(t, os.WriteFile(filepath.Join(w.dir, "policy.c"), []byte(strings.Replace(text, kind, fmt.Sprintf("number %d", i), 1)), 0o644))
	}
	c := s.login(t)
	until(t, "the last write is in force", func() bool {
		return strings.Contains(c.refused(t, "STOR a.exe", 550).String(), fmt.Sprintf("number %d", writes-1))
	})
	lines, _ := s.log.read()
	builds := 0
	for _, line := range lines {
		if strings.HasPrefix(message(line), "policy ") {
			builds++
		}
	}
	if builds == 0 || builds > 5 {
		t.Errorf("%d writes were %d builds", writes, builds)
	}
	t.Logf("%d writes were %d builds", writes, builds)
	s.stop(t)
}

// slowGo stands in the Go tool's place and is like it, until the file slow is there:
// then it writes down who it is, and takes its time.
func slowGo(t *testing.T, p *place) (slow, pid string) {
	t.Helper()
	slow, pid = p.out("slow"), p.out("pid")
	p.env = fakeGo(t, "if [ -e '"+slow+"' ]; then echo $$ > '"+pid+".new' && mv '"+pid+".new' '"+pid+"' && exec sleep 60; fi\nexec '"+need(t, "go")+"' \"$@\"\n")
	return slow, pid
}

// The compilers end with the server, also when that is killed.
func TestBuilderEndsWithTheServer(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *server){
		"SIGTERM": func(s *server) { s.stop(t) },
		"SIGKILL": func(s *server) { s.kill() },
	} {
		p := newPlace(t)
		slow, pid := slowGo(t, &p)
		w := newWorkshop(t, p, "go")
		s := p.start(t, "--policy", w.dir)
		textFile(t, slow, "")
		w.edit(t, "main.go", kind, "no")
		until(t, "the compiler runs", func() bool { _, err := os.Stat(pid); return err == nil })
		id := must(strconv.Atoi(strings.TrimSpace(string(must(os.ReadFile(pid))(t)))))(t)
		end(s)
		until(t, name+": the compiler is gone", func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
			return errors.Is(err, os.ErrNotExist) || strings.Contains(string(stat), ") Z ")
		})
		if left := must(filepath.Glob(filepath.Join(p.state, "cache", "build", "tmp-*")))(t); name == "SIGTERM" && len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// A folder of the configuration is watched where that is asked for, and no folder that
// clients can write to.
func TestWatchedSource(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	w := newWorkshop(t, p, "go")
	other := workshop{p.out("other")}
	ok(t, os.CopyFS(other.dir, os.DirFS(w.dir)))
	s := p.serve(t, plain()+fmt.Sprintf("policies: { modules: [{ name: guard, source: %q, watch_source: true }, { name: other, source: %q }] }\n", w.dir, other.dir))
	other.edit(t, "tests.json", kind, "no")
	other.edit(t, "main.go", kind, "no")
	w.rename(t, "main.go", "func main() {}", "func main() { nothing() }")
	if r := s.built(t, 1); r.Msg != "policy not swapped" || r.Policy != "guard" || !strings.Contains(r.Error, "./main.go:N:15: undefined: nothing") {
		t.Errorf("%+v", r)
	}
	if m := s.module(t, "other"); m.Generation != 1 {
		t.Errorf("%+v", m)
	}
	s.stop(t)

	inside := p.in("guard")
	ok(t, os.CopyFS(inside, os.DirFS(other.dir)))
	s = p.start(t, "--policy", inside)
	s.expect(t, "policy source not watched", `"policy":"guard"`, inside+" lies inside the root "+p.root+": clients could change the policy")
	s.stop(t)
	if r := edgeftp(t, "serve", "--config", p.file(t, plain()+fmt.Sprintf("policies: { modules: [{ name: guard, source: %q, watch_source: true }] }\n", inside))); r.code != 3 ||
		!strings.Contains(r.stderr, "clients could change the policy") {
		t.Errorf("exit code %d\n%s", r.code, r.both())
	}
}
