package pi

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// after lets d of the bubble's time go by.
func after(d time.Duration) { <-time.After(d) }

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		defer b.close()
		after(4 * time.Minute)
		b.do("NOOP", 200)
		last := time.Now()
		after(4 * time.Minute)
		_, err := b.client.Write([]byte("NO")) // bytes are no line
		b.must(err)
		b.expect("silence", 421)
		if got := time.Since(last); got != 5*time.Minute {
			t.Errorf("421 came %v after the last complete line", got)
		}
		b.must(b.client.Closed())
	})
}

func TestIdleRestsDuringTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		defer b.close()
		p := b.begin("STOR a.txt")
		after(time.Hour)
		p.put([]byte("x"))
		b.expect("STOR", 226)
		last := time.Now()
		b.expect("silence", 421)
		if got := time.Since(last); got != 5*time.Minute {
			t.Errorf("421 came %v after the transfer", got)
		}
	})
}

func TestNoIdleLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Idle = 0 }).own().login()
		defer b.close()
		after(24 * 30 * time.Hour)
		b.do("NOOP", 200)
	})
}

func TestLoginLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own()
		defer b.close()
		began := time.Now()
		b.expect("the connection", 220)
		after(50 * time.Second)
		b.do("NOOP", 200) // a line does not help
		b.do("USER dev", 331)
		b.expect("no login", 421)
		if got := time.Since(began); got != time.Minute {
			t.Errorf("421 came %v after the connection", got)
		}
	})
}

func TestLoginLimitBeginsAnewWithREIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		defer b.close()
		after(4 * time.Minute)
		b.do("REIN", 220)
		began := time.Now()
		b.expect("no login", 421)
		if got := time.Since(began); got != time.Minute {
			t.Errorf("421 came %v after REIN", got)
		}
	})
}

func TestFailDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.FailDelay = 3 * time.Second }).own()
		defer b.close()
		b.expect("the connection", 220)
		b.do("USER dev", 331)
		began := time.Now()
		b.do("PASS wrong", 530)
		if got := time.Since(began); got != 3*time.Second {
			t.Errorf("530 came after %v", got)
		}
	})
}

func TestFailDelayEndsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.FailDelay = time.Hour }).own()
		b.expect("the connection", 220)
		b.do("USER dev", 331)
		b.must(b.client.Send("PASS wrong"))
		began := time.Now()
		b.close()
		if got := time.Since(began); got != unattended {
			t.Errorf("the session outlived its connection by %v", got)
		}
	})
}

// TestPortExpiry: a port that nobody uses is closed when its time is over, and
// the session goes on.
func TestPortExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePort()
		prepare := Spec{Verb: "SOON", Handler: func(s *Session, _ Args) Outcome {
			s.setPort(p, time.Now().Add(30*time.Second))
			return Say(200, "Prepared.")
		}}
		b := newBench(t, func(c *Config) { c.Table = c.Table.With(prepare) }).own().login()
		defer b.close()
		b.do("SOON", 200)
		began := time.Now()
		<-p.gone
		if got := time.Since(began); got != 30*time.Second {
			t.Errorf("the port was closed after %v", got)
		}
		b.do("LIST", 425)
	})
}

func TestIdleWithPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFakePort()
		prepare := Spec{Verb: "LATE", Handler: func(s *Session, _ Args) Outcome {
			s.setPort(p, time.Now().Add(time.Hour))
			return Say(200, "Prepared.")
		}}
		b := newBench(t, func(c *Config) { c.Table = c.Table.With(prepare) }).own().login()
		defer b.close()
		b.do("LATE", 200)
		began := time.Now()
		b.expect("silence", 421)
		if got := time.Since(began); got != 5*time.Minute {
			t.Errorf("421 came after %v", got)
		}
		b.must(b.client.Closed())
		synctest.Wait()
		if !p.closed() {
			t.Error("the port outlives its session")
		}
	})
}

// TestUnreadReplies: a client that takes no replies does not hold its session for
// ever.
func TestUnreadReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		defer b.close()
		b.must(b.client.Send("NOOP"))
		began := time.Now()
		<-b.ended
		if got := time.Since(began); got < writeTime || got > 2*writeTime {
			t.Errorf("the session ended after %v", got)
		}
	})
}

// TestUnreadRepliesUnderTLS: the same, where a write of TLS's own lies between; and one
// reply of many records is no excuse to take them one by one without end.
func TestUnreadRepliesUnderTLS(t *testing.T) {
	for name, lines := range map[string]string{"one": "NOOP\r\n", "many": strings.Repeat("HELP\r\n", 200)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, client, err := userpi.ThrowAway() // in the bubble's time
				if err != nil {
					t.Fatal(err)
				}
				b := newBench(t, func(c *Config) { c.TLS = server }).own()
				defer b.close()
				b.expect("the connection", 220)
				b.must(b.client.Protect(client))
				b.must(b.client.Identify("dev", "secret"))
				_, err = b.client.Write([]byte(lines))
				b.must(err)
				began := time.Now()
				<-b.ended
				if got := time.Since(began); got < writeTime || got > 2*writeTime {
					t.Errorf("the session ended after %v", got)
				}
				if n := cap(b.sess.link.out); n > 1<<20 {
					t.Errorf("%d bytes of replies were kept", n)
				}
			})
		})
	}
}

func TestLoginExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		defer b.close()
		b.sess.rank.id.Expires = time.Now().Add(time.Minute) // the owner waits for a line
		b.do("NOOP", 200)
		after(2 * time.Minute)
		b.do("PWD", 421)
		b.must(b.client.Closed())
	})
}
