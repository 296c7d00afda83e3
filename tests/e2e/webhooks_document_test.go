package e2e

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// block is the one block of code of a language in docs/webhooks.md.
func block(t *testing.T, language string) string {
	t.Helper()
	text := must(os.ReadFile(filepath.Join("..", "..", "docs", "webhooks.md")))(t)
	found := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(text, -1)
	if len(found) != 1 {
		t.Fatalf("%d blocks of %s", len(found), language)
	}
	return string(found[0][1])
}

// TestWebhookDocument runs the receiver of docs/webhooks.md under a server, as it stands
// there: it takes what is signed by its secret, and nothing else.
func TestWebhookDocument(t *testing.T) {
	t.Parallel()
	python := need(t, "python3")
	p := newPlace(t)
	addr := ports.Addr(t)
	_, port, _ := net.SplitHostPort(addr)
	ok(t, os.WriteFile(p.out("receiver.py"), []byte(block(t, "python")), 0o600))
	cmd := exec.Command(python, p.out("receiver.py"), port)
	cmd.Env = environment("HOOK_SECRET=" + hookSecret)
	out := must(cmd.StdoutPipe())(t)
	ok(t, cmd.Start())
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			lines <- in.Text()
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	until(t, "the receiver listens", func() bool {
		conn, err := net.Dial("tcp", addr)
		return err == nil && conn.Close() == nil
	})
	p.env = append(p.env, "EDGEFTP_TEST_HOOK="+hookSecret)
	text := plain() + hookSinks(addr, "archive")
	s := p.serve(t, text)
	if r := s.admin(t, "notify", "test"); r.code != 0 || !strings.Contains(r.stdout, "ok, 204") {
		t.Errorf("%d %s", r.code, r.both())
	}
	s.uploads(t, "a", 2)
	for _, want := range []string{"notify_test edgeftp notify test: nothing has happened", "file_received /a00", "file_received /a01"} {
		select {
		case got := <-lines:
			if got != want {
				t.Errorf("the receiver says %q, want %q", got, want)
			}
		case <-time.After(waitWithin):
			t.Fatalf("the receiver does not say %q", want)
		}
	}
	p.again(t, strings.Replace(text, "${env:EDGEFTP_TEST_HOOK}", "another-secret-of-16", 1))
	s.reload(t, 0)
	if r := s.admin(t, "notify", "test"); r.code != 5 || !strings.Contains(r.stdout, "401") || !strings.Contains(r.stdout, "look at secret") {
		t.Errorf("another secret: %d %s", r.code, r.both())
	}
	s.stop(t)
}

// TestWebhookDocumentShell runs the line for a shell.
func TestWebhookDocumentShell(t *testing.T) {
	t.Parallel()
	need(t, "openssl")
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "body.json"), []byte(`{"id":"x"}`), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, need(t, "sh"), "-c", block(t, "sh"))
	cmd.Dir, cmd.Env = dir, environment("TIMESTAMP=1800000000", "HOOK_SECRET=key")
	got := strings.TrimSpace(string(must(cmd.Output())(t)))
	if want := "cc4a461f71b21229de3ee6440d476ffef0b457f706a750e452af6e06a486e03c"; got != want { // as policies/webhook has it
		t.Errorf("%q, want %s", got, want)
	}
}
