package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// hostile is a name that would clear a screen and turn its own end around.
const hostile = "evil\x1b[2J\u202egpj.bin"

// shownHostile is the same on a terminal.
const shownHostile = `evil\x1b[2J\u202egpj.bin`

// live is what the admin socket tells of a session.
type live struct {
	ID        uint64
	State     string
	User, TLS string
	Peer      string
	Transfer  *moving
}

type moving struct {
	ID, Command, Path string
	Bytes, Rate       int64
	Limit             int64
	Resumed           bool
}

// sessions asks edgeftp sessions.
func (s *server) sessions(t *testing.T, args ...string) (all []live) {
	t.Helper()
	r := s.admin(t, append([]string{"sessions", "-o", "json"}, args...)...)
	if r.code != 0 {
		t.Fatalf("sessions %q: exit code %d\n%s", args, r.code, r.both())
	}
	ok(t, json.Unmarshal([]byte(r.stdout), &all))
	return all
}

// transfer waits for the transfer of a path.
func (s *server) transfer(t *testing.T, path string) moving {
	t.Helper()
	for limit := time.Now().Add(waitWithin); time.Now().Before(limit); {
		for _, l := range s.sessions(t) {
			if l.Transfer != nil && l.Transfer.Path == path {
				return *l.Transfer
			}
		}
	}
	t.Fatalf("there is no transfer of %q", path)
	return moving{}
}

// want runs a subcommand that talks to the server.
func (s *server) want(t *testing.T, code int, said string, args ...string) {
	t.Helper()
	if r := s.admin(t, args...); r.code != code || !strings.Contains(r.both(), said) {
		t.Errorf("edgeftp %s: exit code %d, want %d with %q\n%s", strings.Join(args, " "), r.code, code, said, r.both())
	}
}

// The operator sees who is there, throttles and aborts a transfer, limits and ends sessions,
// and ends what a ban is about; nothing that a client has named does anything to his
// terminal.
func TestLive(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ok(t, os.WriteFile(p.in("big"), make([]byte, 48<<20), 0o644))
	s := p.start(t, "--tls", "optional")
	defer s.stop(t)
	down, up := s.login(t), s.login(t)
	conn := down.begin(t, "RETR big")
	in := up.begin(t, "STOR "+hostile)
	_, err := in.Write(make([]byte, 100_000))
	ok(t, err)
	big := s.transfer(t, "/big")
	evil := s.transfer(t, "/"+hostile)
	if big.Command != "RETR" || evil.Command != "STOR" || big.Limit != 0 {
		t.Errorf("there are %+v and %+v", big, evil)
	}
	for _, args := range [][]string{{"sessions"}, {"transfers"}, {"top", "--count", "1"}} {
		r := s.admin(t, args...)
		if args[0] != "sessions" && !strings.Contains(r.stdout, shownHostile) || strings.ContainsAny(r.both(), "\x1b\u202e") {
			t.Errorf("edgeftp %q: %d\n%q", args, r.code, r.both())
		}
	}
	s.want(t, 0, "1.0 MB/s", "transfers", "throttle", big.ID, "1MB/s")
	if got := s.transfer(t, "/big"); got.Limit != 1_000_000 {
		t.Errorf("the limit is %d", got.Limit)
	}
	s.want(t, 0, "down 500kB/s", "sessions", "limit", strings.Split(big.ID, "-")[0], "--down", "500KB/s")
	if got := s.transfer(t, "/big"); got.Limit != 500_000 {
		t.Errorf("the limit is %d", got.Limit)
	}
	s.want(t, 0, "", "sessions", "limit", strings.Split(big.ID, "-")[0], "--clear")
	s.want(t, 0, "", "transfers", "throttle", big.ID, "0")
	s.want(t, 0, "1 transfer ended", "transfers", "abort", evil.ID)
	if _, err := up.Expect("STOR", 426); err != nil {
		t.Error(err)
	}
	up.want(t, "NOOP", 200)
	if n, err := io.Copy(io.Discard, conn); err != nil || n != 48<<20 {
		t.Errorf("the other transfer: %d bytes, %v", n, err)
	}
	ok(t, userpi.End(conn))
	if _, err := down.Expect("RETR", 226); err != nil {
		t.Error(err)
	}
	s.want(t, 0, "1 session ended", "sessions", "kick", strings.Split(evil.ID, "-")[0], "--reason", "for your own good")
	if r, err := up.Reply(); err != nil || !r.Is(421) || !strings.Contains(r.Text(), "for your own good") {
		t.Errorf("after the kick: %v, %v", r, err)
	}
	for limit := time.Now().Add(waitWithin); len(s.sessions(t, "--user", "dev")) != 1; {
		if time.Now().After(limit) {
			t.Fatalf("there are %+v", s.sessions(t))
		}
	}
	s.want(t, 0, "1 of its sessions", "ban", "add", "127.0.0.1", "--for", "1h", "--kick")
	if r, err := down.Reply(); err != nil || !r.Is(421) {
		t.Errorf("after the ban: %v, %v", r, err)
	}
	s.want(t, 0, "bans       1", "status")
	s.want(t, 0, "", "status", "--health")
}

// What is wrong is said, with the way out, and nothing has changed.
func TestLiveRefuses(t *testing.T) {
	t.Parallel()
	s := newPlace(t).start(t)
	c := s.login(t)
	for words, want := range map[string]struct {
		code int
		said string
	}{
		"sessions kick":                        {2, "by numbers, by --user or by --from"},
		"sessions kick 1 --user dev":           {2, "by numbers, by --user or by --from"},
		"sessions kick 99":                     {1, "there is no session 99"},
		"sessions kick 1-2":                    {2, "no number of a session"},
		"sessions kick --from home":            {2, "no network"},
		"sessions show 0":                      {2, "no number of a session"},
		"sessions limit 1":                     {2, "needs --down, --up or both"},
		"sessions limit 1 --down fast":         {2, "--down"},
		"sessions limit 1 --down 1MB --clear":  {2, "needs --down, --up or both"},
		"sessions limit 77 --down 1MB":         {1, "there is no session 77"},
		"transfers abort":                      {2, ""},
		"transfers abort 1-1":                  {1, "there is no transfer"},
		"transfers abort ../status":            {1, "there is no transfer"},
		"transfers throttle 1-1":               {2, "needs --down, --up or both"},
		"transfers throttle 1-1 1MB":           {1, "there is no transfer"},
		"transfers throttle 1-1 1MB --down 1B": {2, "not both"},
		"top --interval 1ms":                   {2, "100ms at least"},
		"top --sort size":                      {2, "rate, done, user, from or session"},
		"top -o yaml":                          {2, "human or json"},
		"status --watch --health":              {2, "exclude each other"},
	} {
		s.want(t, want.code, want.said, strings.Fields(words)...)
	}
	if r := edgeftp(t, "status", "--health", "--socket", filepath.Join(s.state, "none")); r.code != 1 {
		t.Errorf("the health of nobody: exit code %d\n%s", r.code, r.both())
	}
	if r := edgeftp(t, "top", "--count", "1", "--socket", filepath.Join(s.state, "none")); r.code != 4 {
		t.Errorf("top of nobody: exit code %d\n%s", r.code, r.both())
	}
	c.want(t, "NOOP", 200)
	ok(t, c.Quit())
	s.stop(t)
}

// step is what terminal.py is to do.
type step []any

// onTerminal runs edgeftp on a terminal of its own.
func (s *server) onTerminal(t *testing.T, env []string, args []string, steps ...step) (got struct {
	Code    int
	Picture string
	All     string
}) {
	t.Helper()
	words := append([]string{filepath.Join("testdata", "terminal.py"), os.Getenv(binaryVar)}, args...)
	cmd := exec.CommandContext(t.Context(), python(t), append(words, "--state-dir", s.state)...)
	cmd.Env = environment(append(env, "TERM=xterm")...)
	cmd.Stdin = bytes.NewReader(must(json.Marshal(steps))(t))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	ok(t, json.Unmarshal(out, &got))
	return got
}

// edgeftp top on a terminal: what runs is seen, filtered, sorted, throttled, aborted and
// ended with keys; the terminal changes its size, and is given back as it was.
func TestTop(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ok(t, os.WriteFile(p.in("big"), make([]byte, 48<<20), 0o644))
	s := p.start(t, "--tls", "optional")
	defer s.stop(t)
	down, up, idle := s.login(t), s.login(t), s.login(t)
	conn := down.begin(t, "RETR big")
	defer conn.Close()
	in := up.begin(t, "STOR "+hostile)
	defer in.Close()
	_, err := in.Write(make([]byte, 100_000))
	ok(t, err)
	big, evil := s.transfer(t, "/big"), s.transfer(t, "/"+hostile)
	idleID := s.sessions(t)[2].ID
	got := s.onTerminal(t, []string{"NO_COLOR=1"}, []string{"top", "--interval", "200ms", "--sort", "session"},
		step{"size", 14, 110},
		step{"expect", "sessions 3"}, step{"expect", shownHostile}, step{"expect", "> "},
		step{"send", "t"}, step{"expect", "limit " + big.ID}, step{"send", "1MX\x7fB/s\r"}, step{"expect", "is limited to 1.0 MB/s"},
		step{"send", "\x1b[B"}, step{"send", "a"}, step{"expect", "abort " + evil.ID}, step{"send", "y"}, step{"expect", "was aborted"},
		step{"send", "/idle\r"}, step{"expect", "[/idle: 2 of 3]"}, step{"lacks", "RETR"}, step{"send", "\x1b"}, step{"expect", "RETR"},
		step{"send", "\x1b[F"}, step{"expect", fmt.Sprintf(">    %d", idleID)}, step{"send", "a"}, step{"expect", "has no transfer"},
		step{"send", "k"}, step{"expect", "end session"}, step{"send", "enough\r"}, step{"expect", "was ended"}, step{"expect", "sessions 2"},
		step{"send", "ss"}, step{"expect", "s sort (done)"}, step{"size", 9, 60}, step{"expect", "…"}, step{"send", "q"}, step{"end"})
	t.Logf("the last picture:\n%s", got.Picture)
	if got.Code != 0 || !strings.HasSuffix(strings.TrimSpace(got.All), "\x1b[?25h\x1b[?1049l") {
		t.Errorf("exit code %d; at the end came %.80q", got.Code, got.All[max(0, len(got.All)-80):])
	}
	if strings.Contains(got.All, "\u202e") || strings.Contains(got.All, "\x1b[2J") || strings.Contains(got.All, "\x1b[7m") {
		t.Errorf("the terminal was told what it must not be: %q", got.All)
	}
	if _, err := up.Expect("STOR", 426); err != nil {
		t.Error(err)
	}
	if r, err := idle.Reply(); err != nil || !r.Is(421) || !strings.Contains(r.Text(), "enough") {
		t.Errorf("after the kick: %v, %v", r, err)
	}
	if now := s.transfer(t, "/big"); now.Limit != 1_000_000 {
		t.Errorf("the limit is %d", now.Limit)
	}
	r := s.admin(t, "top", "--count", "2", "--interval", "100ms", "-o", "json")
	frames := strings.Split(strings.TrimSpace(r.stdout), "\n")
	var last struct {
		Status   struct{ Sessions int }
		Sessions []live
		Denied   *float64 `json:"denied_per_minute"`
	}
	if len(frames) != 2 || json.Unmarshal([]byte(frames[1]), &last) != nil || last.Status.Sessions != 2 || len(last.Sessions) != 2 || last.Denied == nil {
		t.Errorf("top -o json: %d frames\n%s", len(frames), r.both())
	}
}
