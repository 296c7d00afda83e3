package live

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Name and password of the user that a server has if no others are given. The user
// may do everything.
const (
	User     = "anna"
	Password = "secret"
	// Hash is the stored form of Password, for users of policies.
	Hash = "$2a$04$3nHASK44TfQe4aY2QrUIeeLGM7hSJqTDFEvoFQJsII4eTjRm8fmQ2"
)

const (
	readyWithin = 3 * time.Minute // a module of Go is compiled for the machine first
	stopWithin  = 20 * time.Second
)

// Options are what a server is started with.
type Options struct {
	Modules []Module
	// Users are further users with Password, beside User. They may do everything.
	Users []Account
	// Nobody leaves out User and Users: who may log in is for the modules to say.
	Nobody bool
	// Config is more of the configuration: whole lines of YAML at its outermost level.
	Config string
	// Root is the served directory; a temporary one if empty.
	Root string
}

// Account is a user of the configuration; the group may be empty.
type Account struct{ Name, Group string }

// Module is one of a server's policies.
type Module struct {
	Name string
	// Dir is the folder that it is built from, if there is no Wasm.
	Dir  string
	Wasm []byte
	// Settings, Grants and Keys are YAML in the flow form: "{ limit: 5 }", "kv: true",
	// "events: durable". Each may be empty.
	Settings, Grants, Keys string
}

// Server is a running "edgeftp serve".
type Server struct {
	Addr string // 127.0.0.1 and a port
	Root string // the served directory

	cmd   *exec.Cmd
	log   *journal
	ended chan struct{} // closed when the process is gone
	user  string
	conf  string // the configuration file
	state string // the state directory
}

// Start starts a server and waits until it serves. It ends with the test; its log is
// shown if the test fails.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	// A short path: the name of a socket below it must have room in about 100 bytes.
	dir, err := os.MkdirTemp("", "live")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s := &Server{Root: o.Root, user: User, conf: filepath.Join(dir, "edgeftp.yaml"), state: filepath.Join(dir, "state")}
	if s.Root == "" {
		s.Root = filepath.Join(dir, "root")
		if err := os.Mkdir(s.Root, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(s.conf, []byte(s.config(t, dir, o)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.launch(t)
	return s
}

// config is the configuration as YAML.
func (s *Server) config(t testing.TB, dir string, o Options) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\ninstance: { state_dir: %q, drain_timeout: 5s }\nstorage: [{ root: %q }]\n", s.state, s.Root)
	b.WriteString("listeners: [{ name: main, address: 127.0.0.1:0, tls: { control: off } }]\n" +
		"limits: { logins: { delay_after_failure: 0 } }\n")
	if !o.Nobody {
		b.WriteString("users:\n  list:\n")
		for _, a := range append([]Account{{Name: User}}, o.Users...) {
			fmt.Fprintf(&b, "    - { name: %q, password_hash: %q, perm: elradfmwMT", a.Name, Hash)
			if a.Group != "" {
				fmt.Fprintf(&b, ", group: %q", a.Group)
			}
			b.WriteString(" }\n")
		}
	}
	b.WriteString(o.Config)
	if len(o.Modules) == 0 {
		return b.String()
	}
	b.WriteString("policies:\n  modules:\n")
	for _, m := range o.Modules {
		wasm := m.Wasm
		if wasm == nil {
			wasm = Build(t, m.Dir)
		}
		file := filepath.Join(dir, m.Name+".wasm")
		if err := os.WriteFile(file, wasm, 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "    - { name: %q, source: %q, grants: { %s }", m.Name, file, m.Grants)
		for key, value := range map[string]string{"settings": m.Settings, "": m.Keys} {
			switch {
			case value == "":
			case key == "":
				b.WriteString(", " + value)
			default:
				b.WriteString(", " + key + ": " + value)
			}
		}
		b.WriteString(" }\n")
	}
	return b.String()
}

// launch starts the process and waits until it serves.
func (s *Server) launch(t testing.TB) {
	t.Helper()
	s.log, s.ended = newJournal(), make(chan struct{})
	args := []string{"serve", "--log", "json", "--config", s.conf}
	if os.Geteuid() == 0 { // as in a container
		args = append(args, "--allow-root")
	}
	s.cmd = exec.Command(executable(t), args...)
	s.cmd.Env = environment()
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log, ended, cmd := s.log, s.ended, s.cmd
	go func() {
		defer close(ended)
		log.scan(stderr)
		_ = cmd.Wait() // how it ended is in the state of cmd
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("log of the server:\n%s", log)
		}
	})
	line, err := s.log.find(readyWithin, func(line string) bool { return strings.Contains(line, `"msg":"ready"`) })
	if err != nil {
		t.Fatalf("the server is not ready: %v\n%s", err, s.log)
	}
	var r struct{ Listeners []string }
	if err := json.Unmarshal([]byte(line), &r); err != nil || len(r.Listeners) == 0 {
		t.Fatalf("%v: %s", err, line)
	}
	s.Addr = r.Listeners[0]
}

// environment is the test's own without what steers edgeftp or a client.
func environment() (list []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "EDGEFTP_") && !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			list = append(list, v)
		}
	}
	return list
}

// Stop ends the server in good order.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	late := time.NewTimer(stopWithin)
	defer late.Stop()
	select {
	case <-s.ended:
		if code := s.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit code %d after SIGTERM", code)
		}
	case <-late.C:
		t.Fatal("the server does not end")
	}
}

// Restart ends the server and starts it again on the same files, on another port.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	s.launch(t)
}

// Swap puts another module into a slot of the running server, or tells why it was
// refused.
func (s *Server) Swap(t testing.TB, name string, wasm []byte) Result {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".wasm")
	if err := os.WriteFile(file, wasm, 0o600); err != nil {
		t.Fatal(err)
	}
	return run(t, executable(t), "policy", "swap", "--socket", filepath.Join(s.state, "admin.sock"), name, file)
}

// Expect waits for a line of the log that holds the words, and returns it.
func (s *Server) Expect(t testing.TB, words ...string) string {
	t.Helper()
	line, err := s.log.find(20*time.Second, func(line string) bool {
		for _, w := range words {
			if !strings.Contains(line, w) {
				return false
			}
		}
		return true
	})
	if err != nil {
		t.Fatalf("no line with %q in the log: %v", words, err)
	}
	return line
}

// In is a path of this machine below the served directory.
func (s *Server) In(elem ...string) string {
	return filepath.Join(append([]string{s.Root}, elem...)...)
}
