package pi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// listed is what a listing came to: its lines, and the reply behind it. A command
// that is refused has no lines.
func (b *bench) listed(line string) (lines []string, code int, text string) {
	b.t.Helper()
	p := newFakePort()
	b.ports <- p
	b.do("FAKE", 200)
	conn := p.connect()
	b.must(b.client.Send(line))
	r, err := b.client.Reply()
	b.must(err)
	if r.Code == 150 {
		got, err := io.ReadAll(conn)
		b.must(err)
		lines = strings.Split(string(got), "\r\n")
		lines = lines[:len(lines)-1]
		r, err = b.client.Reply()
		b.must(err)
	}
	_ = conn.Close()
	return lines, int(r.Code), r.String()
}

// files makes files, each of which holds its own name.
func (b *bench) files(paths ...vfs.Path) {
	b.t.Helper()
	for _, p := range paths {
		b.must(b.fs.WriteFile(p, []byte(p)))
	}
}

// last returns the last words of lines: the names in a long listing.
func last(lines []string) string {
	var out []string
	for _, l := range lines {
		out = append(out, l[strings.LastIndexByte(l, ' ')+1:])
	}
	return strings.Join(out, " ")
}

// guard is a policy that lets everybody in and has its own answers about paths.
type guard struct {
	admitAll
	answers map[string]policy.Answer
	failing string
	mu      sync.Mutex
	asked   []string
}

func (g *guard) Hooks() policy.Hooks {
	return policy.Hooks{Authenticator: g, Authorizer: g, Observer: g}
}

func (g *guard) Authorize(_ context.Context, a *policy.Action) (policy.Answer, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, fmt.Sprintf("%v %s", a.Op, a.Path))
	if a.Path == g.failing {
		return policy.Answer{}, errors.New("the policy is broken")
	}
	return g.answers[a.Path], nil
}

// guardedBy puts a guard in force.
func guardedBy(t *testing.T, g *guard) func(*Config) {
	return func(c *Config) {
		c.Chain.Close()
		ch, err := chain.New(chain.Config{Clean: func(s string) (string, error) { return s, nil }}, chain.Slot{Name: "guard", Policy: g})
		if err != nil {
			t.Fatal(err)
		}
		c.Chain = ch
	}
}

func TestHideDotFiles(t *testing.T) {
	for _, c := range []struct {
		line string
		want [2]string // shown, hidden
	}{
		{"LIST", [2]string{".d .x a", "a"}}, {"LIST -a", [2]string{".d .x a", ".d .x a"}}, {"LIST -lA", [2]string{".d .x a", ".d .x a"}},
		{"NLST", [2]string{".d .x a", "a"}}, {"NLST -a", [2]string{".d .x a", ".d .x a"}}, {"MLSD", [2]string{".d .x a", "a"}},
		{"NLST *", [2]string{".d .x a", "a"}}, {"NLST .*", [2]string{".d .x", ".d .x"}}, {"NLST -a *", [2]string{".d .x a", ".d .x a"}},
		{"NLST -R", [2]string{".d .x a .d/y", "a"}}, {"NLST -Ra", [2]string{".d .x a .d/y", ".d .x a .d/y"}},
		{"NLST .d", [2]string{".d/y", ".d/y"}}, {"LIST .x", [2]string{".x", ".x"}}, {"LIST -d .d", [2]string{".d", ".d"}},
	} {
		for i, hide := range []bool{false, true} {
			b := newBench(t, func(conf *Config) { conf.Listing.HideDotFiles = hide }).own().login()
			b.files("/a", "/.x", "/.d/y")
			lines, code, _ := b.listed(c.line)
			if code != 226 || last(lines) != c.want[i] {
				t.Errorf("%s, hide %v: %q, %d", c.line, hide, last(lines), code)
			}
			b.close()
		}
	}
	b := newBench(t, func(conf *Config) { conf.Listing.HideDotFiles = true }).own().login()
	defer b.close()
	b.files("/a", "/.x")
	if r := b.do("STAT /", 212); len(r.Lines) != 3 {
		t.Errorf("%q", r)
	}
	if r := b.do("STAT -a /", 212); len(r.Lines) != 4 || !strings.Contains(r.Lines[0], `"/"`) {
		t.Errorf("%q", r)
	}
	b.do("MLST .x", 250)
}

// Times are local where the zone says so, in every listing (the model's
// use_gmt_times).
func TestZone(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Zone = time.FixedZone("", 5*3600) }).own().login()
	defer b.close()
	b.files("/a")
	when := time.Date(2001, 12, 31, 22, 30, 15, 0, time.UTC)
	b.must(b.fs.Chtimes("/a", time.Time{}, when))
	for line, want := range map[string]string{"LIST": "Jan  1  2002 a", "MLSD": "modify=20020101033015;", "LIST -l *": "Jan  1  2002 a"} {
		if lines, _, _ := b.listed(line); len(lines) != 1 || !strings.Contains(lines[0], want) {
			t.Errorf("%s: %q", line, lines)
		}
	}
	for line, want := range map[string]string{"STAT /": "Jan  1  2002 a", "MLST a": "modify=20020101033015;"} {
		if r := b.do(line, 212, 250); !strings.Contains(r.String(), want) {
			t.Errorf("%s: %q", line, r)
		}
	}
}

func TestOwners(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Listing.Owners = func(uid, gid uint32) (string, string) { return fmt.Sprint("u", uid), fmt.Sprint("g", gid) }
	}).own().login()
	defer b.close()
	b.files("/a")
	for line, want := range map[string]string{"LIST": " u0       g0 ", "LIST -n": " 0        0 "} {
		if lines, _, _ := b.listed(line); len(lines) != 1 || !strings.Contains(lines[0], want) {
			t.Errorf("%s: %q", line, lines)
		}
	}
}

func TestListLimits(t *testing.T) {
	for _, c := range []struct {
		what, line  string
		limits      ListLimits
		lines, code int
	}{
		{"all", "NLST -R", ListLimits{}, 12, 226},
		{"all", "NLST d*/*", ListLimits{}, 6, 226},
		{"entries", "NLST -R", ListLimits{Entries: 7}, 7, 451},
		{"entries", "NLST d*", ListLimits{Entries: 2}, 0, 550},
		{"entries do not count", "NLST", ListLimits{Entries: 2}, 3, 226},
		{"directories", "LIST -R", ListLimits{Directories: 2}, 1 + 3 + 2 + 2, 451},
		{"directories", "LIST d*/*", ListLimits{Directories: 2}, 0, 550},
		{"depth", "NLST -R", ListLimits{Depth: 1}, 9, 451},
		{"depth", "NLST */*", ListLimits{Depth: 1}, 0, 550},
		{"time", "NLST -R", ListLimits{Time: 1}, 0, 451},
		{"time", "NLST *", ListLimits{Time: 1}, 0, 550},
		{"off", "NLST -R", ListLimits{Depth: -1}, 3, 226},
		{"off", "NLST *", ListLimits{Depth: -1}, 0, 550},
		{"unsorted", "NLST", ListLimits{Sorted: -1}, 3, 226},
	} {
		b := newBench(t, func(conf *Config) { conf.Listing.Limits = c.limits }).own().login()
		b.files("/d1/a", "/d1/e/f", "/d2/a", "/d2/e/f", "/d3/a", "/d3/e/f")
		lines, code, text := b.listed(c.line)
		if code != c.code || len(lines) != c.lines {
			t.Errorf("%s, %s: %d lines, %s", c.what, c.line, len(lines), text)
		}
		b.do("NOOP", 200)
		b.close()
	}
}

// Every directory that a pattern or -R reads is asked about; what may not be
// listed is left out and nobody is told, and a policy that fails ends the listing.
func TestWalkAsksPolicies(t *testing.T) {
	deny, hide := policy.Answer{Verdict: policy.Deny}, policy.Answer{Verdict: policy.Hide}
	g := &guard{answers: map[string]policy.Answer{
		"/deny": deny, "/hide": hide, "/move": {Verdict: policy.Rewrite, Path: "/ok"}, "/tls": {Limits: policy.Limits{DataTLS: true}},
		"/file/x": deny, "/link": hide,
	}}
	b := newBench(t, guardedBy(t, g)).own().login()
	defer b.close()
	b.files("/deny/x", "/hide/x", "/move/lost", "/ok/x", "/tls/x", "/file/x")
	b.must(b.fs.Symlink("ok", "/link"))
	asked := func() []string {
		g.mu.Lock()
		defer g.mu.Unlock()
		defer func() { g.asked = nil }()
		return g.asked
	}
	dirs := []string{"list /deny", "list /file", "list /hide", "list /move", "list /ok", "list /tls"}
	for _, c := range []struct {
		line, want string
		asked      []string
	}{
		{"NLST -R", "deny file hide link move ok tls file/x move/x ok/x", append([]string{"list /"}, dirs...)},
		{"NLST */*", "file/x move/x ok/x", slices.Insert(append([]string{"list /"}, dirs...), 4, "list /link")},
		{"NLST */x", "deny/x hide/x link/x ok/x tls/x", nil}, // as LIST of each of them
		{"NLST -R m*", "move move/x", []string{"list /", "list /move"}},
	} {
		asked()
		lines, code, text := b.listed(c.line)
		if code != 226 || strings.Join(lines, " ") != c.want {
			t.Errorf("%s: %q, %s", c.line, lines, text)
		}
		if got := asked(); c.asked != nil && !slices.Equal(got, c.asked) {
			t.Errorf("%s: asked %q", c.line, got)
		}
	}
	for line, code := range map[string]int{"NLST deny/*": 550, "NLST hide/*": 550, "NLST deny*/*": 550, "LIST tls/*": 521, "NLST -R deny": 550} {
		if lines, got, text := b.listed(line); got != code || lines != nil {
			t.Errorf("%s: %q, %s", line, lines, text)
		}
	}
	g.failing = "/ok"
	for line, n := range map[string]int{"NLST -R": 9, "NLST */*": 0} {
		if lines, code, text := b.listed(line); code != 451 || len(lines) != n {
			t.Errorf("%s: %q, %s", line, lines, text)
		}
	}
}

// The session's own permission counts in each directory, and the perm fact says
// what is really permitted.
func TestWalkPermissions(t *testing.T) {
	b := newBench(t, nil).own().login()
	defer b.close()
	b.files("/a/x", "/b/x", "/b/c/y")
	b.do("NOOP", 200) // the owner waits for the next line
	b.sess.rank.id.Rules = []policy.PathRule{{Dir: "/b", Perms: policy.PermRead | policy.PermDelete | policy.PermChmod | policy.PermTime}}
	for line, want := range map[string]string{"NLST -R": "a b a/x", "NLST */*": "a/x", "NLST */x": "a/x"} {
		if lines, code, _ := b.listed(line); code != 226 || strings.Join(lines, " ") != want {
			t.Errorf("%s: %q, %d", line, lines, code)
		}
	}
	b.do("OPTS MLST perm;", 200)
	lines, _, _ := b.listed("MLSD")
	if want := []string{"perm=cdeflmp; a", "perm=dp; b"}; !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
	if r := b.do("MLST /", 250); !strings.Contains(r.String(), " perm=celmp; /") {
		t.Errorf("%q", r)
	}
}

// sick is a filesystem whose directories are not what they seem.
type sick struct {
	*vfs.Mem
	read func(p vfs.Path) (vfs.Dir, error) // nil, nil: as Mem does
}

func (s *sick) ReadDir(p vfs.Path) (vfs.Dir, error) {
	if dir, err := s.read(p); dir != nil || err != nil {
		return dir, err
	}
	return s.Mem.ReadDir(p)
}

// dirFunc is a directory whose entries a function makes.
type dirFunc func(n int) ([]vfs.Info, error)

func (f dirFunc) Next(n int) ([]vfs.Info, error) { return f(n) }
func (f dirFunc) Close() error                   { return nil }

// A directory that fails in the middle ends the listing with 4xx, whatever the
// error, and not with 226.
func TestListFails(t *testing.T) {
	for _, fault := range []error{fs.ErrPermission, vfs.ErrNotDirectory, errors.New("input/output error")} {
		files := &sick{}
		b := newBench(t, func(c *Config) { files.Mem = c.FS.(*vfs.Mem); c.FS = files }).own().login()
		given := false
		files.read = func(p vfs.Path) (vfs.Dir, error) {
			given = false
			return dirFunc(func(int) ([]vfs.Info, error) {
				if given {
					return nil, fault
				}
				given = true
				return []vfs.Info{{Name: "a"}, {Name: "d", Mode: fs.ModeDir}}, nil
			}), nil
		}
		for _, line := range []string{"LIST", "NLST", "MLSD", "NLST -R"} {
			lines, code, text := b.listed(line)
			if code != 451 || len(lines) != 2 {
				t.Errorf("%s, %v: %q, %s", line, fault, lines, text)
			}
		}
		b.do("STAT /", 451)
		b.close()
	}
}

// The first lines leave before the directory has been read to its end.
func TestListIsLazy(t *testing.T) {
	files := &sick{}
	b := newBench(t, func(c *Config) { files.Mem = c.FS.(*vfs.Mem); c.FS = files }).own().login()
	defer b.close()
	files.read = func(vfs.Path) (vfs.Dir, error) {
		return dirFunc(func(n int) ([]vfs.Info, error) { // without end
			return slices.Repeat([]vfs.Info{{Name: "a", ModTime: time.Now()}}, n), nil
		}), nil
	}
	for _, line := range []string{"LIST", "MLSD", "NLST", "LIST -t"} {
		conn := b.begin(line).connect()
		if _, err := io.CopyN(io.Discard, conn, 100); err != nil {
			t.Fatal(err)
		}
		b.do("ABOR", 426)
		b.expect("ABOR", 226)
		_ = conn.Close()
	}
}

// While a pattern is looked for nothing is answered but ABOR, and ABOR ends it.
func TestPatternAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := &sick{}
		b := newBench(t, func(c *Config) { files.Mem = c.FS.(*vfs.Mem); c.FS = files }).own().login()
		defer b.close()
		b.files("/a")
		goOn := make(chan bool)
		files.read = func(vfs.Path) (vfs.Dir, error) { <-goOn; return nil, nil }
		p := newFakePort()
		b.ports <- p
		b.do("FAKE", 200)
		b.must(b.client.Send("NLST *"))
		synctest.Wait()
		b.must(b.client.Send("NOOP"))
		b.must(b.client.Send("ABOR"))
		synctest.Wait()
		goOn <- true
		b.expect("NLST", 426)
		b.expect("ABOR", 226)
		b.expect("NOOP", 200)
		if !p.closed() {
			t.Error("the data port is still open")
		}
		go func() { goOn <- true }()
		if lines, code, _ := b.listed("NLST *"); code != 226 || len(lines) != 1 {
			t.Errorf("afterwards: %q, %d", lines, code)
		}
	})
}
