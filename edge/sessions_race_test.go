package edge

import (
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// Transfers are aborted, limited and kicked at about the moment at which they end by
// themselves: each is answered once, with 226 or 426, the session goes on unless it was
// kicked, and no other one is hit. EDGEFTP_FULL=1 has it tried 1,000 times.
func TestRacedWithTheEnd(t *testing.T) {
	rounds := 100
	if os.Getenv("EDGEFTP_FULL") != "" {
		rounds = 1000
	}
	const size = 96 << 10
	r := start(t, func(c *Config) {
		asleep(c)
		c.Bandwidth.Transfer = Rates{Down: 16 << 20, Up: 16 << 20} // some milliseconds for each
	})
	defer r.stop()
	r.must(r.fs.WriteFile("/file", make([]byte, size)))
	bystander := r.login()
	var ended, aborted, kicked int
	c := r.login()
	for round := range rounds {
		line := "RETR file"
		if round%2 == 1 {
			line = "STOR new"
		}
		conn, err := c.Begin(userpi.EPSV, line)
		r.must(err)
		var acts sync.WaitGroup
		kick := round%4 == 3
		acts.Go(func() { r.meddle(round, kick) })
		if round%2 == 1 {
			_, _ = conn.Write(make([]byte, size))
		} else {
			_, _ = io.Copy(io.Discard, conn)
		}
		_ = conn.Close()
		reply, err := c.Expect(line, 226, 426)
		acts.Wait()
		switch {
		case kick && err == nil && reply.Is(226, 426):
			_, err = c.Expect("after the kick", 421)
			kicked++
			r.must(err)
			c = r.login()
		case err != nil:
			t.Fatalf("round %d, kick %v: %v", round, kick, err)
		case reply.Is(426):
			aborted++
		default:
			ended++
		}
		if !kick {
			r.do(c, "NOOP", 200)
		}
	}
	t.Logf("%d ended by themselves, %d were aborted, %d kicked", ended, aborted, kicked)
	if kicked == 0 || ended+aborted == 0 {
		t.Error("it was never both")
	}
	r.do(bystander, "NOOP", 200)
	if got := r.srv.Transfers(); len(got) != 0 {
		t.Errorf("transfers are left: %+v", got)
	}
	_ = c.Close()
}

// meddle waits for a transfer to be seen, for as long as there may be one, and interferes
// at a moment that differs from round to round. A kick comes in any case.
func (r *rig) meddle(round int, kick bool) {
	limit := time.Now().Add(20 * time.Millisecond)
	var id string
	session := uint64(0)
	for _, s := range r.srv.Sessions() {
		session = max(session, s.ID) // the one that transfers is the latest
	}
	for id == "" && time.Now().Before(limit) {
		if s, err := r.srv.Session(session); err == nil && s.Transfer != nil {
			id = s.Transfer.ID
		}
	}
	<-time.After(time.Duration(round%16) * 400 * time.Microsecond)
	var err error
	switch {
	case kick:
		err = r.srv.Kick(session, "")
	case id == "":
		return
	case round%3 == 0:
		err = r.srv.LimitTransfer(id, Rates{Down: 64 << 20, Up: 64 << 20})
	case round%3 == 1:
		err = r.srv.LimitSession(session, Rates{Down: 32 << 20, Up: 32 << 20})
	default:
		err = r.srv.Abort(id)
	}
	if err != nil && !errors.Is(err, ErrNoTransfer) {
		r.t.Errorf("round %d: %v", round, err)
	}
}
