package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// everyday is what each of the smaller clients is made to do in a work folder
// with the file "up": make a folder, store the file in it as "a", list it, rename
// it to "b", fetch it to "down", store and delete "c". At the end the root holds
// dir and dir/b.
func everyday(t *testing.T, s *server, use func(t *testing.T, work, host, port string) (list string)) {
	t.Helper()
	work := t.TempDir()
	want := noiseFile(t, filepath.Join(work, "up"), bulk()/16)
	host, port, err := net.SplitHostPort(s.addr)
	ok(t, err)
	list := use(t, work, host, port)
	if !strings.Contains(list, "a") || !strings.Contains(list, fmt.Sprint(bulk()/16)) {
		t.Errorf("the list does not show a with its size: %q", list)
	}
	sameSum(t, "upload", s.in("dir", "b"), want)
	sameSum(t, "download", filepath.Join(work, "down"), want)
	s.holds(t, "dir", filepath.Join("dir", "b"))
	s.stop(t)
}

func TestTnftp(t *testing.T) {
	t.Parallel()
	tnftp := need(t, "tnftp")
	s := start(t, "--tls", "off")
	everyday(t, s, func(t *testing.T, work, host, port string) string {
		commands := strings.Join([]string{"user " + s.user + " " + s.password, "binary", "mkdir dir", "cd dir", "put up a",
			"ls", "rename a b", "get b down", "put up c", "delete c", "quit", ""}, "\n")
		r := program{name: tnftp, args: []string{"-n", "-v", "-p", host, port}, stdin: commands, dir: work}.must(t)
		return r.stdout
	})
}

func TestNcftp(t *testing.T) {
	t.Parallel()
	ncftp, put := need(t, "ncftp"), need(t, "ncftpput")
	s := start(t, "--tls", "off")
	everyday(t, s, func(t *testing.T, work, host, port string) string {
		account := []string{"-u", s.user, "-p", s.password, "-P", port}
		program{name: put, args: append(account, "-m", host, "dir", "up"), dir: work}.must(t)
		commands := strings.Join([]string{"cd dir", "rename up a", "ls -l", "rename a b", "get -z b down",
			"put -z up c", "rm c", "quit", ""}, "\n")
		return program{name: ncftp, args: append(account, host), stdin: commands, dir: work}.must(t).both()
	})
}

func TestRclone(t *testing.T) {
	t.Parallel()
	rclone := need(t, "rclone")
	for _, mode := range []string{"off", "required"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, "--tls", mode)
			hidden := strings.TrimSpace(program{name: rclone, args: []string{"obscure", s.password}}.must(t).stdout)
			everyday(t, s, func(t *testing.T, work, host, port string) string {
				do := func(args ...string) string {
					args = append(args, "--ftp-host", host, "--ftp-port", port, "--ftp-user", s.user, "--ftp-pass", hidden,
						"--retries", "1", "--low-level-retries", "1")
					if mode != "off" {
						args = append(args, "--ftp-explicit-tls")
					}
					return program{name: rclone, args: args, dir: work, env: []string{"SSL_CERT_FILE=" + s.ca}}.must(t).stdout
				}
				do("mkdir", ":ftp:dir")
				do("copyto", "up", ":ftp:dir/a")
				list := do("lsl", ":ftp:dir")
				do("moveto", ":ftp:dir/a", ":ftp:dir/b")
				do("copyto", ":ftp:dir/b", "down")
				do("copyto", "up", ":ftp:dir/c")
				do("deletefile", ":ftp:dir/c")
				return list
			})
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
