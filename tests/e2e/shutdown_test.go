package e2e

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// circling is a policy that never comes back by itself, from events and from the hooks
// that a session waits for.
const circling = "#include \"edgeftp.h\"\n\nstatic volatile int on = 1;\n\n" +
	"EDGEFTP_EVENT(q) { (void)q; while (on) {} return edgeftp_pass(); }\n" +
	"EDGEFTP_FS(q) { if (edgeftp_has_extension(q->path, \"circle\")) { while (on) {} } return edgeftp_pass(); }\n"

// endRounds is how often the process is ended in the middle of everything.
func endRounds() int {
	if full() {
		return 20
	}
	return 2
}

// With modules that never come back, and with transfers, digests and logins at any stage,
// the process is gone a second after the limit, or after the second signal, in good order. Where
// the machine is busy with others it is so once in twenty rounds at least.
func TestEndInTheMiddleOfEverything(t *testing.T) {
	p := newPlace(t)
	w := smallWorkshop(t, p)
	ok(t, os.Remove(filepath.Join(w.dir, "tests.json")))
	w.put(t, "policy.c", circling)
	w.put(t, "manifest.json", `{"name": "guard", "hooks": ["event", "fs"]}`)
	r := edgeftp(t, "policy", "build", w.dir)
	if r.code != 0 {
		t.Fatal(r.both())
	}
	noiseFile(t, p.in("big"), 32*mib)
	text := plain() + fmt.Sprintf("limits: { sessions: { per_ip: 200 }, logins: { parallel: 1 } }\npolicies: { modules: [{ name: guard, source: %q, on_error: allow }] }\n", w.dir)
	const limit = time.Second
	conf := strings.Replace(string(must(os.ReadFile(p.file(t, text)))(t)), "drain_timeout: 5s", "drain_timeout: 1s", 1)
	ok(t, os.WriteFile(p.out("edgeftp.yaml"), []byte(conf), 0o600))
	inTime := map[bool]bool{} // by whether there was a second signal
	for round := 0; round < endRounds() || round < 20 && len(inTime) < 2; round++ {
		s := startServer(t, p, "--config", p.out("edgeftp.yaml"))
		s.plain, s.user, s.password = true, "dev", secret
		told := s.engage(t, 40)
		begun := time.Now()
		s.signal(t)
		within := limit
		if round%2 == 1 {
			s.closed(t)
			begun, within = time.Now(), 0
			s.signal(t)
		}
		code := s.wait(t, within+stopWithin)
		took := time.Since(begun)
		if code != 0 {
			t.Errorf("round %d: exit code %d", round, code)
		}
		switch {
		case took <= within+time.Second:
			inTime[within == 0] = true
		case full(): // which has the machine to itself
			t.Errorf("round %d: it took %v, the limit is %v", round, took, within)
		}
		for c, what := range told {
			if err := saysAborted(c); err != nil {
				t.Errorf("round %d: %s: %v", round, what, err)
			}
		}
		if log := s.log.String(); !strings.Contains(log, "transfers were aborted") {
			t.Errorf("round %d: nothing is said of the transfers:\n%s", round, log)
		}
		t.Logf("round %d: %v after the limit", round, took-within)
	}
	if len(inTime) < 2 {
		t.Errorf("the end was never in time, or only with a second signal (true) or without (false): %v", inTime)
	}
}

// engage has n clients do everything that a server may be in the middle of, and returns
// those that have a transfer.
func (s *server) engage(t *testing.T, n int) map[*session]string {
	t.Helper()
	told := map[*session]string{}
	for i := range n {
		c := s.login(t)
		switch i % 8 {
		case 0, 1:
			told[c] = "download"
			c.begin(t, "RETR big")
		case 2:
			told[c] = "upload"
			to := c.begin(t, fmt.Sprintf("STOR up%d", i))
			_, err := io.WriteString(to, "some bytes")
			ok(t, err)
		case 3:
			ok(t, c.Send("HASH big"))
		case 4:
			ok(t, c.Send("MKD new.circle"))
		case 5:
			must(c.Must("EPSV", 229))(t)
			ok(t, c.Send("RETR big"))
		case 6:
			other, _ := s.raw(t)
			ok(t, other.Send("USER dev\r\nPASS "+secret))
		case 7:
			ok(t, c.Send("STOR new.circle"))
		}
	}
	return told
}

// saysAborted reads to the end of a session.
func saysAborted(c *session) error {
	for {
		r, err := c.Reply()
		switch {
		case err != nil:
			return fmt.Errorf("the end came without a word: %w", err)
		case r.Code == 426:
			return nil
		}
	}
}

// Two signals one after the other, with nothing to be aborted: nothing is said to have
// been.
func TestTwoSignals(t *testing.T) {
	t.Parallel()
	fastest := stopWithin // of five: the machine may be busy
	for range 5 {
		s := start(t, "--tls", "off")
		c := s.login(t)
		begun := time.Now()
		s.signal(t)
		s.signal(t)
		if code := s.wait(t, stopWithin); code != 0 {
			t.Errorf("exit code %d", code)
		}
		fastest = min(fastest, time.Since(begun))
		if log := s.log.String(); strings.Contains(log, "aborted") {
			t.Errorf("nothing ran:\n%s", log)
		}
		if r, err := c.Reply(); err != nil || !r.Is(421) {
			t.Errorf("the last word was %q, %v", r, err)
		}
	}
	if fastest > time.Second {
		t.Errorf("it took %v at least", fastest)
	}
}
