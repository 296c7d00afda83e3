package crash

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

const (
	binaryVar = "EDGEFTP_BINARY"
	fullVar   = "EDGEFTP_FULL"
	user      = "dev"
	password  = "a long secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(whole{m}) }

// whole is all tests and what they have in common.
type whole struct{ *testing.M }

// Run builds the program once for all tests and removes it behind them.
func (m whole) Run() int {
	if os.Getenv(binaryVar) == "" {
		dir, err := os.MkdirTemp("", "crash")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary := filepath.Join(dir, "edgeftp")
		if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/edgeftp").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "crash: building edgeftp: %v\n%s", err, out)
			return 1
		}
		os.Setenv(binaryVar, binary)
	}
	return m.M.Run()
}

// full reports whether the long form is asked for.
func full() bool { return os.Getenv(fullVar) != "" }

// place is what survives a server.
type place struct{ root, state, config string }

// newPlace makes an empty one below a directory. Its path is short, because the name
// of a socket below it must have room in about 100 bytes.
func newPlace(t *testing.T, below string) place {
	t.Helper()
	dir, err := os.MkdirTemp(below, "crash")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	p := place{root: filepath.Join(dir, "root"), state: filepath.Join(dir, "state"), config: filepath.Join(dir, "edgeftp.yaml")}
	if err := os.Mkdir(p.root, 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

// configure writes the configuration file.
func (p place) configure(t *testing.T, durability string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`version: 1
instance: { state_dir: %q, allow_root: true }
listeners: [{ name: main, address: "127.0.0.1:0", tls: { control: optional, data: optional } }]
storage: [{ root: %q, durability: %s }]
users: { list: [{ name: %s, password_hash: %q, perm: elradfmwMT }] }
limits: { sessions: { per_ip: 0 }, logins: { parallel: 16 } }
`, p.state, p.root, durability, user, hash)
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// server is a running "edgeftp serve".
type server struct {
	addr  string
	trust *tls.Config

	started time.Time
	dead    atomic.Bool // it was killed
	cmd     *exec.Cmd
	log     strings.Builder
	ended   chan struct{}
}

// start runs the program, by another one if there is one, and waits until it is
// ready.
func (p place) start(t *testing.T, by ...string) *server {
	t.Helper()
	args := append(by, os.Getenv(binaryVar), "serve", "--log", "json", "--config", p.config)
	s := &server{started: time.Now(), cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	found := make(chan string, 1)
	go s.follow(stderr, found)
	select {
	case line := <-found:
		s.serves(t, line)
	case <-s.ended:
		t.Fatalf("the server has ended\n%s", &s.log)
	case <-time.After(time.Minute):
		t.Fatal("the server is not ready after a minute")
	}
	return s
}

// follow keeps what the server says until it ends.
func (s *server) follow(stderr io.Reader, found chan<- string) {
	defer close(s.ended)
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"msg":"ready"`) {
			found <- lines.Text()
		}
		if !strings.Contains(lines.Text(), `"msg":"transfer"`) && s.log.Len() < 1<<16 {
			s.log.WriteString(lines.Text() + "\n")
		}
	}
	_ = s.cmd.Wait()
}

// serves reads the record that says that the server serves.
func (s *server) serves(t *testing.T, line string) {
	t.Helper()
	var ready struct {
		Listeners []string
		CA        string
	}
	if err := json.Unmarshal([]byte(line), &ready); err != nil || len(ready.Listeners) == 0 {
		t.Fatalf("%v: %s", err, line)
	}
	pem, err := os.ReadFile(ready.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", ready.CA)
	}
	s.addr, s.trust = ready.Listeners[0], &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

// kill ends the process at once, wherever it is.
func (s *server) kill() {
	s.dead.Store(true)
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// login opens a session, protected if that is asked for.
func (s *server) login(protected bool) (*userpi.Client, error) {
	c, err := userpi.Dial(s.addr)
	if err != nil {
		return nil, err
	}
	if _, err = c.Expect("the connection", 220); err == nil && protected {
		err = c.Protect(s.trust)
	}
	if err == nil {
		err = c.Identify(user, password)
	}
	if err == nil {
		_, err = c.Must("TYPE I", 200)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// must is login where it has to succeed.
func (s *server) must(t *testing.T) *userpi.Client {
	t.Helper()
	c, err := s.login(false)
	if err != nil {
		t.Fatalf("login: %v\n%s", err, &s.log)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
