package e2e

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// A plain transfer moves its bytes without their passing through the program:
// RETR by sendfile, STOR by splice.
func TestZeroCopy(t *testing.T) {
	strace := need(t, "strace")
	s := start(t, "--tls", "off")
	n := bulk()
	noiseFile(t, s.in("down"), n)
	c := s.login(t)
	calls := traced(t, s, strace, func() {
		if got := sum(t, c.begin(t, "RETR down")); got != sum(t, noise(s.in("down"), n)) {
			t.Error("the download is not what the file holds")
		}
		_, err := c.Expect("RETR", 226)
		ok(t, err)
		conn := c.begin(t, "STOR up")
		_, err = io.Copy(conn, noise("up", n))
		ok(t, err)
		ok(t, userpi.End(conn))
		_, err = c.Expect("STOR", 226)
		ok(t, err)
	})
	sameSum(t, "upload", s.in("up"), sum(t, noise("up", n)))
	// Bytes are spliced twice: into a pipe and out of it.
	for call, want := range map[string]int64{"sendfile": n, "splice": 2 * n} {
		if calls[call].bytes < want {
			t.Errorf("%s has moved %d bytes in %d calls, want %d", call, calls[call].bytes, calls[call].count, want)
		}
		t.Logf("%s: %d bytes in %d calls", call, calls[call].bytes, calls[call].count)
	}
	s.stop(t)
}

type tally struct{ count, bytes int64 }

var returned = regexp.MustCompile(`(sendfile|splice)(?:\(| resumed).* = (\d+)$`)

// traced runs do while the server's calls of sendfile and splice are counted.
func traced(t *testing.T, s *server, strace string, do func()) map[string]tally {
	t.Helper()
	calls := map[string]tally{}
	for line := range strings.Lines(callsOf(t, s, strace, "sendfile,splice", do)) {
		if m := returned.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			sum := calls[m[1]]
			calls[m[1]] = tally{sum.count + 1, sum.bytes + number(t, m[2])}
		}
	}
	return calls
}

// callsOf runs do and returns what strace says meanwhile of some of the server's
// system calls.
func callsOf(t *testing.T, s *server, strace, which string, do func()) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "calls")
	ctx, cancel := context.WithTimeout(t.Context(), patience())
	defer cancel()
	cmd := program{name: strace, args: []string{"-f", "-p", strconv.Itoa(s.cmd.Process.Pid), "-e", "trace=" + which, "-o", out}}.command(ctx, t)
	said := newJournal()
	stderr := must(cmd.StderrPipe())(t)
	ok(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		said.scan(stderr)
		_ = cmd.Wait()
	}()
	line, err := said.find(ended, stopWithin, func(l string) bool { return strings.Contains(l, "attach") })
	if err != nil || !strings.Contains(line, "attached") {
		cancel()
		cannot(t, "strace cannot attach here: "+said.String())
	}
	do()
	ok(t, cmd.Process.Signal(os.Interrupt)) // it detaches
	<-ended
	return string(must(os.ReadFile(out))(t))
}
