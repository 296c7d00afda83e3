package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// The program serves a directory, and the module decides what may be done in it.
func TestEmbed(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "a.txt"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := userpi.Dial(start(t, root, "../wasm/readonly/wat/readonly.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login("anonymous", "x@example.test"); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(userpi.EPSV, "RETR a.txt"); err != nil || string(got) != "hello" {
		t.Errorf("RETR: %q, %v", got, err)
	}
	for _, line := range []string{"DELE a.txt", "MKD b"} {
		r, err := c.Must(line, 550)
		if err != nil || !strings.Contains(r.Text(), "read-only") {
			t.Errorf("%s: %q, %v", line, r, err)
		}
	}
	if err := c.Quit(); err != nil {
		t.Error(err)
	}
}

// start builds the program and runs it until the test is over. It returns where
// it listens.
func start(t *testing.T, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "embed.exe")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, append(args, "127.0.0.1:0")...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = userpi.Timeout
	words, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // t.Context has ended
		if _ = cmd.Wait(); !cmd.ProcessState.Success() {
			t.Errorf("the program ended with %v", cmd.ProcessState)
		}
	})
	lines := bufio.NewScanner(words)
	for lines.Scan() {
		if _, addr, ok := strings.Cut(lines.Text(), "serving "); ok {
			return addr
		}
	}
	t.Fatalf("the program does not say where it listens: %v", lines.Err())
	return ""
}

// The example is to fit on one screen.
func TestShort(t *testing.T) {
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n > 40 {
		t.Errorf("main.go has %d lines, 40 are the most", n)
	}
}
