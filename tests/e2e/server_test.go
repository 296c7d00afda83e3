package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// readyWithin bounds the start of a server. The first policy that is built from
// source compiles the standard library, which takes minutes on a small machine.
const readyWithin = 5 * time.Minute

// stopWithin bounds the end of a server that has nothing left to do: less than the 30 s for
// which one waits for transfers, unless it is told otherwise.
const stopWithin = 25 * time.Second

// server is a running "edgeftp serve".
type server struct {
	place

	addr     string // of the first listener
	ca       string // a file
	user     string
	password string

	cmd   *exec.Cmd
	log   *journal
	ended chan struct{} // closed when the process is gone
	plain bool          // --tls off or optional: clients use no TLS

	passive []string // --passive-ports
}

// ready is the log record that says that a server serves.
type ready struct {
	Listeners []string `json:"listeners"`
	CA        string   `json:"ca"`
	User      string   `json:"user"`
	Password  string   `json:"password"`
}

// launch starts the process without waiting for it to serve.
func launch(t *testing.T, p place, args ...string) *server {
	t.Helper()
	return launchBy(t, p, []string{os.Getenv(binaryVar)}, args...)
}

// launchBy does the same by another program, whose arguments end with the binary.
func launchBy(t *testing.T, p place, by []string, args ...string) *server {
	t.Helper()
	return launchAs(t, p, slices.Concat(by, asRoot(slices.Concat([]string{"serve", "--log", "json"}, args))))
}

// launchAs starts a process that is a server, by all of its words.
func launchAs(t *testing.T, p place, words []string) *server {
	t.Helper()
	s := &server{place: p, log: newJournal(), ended: make(chan struct{})}
	s.cmd = exec.Command(words[0], words[1:]...)
	s.cmd.Env, s.cmd.ExtraFiles = environment(p.env...), p.files
	s.cmd.Dir = p.outside
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.ended)
		s.log.scan(stderr)
		_ = s.cmd.Wait()
	}()
	t.Cleanup(func() { s.bury(t) })
	return s
}

// startServer launches one and waits until it serves.
func startServer(t *testing.T, p place, args ...string) *server {
	t.Helper()
	s := launch(t, p, args...)
	for i, a := range args {
		s.plain = s.plain || a == "--tls" && args[i+1] != "required"
		if a == "--passive-ports" {
			s.passive = strings.Split(args[i+1], ",")
		}
	}
	s.awaitReady(t)
	return s
}

// awaitReady waits until a launched server serves, and notes what it says then.
func (s *server) awaitReady(t *testing.T) {
	t.Helper()
	line, err := s.log.find(s.ended, readyWithin, func(line string) bool { return message(line) == "ready" })
	if err != nil {
		t.Fatalf("the server is not ready: %v\n%s", err, s.log)
	}
	var r ready
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if len(r.Listeners) == 0 {
		t.Fatalf("no listener: %s", line)
	}
	if r.CA != "" && !filepath.IsAbs(r.CA) { // it is told as its own folder sees it
		r.CA = filepath.Join(s.cmd.Dir, r.CA)
	}
	s.addr, s.ca, s.user, s.password = r.Listeners[0], r.CA, r.User, r.Password
}

// environment is the test's own without what steers edgeftp or a client.
func environment(more ...string) []string {
	var out []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "EDGEFTP_") && !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			out = append(out, v)
		}
	}
	return append(out, more...)
}

// bury ends the server at the end of a test, and shows its log if the test has
// failed or the server did what no server may.
func (s *server) bury(t *testing.T) {
	s.kill()
	log := s.log.String()
	for _, bad := range []string{"panic", "DATA RACE", "fatal error"} {
		if strings.Contains(log, bad) {
			t.Errorf("the server's log says %q", bad)
		}
	}
	if t.Failed() {
		t.Logf("log of the server:\n%s", log)
	}
}

// kill ends the process as a power cut does, and waits until it is gone.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// signal sends one SIGTERM.
func (s *server) signal(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// wait waits until the process has ended by itself and returns its exit code, -1
// for a process that was ended by a signal.
func (s *server) wait(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-s.ended:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("the server has not ended after %v", within)
		return 0
	}
}

// stop ends the server in good order.
func (s *server) stop(t *testing.T) {
	t.Helper()
	s.signal(t)
	if code := s.wait(t, stopWithin); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

// alive fails the test if the server has ended.
func (s *server) alive(t *testing.T) {
	t.Helper()
	select {
	case <-s.ended:
		t.Fatal("the server has ended")
	default:
	}
}

// message returns the message of a log record, or nothing if the line is none.
func message(line string) string {
	var r struct{ Msg string }
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		return ""
	}
	return r.Msg
}

var errEnded = errors.New("the server has ended")
