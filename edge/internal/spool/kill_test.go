package spool

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

const killDir = "EDGEFTP_SPOOL_KILL_TEST"

// TestKilledChild is the process that TestKill kills: it appends, reads and
// acknowledges, and says so.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		return
	}
	s := open(t, dir, Options{MaxBytes: 256 << 10})
	for n := s.next; ; n++ {
		if err := s.Append(text(n)); err != nil {
			t.Fatal(err)
		}
		said := fmt.Sprintf("\nappended %d\n", n)
		if n%2 == 0 {
			r, err := s.Next(t.Context())
			if err != nil || string(r.Data) != string(text(r.N)) {
				t.Fatalf("%d %q, %v", r.N, r.Data, err)
			}
			if err := s.Ack(r.N); err != nil {
				t.Fatal(err)
			}
			said += fmt.Sprintf("acked %d\n", r.N)
		}
		if _, err := os.Stdout.WriteString(said); err != nil {
			return // nobody listens
		}
	}
}

// TestKill: a killed process loses nothing that it said was appended or acknowledged,
// and the counters are exact.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		appended, acked := kill(t, dir, 3000+1000*round)
		s := open(t, dir, Options{MaxBytes: 256 << 10})
		last, st := s.next-1, s.Stats()
		if last < appended || s.state.acked < acked {
			t.Errorf("%d appended, %d acknowledged; said were %d, %d", last, s.state.acked, appended, acked)
		}
		if st.Lost != 0 || st.Records != last-s.state.acked {
			t.Errorf("%+v, record %d to %d", st, s.state.acked+1, last)
		}
		for n := s.state.acked + 1; n <= last; n++ {
			reads(t, s, n)
		}
		empty(t, s)
		t.Logf("%d of %d, %+v", appended, last, st)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// kill runs the child until it has said so much, kills it, and returns the last that
// it said.
func kill(t *testing.T, dir string, lines int) (appended, acked uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	var whole []string
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			break // what is cut off does not count
		}
		if whole = append(whole, line); len(whole) == lines {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || !killed {
		t.Fatalf("the child ended by itself: %v\n%s", err, strings.Join(whole, ""))
	}
	for _, line := range whole {
		if word, number, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			n, err := strconv.ParseUint(number, 10, 64)
			switch {
			case err != nil:
			case word == "appended":
				appended = n
			case word == "acked":
				acked = n
			}
		}
	}
	return appended, acked
}
