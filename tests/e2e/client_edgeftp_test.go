package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/ports"
)

// The program's own client visits the program's own server, each in a process of its
// own: up, down, the same again, and an interrupt in the middle that loses nothing.
func TestOwnClient(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := startServer(t, p, "--root", p.root, "--state-dir", p.state, "--listen", ports.Addr(t))
	password := p.out("password")
	textFile(t, password, s.password+"\n")
	url := "ftp://" + s.user + "@" + s.addr
	visit := func(args ...string) program {
		return program{name: os.Getenv(binaryVar), args: append(args, "--ca-file", s.ca, "--password-file", password)}
	}
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	textFile(t, p.out("src", "big"), string(text))
	textFile(t, p.out("src", "sub", "small"), "small")
	visit("mirror", p.out("src"), url+"/m", "--verify", "--parallel", "2").must(t)
	r := visit("mirror", p.out("src"), url+"/m").must(t)
	if !strings.Contains(r.stdout, "2 unchanged") {
		t.Errorf("%s", r.both())
	}
	visit("get", "-r", url+"/m/", p.out("back")).must(t)
	holds(t, p.out("back", "big"), text)
	if r := visit("bench", url+"/", "--duration", "300ms", "-o", "json").must(t); !strings.Contains(r.stdout, `"p99"`) {
		t.Errorf("%s", r.both())
	}
	ctx := t.Context()
	cmd := visit("get", url+"/m/big", p.out("slow"), "--resume", "--limit-rate", "20kB", "--progress", "json").command(ctx, t)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	part := awaitFile(t, filepath.Join(p.outside, ".edgeftp-*.part"))
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("an interrupt ends it with %v\n%s", err, &errs)
	}
	if _, err := os.Stat(part); err != nil {
		t.Errorf("the part is not kept: %v", err)
	}
	r = visit("get", url+"/m/big", p.out("slow"), "--resume", "--verify").must(t)
	if !strings.Contains(r.stdout, "continued at") || !strings.Contains(r.stdout, "verified by SHA-256") {
		t.Errorf("%s", r.both())
	}
	holds(t, p.out("slow"), text)
}

// awaitFile waits for a file that has something in it.
func awaitFile(t *testing.T, pattern string) string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(waitWithin)
	for {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			if info, err := os.Stat(found[0]); err == nil && info.Size() > 0 {
				return found[0]
			}
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("there is no %s", pattern)
		}
	}
}

func holds(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes, and not those that it should have: %v", name, len(got), err)
	}
}
