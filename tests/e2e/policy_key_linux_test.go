package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal; what the program shows on it is kept.
type terminal struct {
	master, slave *os.File
	mu            sync.Mutex
	shown         bytes.Buffer
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		cannot(t, "there are no pseudo terminals")
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	ok(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	ok(t, err)
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(int(n)), os.O_RDWR|unix.O_NOCTTY, 0)
	ok(t, err)
	t.Cleanup(func() { slave.Close() })
	return &terminal{master: master, slave: slave}
}

// echoes reports whether what is typed is shown.
func (tt *terminal) echoes(t *testing.T) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(tt.slave.Fd()), unix.TCGETS)
	ok(t, err)
	return state.Lflag&unix.ECHO != 0
}

// Write takes what the program says beside its output: the prompts.
func (tt *terminal) Write(b []byte) (int, error) {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	return tt.shown.Write(b)
}

func (tt *terminal) said() string {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	return tt.shown.String()
}

// asks waits for a prompt, and until what is typed is hidden.
func (tt *terminal) asks(t *testing.T, prompt string) {
	t.Helper()
	until(t, "it asks "+prompt, func() bool { return strings.HasSuffix(tt.said(), prompt) && !tt.echoes(t) })
}

func (tt *terminal) types(t *testing.T, line string) {
	t.Helper()
	_, err := io.WriteString(tt.master, line+"\n")
	ok(t, err)
}

// started runs edgeftp at the terminal.
func (tt *terminal) started(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience())
	t.Cleanup(cancel)
	cmd := program{name: os.Getenv(binaryVar), args: args, dir: dir}.command(ctx, t)
	cmd.Stdin, cmd.Stderr = tt.slave, tt
	ok(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it ended, as a rule
	return cmd
}

// A key is made, kept behind a password, and signs only with it. Each use of the
// password takes 1 GiB of memory, so this is one test.
func TestKeyWithPassword(t *testing.T) {
	s := newDesk(t, "nowhere")
	tt := newTerminal(t)
	cmd := tt.started(t, s.dir, "policy", "keygen", "-o", "mine.key")
	tt.asks(t, "password for the new key: ")
	tt.types(t, "open sesame")
	tt.asks(t, "again: ")
	tt.types(t, "open sesame")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, tt.said())
	}
	if !tt.echoes(t) || strings.Contains(tt.said(), "sesame") {
		t.Errorf("the terminal is left otherwise, or shows the password: %q", tt.said())
	}
	key := filepath.Join(s.dir, "mine.key")
	if info := must(os.Stat(key))(t); info.Mode() != 0o600 {
		t.Errorf("the secret key has the mode %v", info.Mode())
	}
	cmd = tt.started(t, s.dir, "policy", "sign", "--key", "mine.key", "guard.wasm")
	tt.asks(t, "password for mine.key: ")
	tt.types(t, "open sesame")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, tt.said())
	}
	s.types(0, "policy verify --trust mine.key.pub guard.wasm")

	for name, text := range map[string]string{"right": "correct horse\nanother line\n", "wrong": "correct horses", "empty": "\nx", "long": strings.Repeat("x", 1024)} {
		ok(t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
	}
	ok(t, os.WriteFile(filepath.Join(s.dir, "tool.key"), must(os.ReadFile("../../wasmhost/trust/testdata/tool-locked.key"))(t), 0o600))
	for file, says := range map[string]string{"wrong": "does not unlock it", "empty": "has 0 bytes", "long": "has 1024 bytes", "absent": "no such file"} {
		before := s.files()
		if r := s.types(1, "policy sign --key tool.key --password-file "+file+" guard.wasm"); !strings.Contains(r.stderr, says) {
			t.Errorf("%s: %s", file, r.stderr)
		}
		if after := s.files(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s: files were written", file)
		}
	}
	s.types(0, "policy sign --key tool.key --password-file right guard.wasm")
	s.types(0, "policy verify --trust other.pub guard.wasm")
}

// The passwords differ, or the user thinks otherwise: no key is left, and a
// terminal that shows what is typed.
func TestKeyIsNotMade(t *testing.T) {
	t.Parallel()
	s := newDesk(t, "nowhere")
	before := fmt.Sprint(s.files())
	for name, c := range map[string]struct {
		act  func(*terminal, *exec.Cmd)
		says string
	}{
		"differ": {func(tt *terminal, _ *exec.Cmd) {
			tt.types(t, "one")
			tt.asks(t, "again: ")
			tt.types(t, "two")
		}, "not the same"},
		"empty":       {func(tt *terminal, _ *exec.Cmd) { tt.types(t, "") }, "0 bytes"},
		"interrupted": {func(_ *terminal, cmd *exec.Cmd) { ok(t, cmd.Process.Signal(os.Interrupt)) }, "interrupted; nothing was written"},
	} {
		tt := newTerminal(t)
		cmd := tt.started(t, s.dir, "policy", "keygen", "-o", "mine.key")
		tt.asks(t, "password for the new key: ")
		c.act(tt, cmd)
		_ = cmd.Wait() // its code is asked for next
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(tt.said(), c.says) {
			t.Errorf("%s: exit code %d\n%s", name, code, tt.said())
		}
		if !tt.echoes(t) {
			t.Errorf("%s: the terminal hides what is typed", name)
		}
		if after := fmt.Sprint(s.files()); after != before {
			t.Errorf("%s: %s", name, after)
		}
	}
}
