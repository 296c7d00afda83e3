package kv_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/kv"
)

const aloneEnv = "EDGEFTP_KV_ALONE"

// again runs a test in a process of its own, where a write that is over the limit
// fails instead of ending the process, and reports whether this is that one.
func again(t *testing.T) bool {
	if os.Getenv(aloneEnv) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=1m")
		cmd.Env = append(os.Environ(), aloneEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
			t.Errorf("%v\n%s", err, out)
		}
		return false
	}
	signal.Ignore(syscall.SIGXFSZ)
	return true
}

// limitFiles lets no file of this process grow beyond max, until the test ends or
// the function returned is called.
func limitFiles(t *testing.T, max uint64) func() {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: max, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	lift := func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(lift)
	return lift
}

// While there is no room on the disk memory goes on working; it is told of once a
// minute; and when there is room again nothing was lost and nothing comes back.
func TestDiskFull(t *testing.T) {
	if !again(t) {
		return
	}
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		path := filepath.Join(t.TempDir(), "kv")
		s := open(t, path, kv.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		p := space(t, s, "p", 4<<20)
		set(t, p, "old", "1", 0)
		set(t, p, "removed", "1", 0)
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		lift := limitFiles(t, 64<<10)
		for i := range 200 {
			set(t, p, fmt.Sprint("large", i), strings.Repeat("v", 4000), 0)
		}
		if err := s.Sync(t.Context()); err == nil {
			t.Fatal("it was written")
		}
		set(t, p, "old", "2", 0)
		for i := range 300 { // five minutes, and keys that come and go
			for j := range 10 {
				set(t, p, fmt.Sprint("short", i, j), "1", 2*time.Second)
			}
			if err := p.Set("removed", nil, 0); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		synctest.Wait() // the log is the writer's until it sleeps
		st := s.Stats()
		if !st.Failing || st.LastError == nil || st.Failures < 300 || st.Failures > 1000 || st.Unwritten < 202 || st.Unwritten > 400 || st.Lag < 5*time.Minute {
			t.Errorf("%+v", st)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n < 5 || n > 6 || !strings.Contains(log.String(), path) {
			t.Errorf("told %d times in five minutes:\n%s", n, &log)
		}
		has(t, p, "old", "2")
		lift()
		<-time.After(5 * time.Second)
		synctest.Wait()
		if st := s.Stats(); st.Failing || st.Unwritten != 0 || s.Lost() != 0 || !strings.Contains(log.String(), "written again") {
			t.Errorf("after it: %+v, %d lost\n%s", st, s.Lost(), &log)
		}
		before := s.Stats().Spaces[0]
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path, kv.Options{})
		p = space(t, s, "p", 4<<20)
		has(t, p, "old", "2")
		has(t, p, "removed", "")
		if after := s.Stats().Spaces[0]; after.Bytes != before.Bytes || after.Keys != 201 {
			t.Errorf("%+v, before %+v", after, before)
		}
	})
}

// A store that ends while the disk is full says what it loses.
func TestCloseWhileFull(t *testing.T) {
	if !again(t) {
		return
	}
	s, err := kv.Open(filepath.Join(t.TempDir(), "kv"), kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := space(t, s, "p", 4<<20)
	limitFiles(t, 64<<10)
	for i := range 200 {
		set(t, p, fmt.Sprint("large", i), strings.Repeat("v", 4000), 0)
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "changes could not be written") {
		t.Error(err)
	}
}
