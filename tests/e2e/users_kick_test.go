package e2e

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// Sessions of a user who is disabled, removed or expired are ended at once, in a transfer
// as well as idle, and those of others go on.
func TestUserSessionsEnd(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.serve(t, unhurried()+"bandwidth: { user_default: { down: 100KB } }\n")
	ok(t, os.WriteFile(p.in("big"), make([]byte, 16*mib), 0o644))
	pw := p.secretFile(t, "x")
	other := s.login(t)
	for _, how := range [][]string{{"disable"}, {"set", "--expires", "2020-01-01"}, {"passwd", "--end-sessions", "--password-file", pw}, {"rm"}} {
		p.changed(t, "add", "anna", "--password-file", pw)
		idle, busy := s.loginAs(t, "anna", "x"), s.loginAs(t, "anna", "x")
		conn := busy.begin(t, "RETR big")
		if a := p.changed(t, append([]string{how[0], "anna"}, how[1:]...)...); a.Ended != 2 {
			t.Errorf("%s: %d sessions are ended", how[0], a.Ended)
		}
		ok(t, conn.SetDeadline(time.Now().Add(waitWithin)))
		if n, _ := io.Copy(io.Discard, conn); n >= 16*mib {
			t.Errorf("%s: the transfer went on", how[0])
		}
		r, err := idle.Reply()
		if err != nil || !r.Is(421) {
			t.Errorf("%s: the idle session is told %v, %v", how[0], r, err)
		}
		if how[0] != "rm" {
			p.changed(t, "rm", "anna")
		}
	}
	other.want(t, "NOOP", 200)
	s.stop(t)
	if log := s.log.String(); strings.Count(log, "sessions of a user were ended") < 4 {
		t.Error("the log does not say so")
	}
}
