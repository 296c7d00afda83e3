package live

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Result is what a client program did.
type Result struct {
	Code   int    // its exit code
	Stdout string // for curl, what was fetched
	Stderr string // for curl with -v, the dialogue
}

// Both is all that it wrote.
func (r Result) Both() string { return r.Stdout + r.Stderr }

// As is the server as another user sees it, with the same password.
func (s *Server) As(user string) *Server {
	other := *s
	other.user = user
	return &other
}

// URL is the one of a path of the server, which begins with a slash.
func (s *Server) URL(path string) string {
	u := url.URL{Scheme: "ftp", Host: s.Addr, Path: path}
	return u.String()
}

// Curl runs curl as the user, with the dialogue on its standard error.
func (s *Server) Curl(t testing.TB, args ...string) Result {
	t.Helper()
	return s.CurlAs(t, Password, args...)
}

// CurlAs is Curl with another password.
func (s *Server) CurlAs(t testing.TB, password string, args ...string) Result {
	t.Helper()
	Need(t, "curl", "apt-get install curl")
	return run(t, "curl", append([]string{"-q", "-sS", "-v", "-g", "--connect-timeout", "20", "--max-time", "60",
		"-u", s.user + ":" + password}, args...)...)
}

// Put uploads text to a path.
func (s *Server) Put(t testing.TB, path, text string) Result {
	t.Helper()
	file := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.Curl(t, "-T", file, s.URL(path))
}

// Get downloads a path.
func (s *Server) Get(t testing.TB, path string) Result {
	t.Helper()
	return s.Curl(t, s.URL(path))
}

// Do sends commands, without a transfer. The first that is refused ends it, with exit
// code 21.
func (s *Server) Do(t testing.TB, commands ...string) Result {
	t.Helper()
	args := []string{"-I", s.URL("/"), "-o", os.DevNull}
	for _, c := range commands {
		args = append(args, "-Q", c)
	}
	return s.Curl(t, args...)
}

// LFTP runs commands of lftp as the user.
func (s *Server) LFTP(t testing.TB, commands string) Result {
	t.Helper()
	Need(t, "lftp", "apt-get install lftp")
	return run(t, "lftp", "--norc", "-u", s.user+","+Password, "-e",
		"set ftp:ssl-allow no; set net:max-retries 1; set net:timeout 20; set cmd:fail-exit yes; "+commands+"; bye", s.URL("/"))
}

// Want fails the test if the program's exit code is another one, or its words are
// missing in what it wrote.
func (r Result) Want(t testing.TB, code int, words ...string) Result {
	t.Helper()
	if r.Code != code {
		t.Errorf("exit code %d, want %d\n%s", r.Code, code, r.Both())
	}
	for _, w := range words {
		if !strings.Contains(r.Both(), w) {
			t.Errorf("no %q in\n%s", w, r.Both())
		}
	}
	return r
}

// Exit codes of curl.
const (
	OK         = 0
	NotAllowed = 9  // the directory cannot be entered
	NoUpload   = 25 // the upload was refused
	Refused    = 21 // a command was refused
	NoLogin    = 67
	NotFound   = 78
)

// run runs a program of its own environment for at most two minutes.
func run(t testing.TB, name string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = environment()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s: %v\n%s", name, err, stderr.String())
	}
	return Result{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}
