package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// curl is a run against the server's first listener.
func (s *server) curl(t *testing.T, args ...string) program {
	t.Helper()
	flags := []string{"-q", "-sS", "-u", s.user + ":" + s.password}
	if !s.plain {
		flags = append(flags, "--ssl-reqd", "--cacert", s.ca)
	}
	return program{name: need(t, "curl"), args: append(flags, args...)}
}

// url is the address of a path on the first listener.
func (s *server) url(path string) string { return "ftp://" + s.addr + path }

// implicit returns the address of the implicit listener.
func (s *server) implicit(t *testing.T) string {
	t.Helper()
	for _, l := range s.status(t).Listeners {
		if l.TLS == "implicit" {
			return l.Address
		}
	}
	t.Fatal("no implicit listener")
	return ""
}

// What the matrix leaves out: the development authority, and the other ways of
// opening data connections.
func TestCurl(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	for _, tt := range []struct {
		name   string
		server []string
		curl   []string
	}{
		{"explicit", nil, nil},
		{"pasv", nil, []string{"--disable-epsv"}},
		{"active", []string{"--tls", "off"}, []string{"--ftp-port", "127.0.0.1"}}, // with TLS this curl has no active mode of its own
		{"implicit", []string{"--implicit", "127.0.0.1:0"}, nil},
		{"optional", []string{"--tls", "optional"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, size := start(t, tt.server...), bulk()/16
			base := "ftp://" + s.addr
			if tt.name == "implicit" {
				base = "ftps://" + s.implicit(t)
			}
			here := t.TempDir()
			want := noiseFile(t, filepath.Join(here, "up"), size)
			s.curl(t, append(tt.curl, "-T", filepath.Join(here, "up"), base+"/new/file", "--ftp-create-dirs")...).must(t)
			sameSum(t, "upload", s.in("new", "file"), want)
			s.curl(t, append(tt.curl, "-o", filepath.Join(here, "down"), base+"/new/file")...).must(t)
			sameSum(t, "download", filepath.Join(here, "down"), want)
			if list := s.curl(t, append(tt.curl, base+"/new/")...).must(t).stdout; !strings.Contains(list, fmt.Sprint(size)) || !strings.Contains(list, "file") {
				t.Errorf("the list is %q", list)
			}
			s.holds(t, "new", filepath.Join("new", "file"))
			s.stop(t)
		})
	}
}

// A client that does not know the authority, or is told another name, goes away.
func TestVerification(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	s := start(t)
	for _, args := range [][]string{
		{"--cacert", start(t).ca, s.url("/")},
		{"--connect-to", "example.net:21:" + s.addr, "ftp://example.net/"},
	} {
		if r := s.curl(t, args...).run(t); r.code != 60 {
			t.Errorf("curl %q: exit code %d, want 60\n%s", args, r.code, r.both())
		}
	}
	r := program{name: need(t, "curl"), args: []string{"-q", "-sS", "-u", s.user + ":" + s.password, s.url("/")}}.run(t)
	if r.code == 0 {
		t.Error("curl has logged in without TLS")
	}
}

// The names that the development certificate must hold, as a client checks them.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	openssl := need(t, "openssl")
	s := start(t, "--implicit", "127.0.0.1:0")
	explicit := []string{"-connect", s.addr, "-starttls", "ftp"}
	implicit := []string{"-connect", s.implicit(t)}
	for _, how := range [][]string{explicit, implicit} {
		for _, whom := range [][]string{{"-verify_ip", "127.0.0.1"}, {"-verify_hostname", "localhost"}} {
			args := append([]string{"s_client", "-CAfile", s.ca, "-verify_return_error", "-quiet"}, append(how, whom...)...)
			r := program{name: openssl, args: args, stdin: "NOOP\nQUIT\n"}.run(t)
			if !strings.Contains(r.both(), "221 ") {
				t.Errorf("openssl %q: exit code %d\n%s", args, r.code, r.both())
			}
		}
	}
}

// source is a folder of many files: a part of Go's source, or all of it.
func source(t *testing.T) string {
	t.Helper()
	root := strings.TrimSpace(program{name: need(t, "go"), args: []string{"env", "GOROOT"}}.must(t).stdout)
	if full() {
		return filepath.Join(root, "src")
	}
	return filepath.Join(root, "src", "net")
}

// lftp runs commands on a session.
func (s *server) lftp(t *testing.T, commands ...string) program {
	t.Helper()
	rc := []string{"set cmd:fail-exit yes", "set net:max-retries 2", "set net:timeout 20"}
	if s.plain {
		rc = append(rc, "set ftp:ssl-allow no")
	} else {
		rc = append(rc, "set ssl:ca-file "+s.ca, "set ftp:ssl-force yes", "set ftp:ssl-protect-data yes")
	}
	rc = append(rc, fmt.Sprintf(`open -u "%s,%s" ftp://%s`, s.user, s.password, s.addr))
	return program{name: need(t, "lftp"), args: []string{"--norc", "-c", strings.Join(append(rc, commands...), "; ")}}
}

func TestLftpMirror(t *testing.T) {
	t.Parallel()
	need(t, "lftp")
	for _, mode := range []string{"required", "off"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s, src, back := start(t, "--tls", mode), source(t), filepath.Join(t.TempDir(), "back")
			s.lftp(t, "mirror -R --parallel=4 "+src+" /tree").must(t)
			sameTree(t, src, s.in("tree"))
			s.lftp(t, "mirror --parallel=4 /tree "+back).must(t)
			sameTree(t, src, back)
			if got := must(os.ReadDir(s.root))(t); len(got) != 1 {
				t.Errorf("the root holds %v", got)
			}
			s.stop(t)
		})
	}
}

// A client with an old habit: the folder's own list in the model's form, by NLST
// and by LIST with options.
func TestListForms(t *testing.T) {
	t.Parallel()
	curl := need(t, "curl")
	s := start(t, "--tls", "off")
	textFile(t, s.in("plain.txt"), "x")
	ok(t, os.Mkdir(s.in("folder"), 0o755))
	for _, args := range [][]string{{"-l"}, {"-X", "LIST -la"}, {"-X", "MLSD"}, {"-X", "NLST"}, nil} {
		r := program{name: curl, args: append([]string{"-q", "-sS", "-u", s.user + ":" + s.password, s.url("/")}, args...)}.must(t)
		for _, name := range []string{"plain.txt", "folder"} {
			if !strings.Contains(r.stdout, name) {
				t.Errorf("curl %q does not show %s: %q", args, name, r.stdout)
			}
		}
	}
}
