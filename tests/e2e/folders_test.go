package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// foldersFile is a configuration in which dev has a folder /made/up/pub, and everybody the
// read-only mount /archive.
func (p place) foldersFile(t *testing.T, text string) string {
	t.Helper()
	for _, dir := range []string{p.far("pub"), p.far("archive", "in")} {
		ok(t, os.MkdirAll(dir, 0o755))
	}
	ok(t, os.WriteFile(p.far("archive", "in", "old"), []byte("old"), 0o644))
	ok(t, os.WriteFile(p.in("own"), []byte("own"), 0o644))
	path := p.file(t, text)
	was := string(must(os.ReadFile(path))(t))
	is := strings.Replace(was, fmt.Sprintf("{ root: %q }", p.root), fmt.Sprintf("{ root: %q }, { mount: /archive, root: %q, read_only: true }", p.root, p.far("archive")), 1)
	ok(t, os.WriteFile(path, []byte(is), 0o600))
	return path
}

// withFolder starts a server on such a file.
func withFolder(t *testing.T) *server {
	t.Helper()
	p := newPlace(t)
	users := "users:\n  defaults: { umask: \"027\" }\n  list:\n    - { name: dev, password_hash: @HASH@, perm: elradfmwMT, umask: \"007\", folders: [{ path: /made/up/pub, root: %q }, { path: /gone, root: %q }] }\n"
	ok(t, os.MkdirAll(p.far("gone"), 0o755))
	s := startServer(t, p, "--config", p.foldersFile(t, listener()+fmt.Sprintf(users, p.far("pub"), p.far("gone"))))
	s.plain, s.user, s.password = true, "dev", secret
	return s
}

// Clients move files and trees in a folder as in any directory, and leave nothing beside it.
func TestFoldersClients(t *testing.T) {
	t.Parallel()
	s := withFolder(t)
	here := t.TempDir()
	want := noiseFile(t, filepath.Join(here, "up"), mib)
	s.curl(t, "-T", filepath.Join(here, "up"), s.url("/made/up/pub/new")).must(t)
	s.curl(t, "-o", filepath.Join(here, "down"), s.url("/made/up/pub/new")).must(t)
	sameSum(t, "by curl", filepath.Join(here, "down"), want)
	if info := must(os.Stat(s.far("pub", "new")))(t); info.Mode().Perm() != 0o660 {
		t.Errorf("the file has the mode %v", info.Mode())
	}
	if r := s.curl(t, "-T", filepath.Join(here, "up"), s.url("/archive/new")).run(t); r.code == 0 {
		t.Error("curl stored a file in what is read-only")
	}
	if list := s.curl(t, s.url("/made/up/")).must(t).stdout; !strings.Contains(list, "pub") || strings.Count(list, "\n") != 1 {
		t.Errorf("what leads to the folder lists %q", list)
	}
	src, back := source(t), filepath.Join(here, "back")
	s.lftp(t, "mirror -R --parallel=2 "+src+" /made/up/pub/tree", "mirror /made/up/pub/tree "+back).must(t)
	sameTree(t, src, s.far("pub", "tree"))
	sameTree(t, src, back)
	if got := must(os.ReadDir(s.root))(t); len(got) != 1 {
		t.Errorf("the root holds %v", got)
	}
	s.stop(t)
}

const folderScript = `
import ftplib, io, sys
f = ftplib.FTP()
f.connect(sys.argv[1], int(sys.argv[2])); f.login(sys.argv[3], sys.argv[4])
names = lambda path: sorted(n for n, facts in f.mlsd(path))
assert names("/") == ["archive", "gone", "made", "own"], names("/")
f.cwd("made/up/pub"); assert f.pwd() == "/made/up/pub", f.pwd()
f.storbinary("STOR a", io.BytesIO(b"12345")); f.rename("a", "b"); f.mkd("d"); f.rename("b", "d/b")
assert f.size("/made/up/pub/d/b") == 5
f.cwd("../.."); assert f.pwd() == "/made", f.pwd()
facts = dict((n, x) for n, x in f.mlsd("/"))
assert facts["made"]["perm"] == "el" and facts["archive"]["perm"] == "el", facts
assert "unique" in facts["archive"] and facts["archive"]["unique"] != dict(f.mlsd("/made/up"))["pub"]["unique"]
def refused(do, *args):
    try: do(*args)
    except ftplib.error_perm as e: assert str(e).startswith("550"), e
    else: raise SystemExit("%s%r was done" % (do.__name__, args))
refused(f.rename, "/own", "/made/up/pub/own"); refused(f.rename, "/made/up/pub/d/b", "/b")
refused(f.rename, "/made", "/else"); refused(f.rmd, "/made/up/pub"); refused(f.mkd, "/made/up/pub"); refused(f.mkd, "/made/new")
refused(f.delete, "/archive/in/old"); refused(f.mkd, "/archive/new"); refused(f.storbinary, "STOR /archive/new", io.BytesIO(b"x"))
refused(f.cwd, "/made/up/pub/out"); refused(f.size, "/made/up/pub/up")
f.sendcmd("SITE CPFR /own"); f.sendcmd("SITE CPTO /made/up/pub/copy"); assert f.size("/made/up/pub/copy") == 3
f.quit()
`

// Python's ftplib, and links in a folder that lead out of it.
func TestFoldersPython(t *testing.T) {
	t.Parallel()
	s := withFolder(t)
	ok(t, os.Symlink(s.root, s.far("pub", "out")))
	ok(t, os.Symlink("../archive/in/old", s.far("pub", "up")))
	host, port, err := net.SplitHostPort(s.addr)
	ok(t, err)
	program{name: python(t), args: []string{"-c", folderScript, host, port, s.user, s.password}}.must(t)
	ok(t, os.RemoveAll(s.far("gone")))
	c := s.login(t) // a folder that has gone meanwhile keeps nobody out
	c.refused(t, "RETR /gone/x", 550)
	c.want(t, "CWD /made/up/pub", 250)
	s.stop(t)
}

// The kernel moves the bytes of files in a folder, both ways.
func TestFoldersByTheKernel(t *testing.T) {
	t.Parallel()
	strace := need(t, "strace")
	s := withFolder(t)
	noiseFile(t, s.far("pub", "down"), mib)
	c := s.login(t)
	calls := traced(t, s, strace, func() {
		if got := len(c.get(t, "RETR /made/up/pub/down")); got != mib {
			t.Errorf("%d bytes came down", got)
		}
		c.put(t, "STOR /made/up/pub/up", noise("up", mib))
	})
	if calls["sendfile"].bytes != mib || calls["splice"].bytes < mib {
		t.Errorf("the kernel has moved %v", calls)
	}
	s.stop(t)
}

// A user's networks are about the client's own address, also behind a proxy; the reply is
// that of a wrong password, and the log says why.
func TestNetworksByProxy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve(t, listener("proxy_protocol: { mode: required, trusted: [127.0.0.1] }")+
		"limits: { logins: { delay_after_failure: 0s } }\nusers: { list: [{ name: dev, password_hash: @HASH@, networks: [10.0.0.0/8, \"2001:db8::/32\"] }] }\n")
	login := func(header, password string) string {
		conn := must(net.Dial("tcp", s.addr))(t)
		defer conn.Close()
		must(io.WriteString(conn, header+"\r\nUSER dev\r\nPASS "+password+"\r\n"))(t)
		in := bufio.NewReader(conn)
		for range 2 { // the greeting, and the answer to USER
			must(in.ReadString('\n'))(t)
		}
		return must(in.ReadString('\n'))(t)
	}
	inside, outside := "PROXY TCP4 10.1.2.3 192.0.2.1 1024 21", "PROXY TCP4 192.0.2.9 192.0.2.1 1024 21"
	if r := login(inside, secret); !strings.HasPrefix(r, "230 ") {
		t.Errorf("from inside: %v", r)
	}
	if r := login("PROXY TCP6 2001:db8::7 2001:db8::1 1024 21", secret); !strings.HasPrefix(r, "230 ") {
		t.Errorf("from inside by IPv6: %v", r)
	}
	wrong, elsewhere := login(inside, "wrong"), login(outside, secret)
	if !strings.HasPrefix(elsewhere, "530 ") || elsewhere != wrong {
		t.Errorf("from elsewhere: %v, with a wrong password: %v", elsewhere, wrong)
	}
	s.expect(t, "login failed", "may not log in from 192.0.2.9")
	s.stop(t)
}
