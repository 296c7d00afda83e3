package parity

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// binaries is where the program is built; built builds it, once.
var (
	binaries string
	built    = sync.OnceValues(build)
)

// TestMain lets eight lines run at once, unless -parallel says otherwise: most of
// them wait.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", "8")
	}
	dir, err := os.MkdirTemp("", "edgeftp-parity")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries = dir
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func build() (string, error) {
	to := filepath.Join(binaries, "edgeftp.exe")
	out, err := exec.Command("go", "build", "-o", to, "../../cmd/edgeftp").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("building edgeftp: %w\n%s", err, out)
	}
	return to, err
}

// file is what a configuration file says beside the usual: keys of the listener
// and of the file. "tls", "active", "users" and "limits" replace the usual ones.
// @HASH@ stands for the hash of the password, @DIR@ for a directory beside the
// served one.
type file struct {
	listener string // in the form of a flow mapping: "banner: x, hosts: [a]"
	top      string // lines of the file
	more     string // further listeners: lines behind "listeners:"
	env      []string
	cert     bool // @DIR@ holds cert.pem and key.pem
	args     []string
}

// text is the file.
func (f file) text(t *testing.T, root, state, dir, events string) string {
	t.Helper()
	var b strings.Builder
	one := func(usual, key, into string) string {
		if strings.Contains(into, key+":") {
			return ""
		}
		return usual
	}
	fmt.Fprintf(&b, "version: 1\ninstance: { state_dir: %q, drain_timeout: 5s }\nstorage: [{ root: %q }]\n", state, root)
	fmt.Fprintf(&b, "listeners:\n  - { name: main, address: \"127.0.0.1:0\"%s%s%s }\n%s",
		one(", tls: { control: off }", "tls", f.listener), one(", active: { enabled: true }", "active", f.listener), after(f.listener), f.more)
	if !strings.Contains(f.top, "events:") {
		fmt.Fprintf(&b, "events: { file: %q }\n", events)
	}
	b.WriteString(one("users: { list: [{ name: dev, password_hash: @HASH@, perm: elradfmwMT }] }\n", "users", f.top))
	b.WriteString(one("limits: { logins: { delay_after_failure: 0 } }\n", "limits", f.top))
	b.WriteString(f.top)
	return strings.NewReplacer("@HASH@", `"`+hash(t)+`"`, "@DIR@", dir).Replace(b.String())
}

func after(listener string) string {
	if listener == "" {
		return ""
	}
	return ", " + listener
}

// program starts the program with a configuration file. It ends with the test, and
// has to end well.
func program(t *testing.T, f file) *site {
	t.Helper()
	s := &site{T: t, root: t.TempDir(), logs: new(notes)}
	dir := t.TempDir()
	s.events = filepath.Join(dir, "events.json")
	if f.cert {
		s.client = certificate(t, dir)
	}
	path := filepath.Join(dir, "edgeftp.yaml")
	s.must(os.WriteFile(path, []byte(f.text(t, s.root, filepath.Join(dir, "state"), dir, s.events)), 0o600))
	binary, err := built()
	s.must(err)
	args := append([]string{"serve", "--config", path, "--log", "json"}, f.args...)
	if os.Geteuid() == 0 { // as in a container
		args = append(args, "--allow-root")
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), f.env...)
	cmd.Dir = dir
	stderr, err := cmd.StderrPipe()
	s.must(err)
	s.must(cmd.Start())
	s.pid = cmd.Process.Pid
	ready, ended := make(chan []string, 1), make(chan error, 1)
	go func() {
		for in := bufio.NewScanner(stderr); in.Scan(); {
			_, _ = s.logs.Write(append(in.Bytes(), '\n'))
			var r struct {
				Msg       string
				Listeners []string
			}
			if json.Unmarshal(in.Bytes(), &r) == nil && r.Msg == "ready" {
				ready <- r.Listeners
			}
		}
		ended <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := <-ended; err != nil {
			t.Errorf("the program has ended with %v", err)
		}
		if t.Failed() {
			t.Logf("log of the program:\n%s", s.logs)
		}
	})
	select {
	case s.addrs = <-ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("the program does not serve: %v\n%s", err, s.logs)
	}
	return s
}

// refuses starts the program with a file that is wrong and returns what it says.
func refuses(t *testing.T, f file) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "edgeftp.yaml")
	text := f.text(t, t.TempDir(), filepath.Join(dir, "state"), dir, filepath.Join(dir, "events.json"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary, "config", "validate", path).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Fatalf("a wrong file is taken: %v\n%s\n%s", err, out, text)
	}
	return string(out)
}

// certificate writes cert.pem, key.pem and both.pem into a directory and returns what a
// client trusts them by.
func certificate(t *testing.T, dir string) *tls.Config {
	t.Helper()
	server, client, err := userpi.ThrowAway()
	if err != nil {
		t.Fatal(err)
	}
	pair := server.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	for name, text := range map[string]string{"cert.pem": cert, "key.pem": key, "both.pem": cert + key} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return client
}
