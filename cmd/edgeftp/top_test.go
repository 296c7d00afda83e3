package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/screen"
)

// pictured is a screenful of sessions in all states, with names that nobody should have.
func pictured(width, height int) *screenful {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	n := 3.2
	f := frame{Time: now, Down: 48_000_000, Up: 5_500_000, Denied: &n, Status: control.Status{Version: "v1", Name: "fra-1", Since: now.Add(-76*time.Hour - time.Minute),
		Sessions: 5, Most: control.Most{Total: 5000}, Generation: 12, Bans: 1, Policies: []control.Policy{{State: "active"}, {State: "failing"}},
		Certificates: &control.CertSummary{State: control.CertOK}}}
	session := func(id uint64, user, from, tls, state string) control.Session {
		return control.Session{ID: id, User: user, LoggedIn: state != control.StateLogin, State: state, TLS: tls, Peer: netip.AddrPortFrom(netip.MustParseAddr(from), 21), Dir: "/", Quiet: 41}
	}
	moves := func(s control.Session, t control.Transfer) control.Session { s.Transfer = &t; return s }
	f.Sessions = []control.Session{
		session(2, "bob", "2001:db8::9", "1.2", control.StateIdle),
		moves(session(3, "alice", "203.0.113.7", "1.3", control.StateTransfer), control.Transfer{ID: "3-12", Command: "RETR", Path: "/pub/iso/debian.iso", Data: true,
			Bytes: 1_900_000_000, Size: 3_100_000_000, Rate: 48_000_000, Limit: 50_000_000, TLS: "1.3", Resumed: true}),
		session(4, "", "198.51.100.1", "", control.StateLogin),
		moves(session(17, "ac\x1b[2Jme\u202e", "198.51.100.20", "", control.StateTransfer), control.Transfer{ID: "17-9", Command: "STOR", Up: true, Data: true,
			Path: "/in/" + strings.Repeat("日本語", 30) + "/\u202eorders\r\n.csv", Bytes: 10_500_000, Size: -1, Rate: 5_500_000}),
		session(18, "eve", "198.51.100.21", "1.3", control.StateBusy),
	}
	f.Sessions[4].Command = "HASH"
	f.Sessions[4].Limit = &control.Rates{Down: 20_000_000}
	s := &screenful{sort: "rate", width: width, height: height, keys: height > 0}
	s.take(f)
	return s
}

func TestTopPlain(t *testing.T) {
	const want = `edgeftp fra-1  up 3d04h  v1  cfg g12  sessions 5/5000  down 48 MB/s  up 5.5 MB/s  denied/min 3  policies ok 1…
SESS  USER               FROM           TLS   STATE      PATH                          DONE      RATE    LIMIT
   3  alice              203.0.113.7    1.3r  RETR       /pub/iso/debian.iso  61% of 3.1 GB   48 MB/s  50 MB/s
  17  ac\x1b[2Jme\u202e  198.51.100.20  -     STOR       …202eorders\r\n.csv          10 MB  5.5 MB/s        -
   2  bob                2001:db8::9    1.2   idle 41s   /                                -         -        -
   4  -                  198.51.100.1   -     login 41s  /                                -         -        -
  18  eve                198.51.100.21  1.3   HASH       /                                -         -  20 MB/s`
	if got := strings.Join(pictured(110, 0).lines(), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Whatever the size is, no line is wider and no picture higher than that, and nothing in it
// does anything to a terminal.
func TestTopFits(t *testing.T) {
	for _, width := range []int{20, 40, 60, 80, 120, 300} {
		for _, height := range []int{0, 4, 5, 24} {
			s := pictured(width, height)
			if height > 0 {
				s.move(screen.KeyEnd)
			}
			lines := s.lines()
			if height > 0 && len(lines) > height {
				t.Errorf("%d lines of %d", len(lines), height)
			}
			for _, l := range lines {
				if screen.Width(l) > width || strings.ContainsAny(l, "\x1b\u202e\r\n") {
					t.Errorf("%d columns of %d: %q", screen.Width(l), width, l)
				}
			}
			if height > 0 && !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "> ") }) {
				t.Errorf("%d by %d: the chosen row is not shown:\n%s", width, height, strings.Join(lines, "\n"))
			}
		}
	}
}

func TestTopColours(t *testing.T) {
	s := pictured(80, 24)
	s.colour = true
	s.move(screen.KeyHome)
	lines := s.lines()
	if !strings.HasPrefix(lines[1], "\x1b[1m") || !strings.HasPrefix(lines[2], "\x1b[7m> ") || !strings.HasSuffix(lines[2], "\x1b[0m") {
		t.Errorf("%q", lines)
	}
}

// typed presses keys and returns what they have asked for.
func (s *screenful) typed(text string) (quit bool, deeds []deed) {
	for _, k := range screen.Keys([]byte(text)) {
		end, do := s.press(k)
		if quit = quit || end; do != nil {
			deeds = append(deeds, do)
		}
	}
	return quit, deeds
}

func TestTopKeys(t *testing.T) {
	for _, c := range []struct {
		keys  string
		want  string // in the last line
		deeds int
		quit  bool
	}{
		{"q", "", 0, true},
		{"\x03", "", 0, true},
		{"/\x03", "", 0, true},
		{"k", "choose a session", 0, false},
		{"\x1b[Hk", "end session 3 of alice?", 0, false},
		{"\x1b[Hk\x1b", "q quit", 0, false},
		{"\x1b[Hkq\r", "q quit", 1, false},
		{"\x1b[Ha", "abort 3-12 of session 3", 0, false},
		{"\x1b[Han", "q quit", 0, false},
		{"\x1b[Hay", "q quit", 1, false},
		{"\x1b[Ht1MB/s\r", "q quit", 1, false},
		{"\x1b[Htfast\r", "fast", 0, false},
		{"\x1b[Fa", "has no transfer", 0, false},
		{"\x1b[Ft0\r", "q quit", 1, false},
		{"\x1b[B\x1b[B\x1b[At", "limit 3-12", 0, false},
		{"/ALI\r", "[/ALI: 1 of 5]", 0, false},
		{"/aliß\x7f\r", "[/ali: 1 of 5]", 0, false},
		{"/ali\r\x1b", " / filter", 0, false},
		{"/a\x1b", " / filter", 0, false},
		{"ssss", "s sort (session)", 0, false},
		{"sssss", "s sort (rate)", 0, false},
		{"/" + strings.Repeat("x", 1000), "x_", 0, false},
		{"zzz\x1b[Z\x00", "q quit", 0, false},
	} {
		s := pictured(1000, 24)
		quit, deeds := s.typed(c.keys)
		if last := s.last(); quit != c.quit || len(deeds) != c.deeds || !strings.Contains(last, c.want) || len(last) > 300 {
			t.Errorf("%.40q: quit %v, %d deeds, %q", c.keys, quit, len(deeds), last)
		}
	}
}

// When the chosen session ends, the one in its place is chosen: not another by its number.
func TestTopChosenEnds(t *testing.T) {
	s := pictured(120, 24)
	s.typed("\x1b[B\x1b[B")
	chosen, next := s.chosen, s.rows[s.at+1].ID
	f := s.frame
	f.Sessions = slices.DeleteFunc(slices.Clone(f.Sessions), func(x control.Session) bool { return x.ID == chosen })
	if s.take(f); s.chosen != next {
		t.Errorf("session %d is chosen, not %d", s.chosen, next)
	}
	f.Sessions = nil
	s.take(f)
	if s.typed("\x1b[A\x1b[B"); s.index() != -1 {
		t.Error("one of none is chosen")
	}
	s.lines()
}

func TestSorted(t *testing.T) {
	for by, want := range map[string][]uint64{"rate": {3, 17, 2, 4, 18}, "done": {3, 17, 2, 4, 18}, "user": {4, 17, 3, 2, 18}, "from": {4, 17, 18, 3, 2}, "session": {2, 3, 4, 17, 18}} {
		s := pictured(0, 0)
		s.sort = by
		s.arrange()
		var got []uint64
		for _, r := range s.rows {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("by %s: %v", by, got)
		}
	}
}

func TestAmounts(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9950: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB", 3_100_000_000: "3.1 GB", 1<<63 - 1: "9.2 EB"} {
		if got := amount(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{-time.Second: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m01s", 3*time.Hour + 4*time.Minute: "3h04m", 76 * time.Hour: "3d04h"} {
		if got := lasting(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for done, want := range map[[2]int64]string{{5, -1}: "5 B", {50, 200}: "25% of 200 B", {300, 200}: "300 B", {0, 0}: "0 B", {199, 200}: "99% of 200 B", {1 << 62, 1 << 62}: "100% of 4.6 EB"} {
		if got := doneOf(&control.Transfer{Bytes: done[0], Size: done[1]}); got != want {
			t.Errorf("%v is %q, want %q", done, got, want)
		}
	}
}
