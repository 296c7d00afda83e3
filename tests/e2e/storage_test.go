package e2e

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/namespaces"
)

// owner is a user with a root of his own, beside the one of storage.
const owner = "users: { list: [{ name: dev, password_hash: @HASH@, perm: elradfmwMT }, { name: own, root: %q, password_hash: @HASH@, perm: elradfmwMT }] }\n"

// storageFile writes a configuration file with further keys of storage.
func (p place) storageFile(t *testing.T, keys string) string {
	t.Helper()
	ok(t, os.MkdirAll(p.out("own"), 0o755))
	path := p.file(t, listener()+fmt.Sprintf(owner, p.out("own")))
	text := string(must(os.ReadFile(path))(t))
	ok(t, os.WriteFile(path, []byte(strings.Replace(text, fmt.Sprintf("{ root: %q }", p.root), fmt.Sprintf("{ root: %q, %s }", p.root, keys), 1)), 0o600))
	return path
}

// How often the disk is waited for: with the file's bytes and its folder, with the
// bytes alone, or never, in the root of storage as in a user's own.
func TestDurability(t *testing.T) {
	t.Parallel()
	strace := need(t, "strace")
	for word, want := range map[string]int{"full": 2, "file": 1, "none": 0} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			s := startServer(t, p, "--config", p.storageFile(t, "durability: "+word))
			s.plain = true
			for _, user := range []string{"dev", "own"} {
				c := s.loginAs(t, user, secret)
				calls := callsOf(t, s, strace, "fsync,fdatasync", func() { c.put(t, "STOR new", strings.NewReader("new")) })
				if got := strings.Count(calls, "sync("); got != want {
					t.Errorf("%s waited for the disk %d times, want %d\n%s", user, got, want, calls)
				}
			}
			s.stop(t)
		})
	}
}

// onMounts starts a server in a mount namespace in which another filesystem is
// mounted below both roots, and a directory beside them bound below.
func onMounts(t *testing.T, mounts string) *server {
	t.Helper()
	unshare := need(t, "unshare")
	namespaces.Need(t)
	p := newPlace(t)
	config := p.storageFile(t, "mounts: "+mounts)
	script := "set -e; exe=$1; shift\n"
	for _, root := range []string{p.root, p.out("own")} {
		ok(t, os.MkdirAll(filepath.Join(root, "disk"), 0o755))
		ok(t, os.MkdirAll(filepath.Join(root, "bound"), 0o755))
		ok(t, os.WriteFile(filepath.Join(root, "file"), []byte("own"), 0o644))
		script += fmt.Sprintf("mount -t tmpfs tmpfs %[1]s/disk; mkdir %[1]s/disk/in; echo there >%[1]s/disk/in/file; mount --bind %[2]s %[1]s/bound\n", root, p.out("beside"))
	}
	ok(t, os.MkdirAll(p.out("beside", "in"), 0o755))
	ok(t, os.WriteFile(p.out("beside", "in", "file"), []byte("there\n"), 0o644))
	s := launchBy(t, p, []string{unshare, "-m", "sh", "-c", script + `exec "$exe" "$@"`, "sh", os.Getenv(binaryVar)}, "--config", config)
	line := s.expect(t, `"msg":"ready"`)
	var r ready
	ok(t, jsonInto(line, &r))
	s.addr, s.plain = r.Listeners[0], true
	return s
}

// With mounts: refuse no command gets behind a mount, in the root of storage as in a
// user's own.
func TestMountsRefused(t *testing.T) {
	t.Parallel()
	s := onMounts(t, "refuse")
	for _, user := range []string{"dev", "own"} {
		c := s.loginAs(t, user, secret)
		for _, dir := range []string{"disk", "bound"} {
			for _, line := range []string{"CWD %s", "CWD %s/in", "SIZE %s/in/file", "MDTM %s/in/file", "MLST %s/in/file", "MLST %s", "STAT %s/in",
				"DELE %s/in/file", "RMD %s/in", "MKD %s/new", "RNFR %s/in/file", "SITE CHMOD 777 %s/in/file", "MFMT 20200101000000 %s/in/file",
				"SITE UTIME 20200101000000 %s/in/file", "HASH %s/in/file", "SITE CPFR %s/in/file", "AVBL %s/in"} {
				line = fmt.Sprintf(line, dir)
				if r := must(c.Do(line))(t); r.Code < 450 || r.Code == 500 {
					t.Errorf("%s: %s was answered %q", user, line, r)
				}
			}
			for _, line := range []string{"RETR %s/in/file", "STOR %s/in/file", "STOR %s/new", "APPE %s/in/file", "LIST %s/in", "NLST %s/in", "MLSD %s/in", "MLSD %s"} {
				line = fmt.Sprintf(line, dir)
				if strings.HasPrefix(line, "LIST") || strings.HasPrefix(line, "NLST") {
					if got := c.listed(t, line); strings.Contains(got, "file") {
						t.Errorf("%s: %s sent %q", user, line, got)
					}
					continue
				}
				c.refused(t, line, 550, 553)
			}
			c.want(t, "RNFR file", 350)
			c.want(t, "RNTO "+dir+"/in/moved", 550)
		}
		if got := string(c.get(t, "NLST")); got != "file\r\n" {
			t.Errorf("%s: NLST sent %q", user, got)
		}
		if got := string(c.get(t, "LIST -a")); strings.Contains(got, "disk") || strings.Contains(got, "bound") {
			t.Errorf("%s: LIST sent %q", user, got)
		}
		if got := string(c.get(t, "RETR file")); got != "own" {
			t.Errorf("%s: RETR sent %q", user, got)
		}
	}
	s.stop(t)
}

// listed is what a listing sends, empty if it is refused.
func (c *session) listed(t *testing.T, line string) string {
	t.Helper()
	p := must(c.Prepare(0))(t)
	defer p.Close()
	r := must(c.Do(line))(t)
	if r.Code >= 400 {
		return ""
	}
	conn := must(p.Open())(t)
	defer conn.Close()
	var b strings.Builder
	_, err := io.Copy(&b, conn)
	ok(t, err)
	_ = must(c.Reply())(t)
	return b.String()
}

// Otherwise what is mounted is served; a file is not moved to another filesystem, and
// the answer says why.
func TestMountsServed(t *testing.T) {
	t.Parallel()
	s := onMounts(t, "serve")
	for _, user := range []string{"dev", "own"} {
		c := s.loginAs(t, user, secret)
		for _, dir := range []string{"disk", "bound"} {
			if got := string(c.get(t, "RETR "+dir+"/in/file")); got != "there\n" {
				t.Errorf("%s: RETR sent %q", user, got)
			}
			c.put(t, "STOR "+dir+"/"+user, strings.NewReader("new"))
			c.want(t, "RNFR file", 350)
			if r := c.want(t, "RNTO "+dir+"/in/moved", 550); !strings.Contains(r.String(), "another filesystem") {
				t.Errorf("RNTO was answered %q", r)
			}
			c.want(t, "RNFR "+dir+"/"+user, 350)
			c.want(t, "RNTO "+dir+"/in/"+user, 250)
		}
	}
	s.stop(t)
}
