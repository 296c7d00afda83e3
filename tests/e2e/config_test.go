package e2e

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/ports"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// config writes the configuration file that does what flags do, changed by edit,
// and returns its path.
func (p place) config(t *testing.T, edit func(string) string, flags ...string) string {
	t.Helper()
	r := edgeftp(t, append(append([]string{"serve"}, p.flags(flags...)...), "--print-config")...)
	if r.code != 0 || !strings.Contains(r.stdout, p.root) {
		t.Fatalf("--print-config: exit code %d\n%s", r.code, r.both())
	}
	path := p.out("edgeftp.yaml")
	ok(t, os.WriteFile(path, []byte(edit(r.stdout)), 0o600))
	return path
}

func same(text string) string { return text }

// setting replaces the value of a key that the text has.
func setting(t *testing.T, text, key, value string) string {
	t.Helper()
	re := regexp.MustCompile(`\b` + key + `: *[^,}\n]+`)
	if !re.MatchString(text) {
		t.Fatalf("--print-config has no %s:\n%s", key, text)
	}
	return re.ReplaceAllString(text, key+": "+value)
}

// The printed configuration does the same as the flags that it was made from.
func TestPrintConfig(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	password := p.out("password")
	ok(t, os.WriteFile(password, []byte("a long password\n"), 0o600))
	passive := strings.Join(ports.Some(t, 4), ",")
	flags := []string{"--user", "carol", "--password-file", password, "--perm", "elrw", "--implicit", "127.0.0.1:0",
		"--anonymous", "--policy", "guard=" + testModule(t, "moody"), "--passive-ports", passive}
	byFlags := p.start(t, flags...)
	use := func(t *testing.T, s *server) {
		if s.user != "carol" {
			t.Errorf("the user is %q", s.user)
		}
		c := s.loginAs(t, "carol", "a long password")
		c.put(t, "STOR here", strings.NewReader("x"))
		port := must(userpi.Address(c.want(t, "EPSV", 229), c.Raw().RemoteAddr()))(t)
		if _, number, _ := net.SplitHostPort(port); !slices.Contains(strings.Split(passive, ","), number) {
			t.Errorf("the passive port is %s, want one of %s", number, passive)
		}
		c.want(t, "MKD folder", 550)
		c.want(t, "DELE here", 550)
		s.refusesModule(t, c)
		s.loginAs(t, "anonymous", "e2e@example.net").refused(t, "STOR there", 550)
		s.implicit(t)
		if m := s.module(t, "guard"); m.Kind != "module" {
			t.Errorf("guard is %+v", m)
		}
		s.stop(t)
	}
	use(t, byFlags)
	use(t, startServer(t, p, "--config", p.config(t, same, flags...)))
}

// refusesModule asks for what moody denies.
func (s *server) refusesModule(t *testing.T, c *session) {
	t.Helper()
	c.refused(t, "STOR a.deny", 553)
}

// --print-config opens no port and makes no file.
func TestPrintConfigOnly(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	before := tree(t, filepath.Dir(p.root))
	r := edgeftp(t, append([]string{"serve", "--print-config"}, p.flags()...)...)
	if r.code != 0 {
		t.Fatalf("exit code %d\n%s", r.code, r.both())
	}
	if after := tree(t, filepath.Dir(p.root)); len(after) != len(before) {
		t.Errorf("it made files: %v", after)
	}
}
