package conformance

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// foreign is a server of another process, which any may be: it is known by its
// address, one user, and the directory that this user sees as "/".
type foreign struct {
	addr, user, password string
	root                 hostTree
}

// dialogueTime bounds one dialogue with a server of another process.
const dialogueTime = time.Minute

// defineFlags adds the flags that point TestBehaviours at another server.
func defineFlags() {
	flag.String("server", "", "host:port of another server, which the behaviours are tried on")
	flag.String("user", user, "its user")
	flag.String("password", password, "the user's password")
	flag.String("root", "", "the directory that the user sees as /; it is emptied!")
	flag.String("owner", "", "uid:gid of what is made in it")
}

func option(name string) string { return flag.Lookup(name).Value.String() }

// behaviours reads the numbered scripts in their order.
func behaviours(t *testing.T) []script {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("behaviours", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no behaviours: %v", err)
	}
	var out []script
	for _, p := range paths { // Glob sorts them
		s, err := readScript(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// number is that of a behaviour.
func (s script) number() string {
	n, _, _ := strings.Cut(s.name, "-")
	return n
}

// title is the first line of the header, which says what the behaviour is.
func (s script) title() string {
	first, _, _ := strings.Cut(s.header, "\n")
	_, title, _ := strings.Cut(first, ": ")
	return title
}

// TestBehaviours tries the numbered behaviours on a server of this process that
// serves a directory of the disk, each dialogue on one of its own; or, with
// -server, on another one.
func TestBehaviours(t *testing.T) {
	if option("server") != "" {
		tryForeign(t)
		return
	}
	s := newSuite(t)
	for _, sc := range behaviours(t) {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			for _, d := range sc.dialogues {
				t.Run(d.title, func(t *testing.T) {
					t.Parallel()
					playOnDisk(t, s, filepath.Join("behaviours", sc.name+".txt"), d)
				})
			}
		})
	}
}

// playOnDisk runs one dialogue against a server of its own, over a directory.
func playOnDisk(t *testing.T, s *suite, path string, d dialogue) {
	r, place := newRun(s), t.TempDir()
	root := filepath.Join(place, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	disk, err := vfs.OpenDisk(vfs.DiskConfig{Root: root, State: filepath.Join(place, "state"), Durability: vfs.DurabilityNone})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	r.fs, r.served, r.vars["root"] = hostTree{root: root}, disk, root
	settle(t, path, d.title, r, r.perform(t.Context(), d))
}

// verdict is what became of one behaviour on one server.
type verdict struct {
	passed bool
	absent string // why it could not be tried
	fault  *fault // what went otherwise, in the first dialogue that failed
	said   string // the transcript of that dialogue
}

func (v verdict) String() string {
	switch {
	case v.passed:
		return "pass"
	case v.absent != "":
		return "n/a: " + v.absent
	}
	return "fail: line " + v.fault.Error()
}

// try plays the dialogues of one behaviour with a server of another process. It
// passes when all those pass that can be played there.
func (f *foreign) try(ctx context.Context, s *suite, sc script) verdict {
	var v verdict
	for _, d := range sc.dialogues {
		said, err := f.play(ctx, s, d)
		var not elsewhere
		var f *fault
		switch {
		case errors.As(err, &not):
			v.absent = string(not)
		case errors.As(err, &f):
			return verdict{fault: f, said: said}
		case err != nil:
			return verdict{fault: &fault{step: step{word: "clear"}, err: err}}
		default:
			v.passed = true
		}
	}
	return v
}

// play plays one dialogue in an empty directory.
func (f *foreign) play(ctx context.Context, s *suite, d dialogue) (said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialogueTime)
	defer cancel()
	if err := f.root.clear(); err != nil {
		return "", err
	}
	r := newRun(s)
	r.foreign, r.fs = f, f.root
	r.vars["user"], r.vars["password"], r.vars["root"] = f.user, f.password, f.root.root
	err = r.perform(ctx, d)
	_ = r.close()
	return r.script.String(), err
}

// tryForeign tries the behaviours on the server of the flags.
func tryForeign(t *testing.T) {
	f := &foreign{
		addr: option("server"), user: option("user"), password: option("password"),
		root: hostTree{root: option("root"), owner: option("owner")},
	}
	if f.root.root == "" {
		t.Fatal("-server needs -root, the directory that the user sees as /, which is emptied for each dialogue")
	}
	if there, err := os.ReadDir(f.root.root); err != nil || len(there) > 0 {
		t.Fatalf("-root would be emptied, and so must be empty: it holds %d names, %v", len(there), err)
	}
	t.Cleanup(func() { _ = f.root.clear() })
	s := newForeignSuite(t)
	score := map[string]int{}
	for _, sc := range behaviours(t) {
		t.Run(sc.name, func(t *testing.T) {
			v := f.try(t.Context(), s, sc)
			word, _, _ := strings.Cut(v.String(), ":")
			score[word]++
			t.Logf("%s: %s", sc.name, v)
			if word == "fail" {
				t.Errorf("what was said:\n%s", v.said)
			}
		})
	}
	t.Logf("%s: %d passed, %d failed, %d not applicable", f.addr, score["pass"], score["fail"], score["n/a"])
}

// newForeignSuite is for servers whose certificate nobody vouches for.
func newForeignSuite(t *testing.T) *suite {
	t.Helper()
	s := newSuite(t)
	s.clientTLS = &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	return s
}

// TestNumbers asks for the 71 behaviours, 1 to 70 and 33b, each with a title and
// a place where it is defined.
func TestNumbers(t *testing.T) {
	want := map[string]bool{"33b": true}
	for n := 1; n <= 70; n++ {
		want[fmt.Sprintf("%02d", n)] = true
	}
	form := regexp.MustCompile(`^# ([0-9b]+): .+\n`)
	for _, sc := range behaviours(t) {
		m := form.FindStringSubmatch(sc.header)
		if m == nil || m[1] != sc.number() {
			t.Errorf("%s does not begin with its number and title", sc.name)
		}
		if !strings.Contains(sc.header, "RFC") && !strings.Contains(sc.header, "draft-") {
			t.Errorf("%s does not say where the behaviour is defined", sc.name)
		}
		if !want[sc.number()] {
			t.Errorf("%s is a behaviour too many", sc.name)
		}
		delete(want, sc.number())
	}
	for n := range want {
		t.Errorf("behaviour %s has no script", n)
	}
}
