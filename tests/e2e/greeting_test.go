package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The commands that the greeting prints work as they are, in the folder that the
// server was started in, whatever the paths and passwords look like.
func TestGreeting(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	need(t, "lftp")
	shell := need(t, "sh")
	for name, flags := range map[string]func(p place) []string{
		"made up":       func(place) []string { return nil },
		"plain":         func(place) []string { return []string{"--tls", "off"} },
		"read only":     func(place) []string { return []string{"--read-only"} },
		"password file": func(p place) []string { return []string{"--password-file", p.out("it's a \"file\" of $HOME")} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			textFile(t, p.in("served.txt"), "x")
			textFile(t, p.out("README.md"), "to be stored")
			textFile(t, p.out("it's a \"file\" of $HOME"), "it's a $long \"password\"\n")
			p.state = p.out("my state") // a relative path with a space in the commands
			s := launch(t, p, append([]string{"--log", "human"}, p.flags(flags(p)...)...)...)
			if _, err := s.log.find(s.ended, readyWithin, func(l string) bool { return strings.Contains(l, "ready in") }); err != nil {
				t.Fatalf("%v\n%s", err, s.log)
			}
			lines := pasted(s)
			want := 3
			if name == "read only" {
				want = 2
			}
			if len(lines) != want {
				t.Errorf("%d commands are printed, want %d: %q", len(lines), want, lines)
			}
			for _, line := range lines {
				r := program{name: shell, args: []string{"-c", line}, dir: p.outside, stdin: "set cmd:fail-exit yes\ncls\nquit\n"}.run(t)
				if r.code != 0 || !strings.Contains(line, " -T ") && !strings.Contains(r.stdout, "served.txt") {
					t.Errorf("%s: exit code %d\n%s", line, r.code, r.both())
				}
			}
			if name != "read only" {
				s.content(t, "README.md", []byte("to be stored"))
			}
		})
	}
}

// pasted returns the commands of a greeting.
func pasted(s *server) []string {
	var out []string
	lines, _ := s.log.read()
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "curl ") || strings.HasPrefix(l, "lftp ") {
			out = append(out, l)
		}
	}
	return out
}

// Nothing is written but in the state directory and the root, and in the former
// nothing that others may read.
func TestWritesNowhereElse(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	elsewhere := filepath.Join(filepath.Dir(p.root), "elsewhere")
	ok(t, os.Mkdir(elsewhere, 0o755))
	p.env = []string{"HOME=" + elsewhere, "TMPDIR=" + elsewhere, "XDG_CACHE_HOME=" + elsewhere, "XDG_CONFIG_HOME=" + elsewhere}
	s := p.start(t, "--policy", testModule(t, "moody"))
	c := s.login(t)
	c.put(t, "STOR here", strings.NewReader("x"))
	c.refused(t, "STOR trap", 451, 550)
	for name, mode := range map[string]os.FileMode{"": 0o700, "ca.key": 0o600, "admin.sock": 0o600} {
		if got := must(os.Stat(filepath.Join(s.state, name)))(t).Mode().Perm(); got&^mode != 0 {
			t.Errorf("%s in the state directory has the mode %o, want %o", name, got, mode)
		}
	}
	if got := string(must(os.ReadFile(filepath.Join(s.state, ".gitignore")))(t)); strings.TrimSpace(got) != "*" {
		t.Errorf(".gitignore of the state directory: %q", got)
	}
	s.stop(t)
	for _, dir := range []string{elsewhere, p.outside} {
		if got := tree(t, dir); len(got) != 0 {
			t.Errorf("%s holds %v", dir, got)
		}
	}
	p.holds(t, "here")
}

// A state directory so deep that no socket can be bound in it by its path.
func TestDeepState(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.state = p.out(strings.Repeat("deep/", 30), "state")
	ok(t, os.MkdirAll(filepath.Dir(p.state), 0o755))
	s := launch(t, p, p.flags()...)
	if _, err := s.log.find(s.ended, readyWithin, func(l string) bool { return message(l) == "ready" }); err == nil {
		s.status(t)
		s.stop(t)
		return
	}
	code := s.wait(t, stopWithin)
	if text := oneMessage(s.log.String()); code != 3 || !strings.Contains(text, "state") || !strings.Contains(text, "help:") {
		t.Errorf("exit code %d, want 3 and one message that says what to do\n%s", code, s.log)
	}
}

// IPv6 beside IPv4.
func TestIPv6(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		cannot(t, "there is no IPv6 here: "+err.Error())
	}
	l.Close()
	s := start(t, "--listen", "[::1]:0")
	both := s.status(t).Listeners
	if len(both) != 2 {
		t.Fatalf("the listeners are %v", both)
	}
	textFile(t, s.in("file"), "by both")
	for _, l := range both {
		if r := s.curl(t, "ftp://"+l.Address+"/file").must(t); r.stdout != "by both" {
			t.Errorf("%s: %q", l.Address, r.stdout)
		}
	}
	s.stop(t)
}

// Nobody changes anything of a server that is read-only, whatever the letters
// say.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := start(t, "--read-only", "--perm", "elradfmwMT", "--anonymous")
	textFile(t, s.in("file"), "old")
	before := tree(t, s.root)
	for _, c := range []*session{s.login(t), s.loginAs(t, "anonymous", "x@example.net")} {
		if got := string(c.get(t, "RETR file")); got != "old" {
			t.Errorf("RETR: %q", got)
		}
		for _, line := range []string{"STOR new", "APPE file", "STOU", "STOR file"} {
			c.refused(t, line, 550)
		}
		for _, line := range []string{"DELE file", "MKD new", "RMD file", "RNFR file", "SITE CHMOD 777 file", "MFMT 20200101000000 file"} {
			c.want(t, line, 550)
		}
	}
	if after := tree(t, s.root); len(after) != len(before) || after["file"] != before["file"] {
		t.Errorf("the root has changed: %v", after)
	}
	s.stop(t)
}
