package soak

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// configuration is that of the server: a public one's, but for its address. The hash
// is of "secret" and cheap, so that logins do not take all of the time.
const configuration = `version: 1
instance: { state_dir: %q, allow_root: true }
listeners:
  - { name: main, address: "127.0.0.1:0", tls: { control: optional, certificate: dev } }
limits:
  sessions: { per_ip: 60 }
  logins: { delay_after_failure: 50ms }
  timeouts: { idle: 1h, login: 30s, transfer_stall: 30s }
users:
  list: [{ name: dev, password_hash: "$2a$04$SXKu1fKvJwxCeX5ADGLhTORtOrWRruqT/ClSWGwqxIHMGTJk12iCW", perm: elradfmwMT }]
storage: [{ root: %q }]
policies: { modules: [{ name: guard, source: %q, grants: { metric: true } }] }
telemetry: { metrics: { listen: "127.0.0.1:0" } }
`

// server is a running edgeftp.
type server struct {
	*testing.T
	binary, state, module string
	addr, figures         string
	client                *tls.Config
	cmd                   *exec.Cmd
	done                  chan struct{} // closed when its log has ended
	late                  int           // visits that a policy ended by being late
	faults                []string      // lines of the log that should not be; after done
}

// record is what is read of a line of the log.
type record struct {
	Level     string   `json:"level"`
	Msg       string   `json:"msg"`
	Listeners []string `json:"listeners"`
	CA        string   `json:"ca"`
	URL       string   `json:"url"`
}

// start builds and starts the server, and waits until it serves.
func start(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{T: t, binary: filepath.Join(dir, "edgeftp"), state: filepath.Join(dir, "state"), module: filepath.Join(dir, "guard.wasm"), done: make(chan struct{})}
	root, file := filepath.Join(dir, "root"), filepath.Join(dir, "edgeftp.yaml")
	module, err := os.ReadFile("../../examples/wasm/content-scan/c/content-scan.wasm")
	s.must(err)
	s.must(os.WriteFile(s.module, module, 0o600))
	s.must(os.Mkdir(root, 0o755))
	s.must(os.WriteFile(file, fmt.Appendf(nil, configuration, s.state, root, s.module), 0o600))
	if out, err := exec.Command("go", "build", "-o", s.binary, "../../cmd/edgeftp").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	s.cmd = exec.Command(s.binary, "serve", "--config", file, "--log", "json")
	log, err := s.cmd.StderrPipe()
	s.must(err)
	s.must(s.cmd.Start())
	ready := make(chan record, 2)
	go s.read(log, ready)
	t.Cleanup(s.kill)
	for s.addr == "" || s.figures == "" {
		select {
		case r := <-ready:
			s.take(r)
		case <-s.done:
			t.Fatalf("the server has ended: %q", s.faults)
		case <-time.After(time.Minute):
			t.Fatal("the server does not begin to serve")
		}
	}
	return s
}

// take notes what a record of the log tells.
func (s *server) take(r record) {
	if r.URL != "" {
		s.figures = r.URL
		return
	}
	s.addr = r.Listeners[0]
	pem, err := os.ReadFile(r.CA)
	s.must(err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		s.Fatal("the authority's file holds no certificate")
	}
	s.client = &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// read reads the log to its end.
func (s *server) read(log io.Reader, ready chan<- record) {
	defer close(s.done)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.Level == "ERROR" {
			s.faults = append(s.faults, lines.Text())
		}
		if len(r.Listeners) > 0 || r.URL != "" {
			ready <- r
		}
	}
}

func (s *server) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// kill ends a server that has not ended.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		<-s.done
		_ = s.cmd.Wait()
	}
}

// stop ends the server in order, and looks at what it said.
func (s *server) stop() {
	s.Helper()
	s.must(s.cmd.Process.Signal(syscall.SIGTERM))
	late := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	<-s.done
	if err := s.cmd.Wait(); err != nil {
		s.Errorf("the server ended with %v", err)
	}
	if len(s.faults) > 0 {
		s.Errorf("the server has met %d faults, the first: %s", len(s.faults), s.faults[0])
	}
}

// swap puts the module in its own place.
func (s *server) swap() error {
	out, err := exec.Command(s.binary, "policy", "swap", "guard", s.module, "--state-dir", s.state).CombinedOutput()
	if err != nil {
		return fmt.Errorf("policy swap: %w\n%s", err, out)
	}
	return nil
}

// holds is what the server holds.
type holds struct {
	goroutines, descriptors int
	heap, resident          int64 // bytes
}

// measure reads the server's figures.
func (s *server) measure() (holds, error) {
	client := http.Client{Timeout: userpi.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(s.figures)
	if err != nil {
		return holds{}, err
	}
	defer res.Body.Close()
	var h holds
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch name {
		case "go_goroutines":
			h.goroutines = int(n)
		case "process_open_fds":
			h.descriptors = int(n)
		case "go_memstats_heap_alloc_bytes":
			h.heap = int64(n)
		case "process_resident_memory_bytes":
			h.resident = int64(n)
		}
	}
	if h.goroutines == 0 || h.descriptors == 0 || h.heap == 0 || h.resident == 0 {
		return h, fmt.Errorf("figures are missing: %+v", h)
	}
	return h, lines.Err()
}
