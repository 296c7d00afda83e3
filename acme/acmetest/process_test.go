package acmetest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/acme"
)

const (
	processes = 3
	rounds    = 50
)

// child is a node in a process of its own: it counts under the lock, or takes a lock and
// holds it. It says so in a line, and ends with its standard input.
func child(task string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := acme.OpenStorage(os.Getenv("ACMETEST_DIR"))
	if err == nil {
		if name, hold := strings.CutPrefix(task, "hold "); hold {
			err = s.Lock(ctx, name)
		} else {
			err = countUp(ctx, s)
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("done")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func countUp(ctx context.Context, s acme.Storage) error {
	for range rounds {
		if err := s.Lock(ctx, "counter"); err != nil {
			return err
		}
		text, err := s.Load(ctx, "counter")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(text))
		if err != nil {
			return err
		}
		if err := s.Store(ctx, "counter", []byte(strconv.Itoa(n+1))); err != nil {
			return err
		}
		if err := s.Unlock(ctx, "counter"); err != nil {
			return err
		}
	}
	return nil
}

// process is a node that runs.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t *testing.T, dir, task string) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "ACMETEST_NODE="+task, "ACMETEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, in, bufio.NewReader(out)}
	t.Cleanup(func() { _, _ = in.Close(), cmd.Wait() })
	return p
}

// done waits until the task is done.
func (p *process) done(t *testing.T) {
	t.Helper()
	if line, err := p.out.ReadString('\n'); line != "done\n" {
		t.Fatalf("a node says %q, %v", line, err)
	}
}

// kill ends a process as kill -9 does, and waits for that.
func (p *process) kill(t *testing.T) {
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = p.cmd.Process.Wait()
}

// Three processes count up together, and lose nothing.
func TestProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certificates")
	s, err := acme.OpenStorage(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := newBed(t, s, s)
	b.store(s, "counter", "0")
	began := time.Now()
	var nodes []*process
	for range processes {
		nodes = append(nodes, start(t, dir, "count"))
	}
	for _, p := range nodes {
		p.done(t)
	}
	b.has("counter", strconv.Itoa(processes*rounds))
	t.Logf("%d processes, %d rounds each: %s", processes, rounds, time.Since(began).Round(time.Millisecond))
	left, err := filepath.Glob(filepath.Join(dir, "locks", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("locks are left: %q, %v", left, err)
	}
}

// A process that is killed loses its lock after some seconds, and not before.
func TestKilledHolder(t *testing.T) {
	t.Parallel()
	took := Takeover(t, 12*time.Second, func(t *testing.T, name string) (acme.Storage, func()) {
		dir := filepath.Join(t.TempDir(), "certificates")
		p := start(t, dir, "hold "+name)
		p.done(t)
		s, err := acme.OpenStorage(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s, func() { p.kill(t) }
	})
	t.Logf("the lock was free %s after its holder was killed", took.Round(time.Millisecond))
}

// A lock of which its former holder had released an earlier one is free as well: that
// one's signs of life have ended. (With certmagic's own file locks it would be held for
// ever.)
func TestKilledHolderAfterMine(t *testing.T) {
	t.Parallel()
	took := Takeover(t, 12*time.Second, func(t *testing.T, name string) (acme.Storage, func()) {
		dir := filepath.Join(t.TempDir(), "certificates")
		s, err := acme.OpenStorage(dir)
		if err != nil {
			t.Fatal(err)
		}
		b := newBed(t, s, s)
		b.free(s, name)
		p := start(t, dir, "hold "+name)
		p.done(t)
		return s, func() { p.kill(t) }
	})
	t.Logf("the lock was free %s after its holder was killed", took.Round(time.Millisecond))
}

// Takeover finds out locks that a holder keeps after its death, and locks that end
// before.
func TestTakeoverMutants(t *testing.T) {
	const name, within = "issue_cert_x", 200 * time.Millisecond
	run := func(s acme.Storage, kill func()) int {
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			takeover(newBed(r, s, s), within, name, kill)
		}()
		<-done
		return len(r.said)
	}
	held := func() acme.Storage {
		s := acme.MemoryStorage()
		newBed(t, s, s).lock(s, name)
		return s
	}
	s := held()
	if failed := run(s, func() { _ = s.Unlock(t.Context(), name) }); failed > 0 {
		t.Error("a store in order fails")
	}
	if run(held(), func() {}) == 0 {
		t.Error("a lock that is held for ever was not found")
	}
	early := held()
	timer := time.AfterFunc(within, func() { _ = early.Unlock(context.Background(), name) })
	defer timer.Stop()
	if run(early, func() {}) == 0 {
		t.Error("a lock that ended before its holder was not found")
	}
}
