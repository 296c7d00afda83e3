package edge

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// Two sessions of a user share the user's limit, which the operator may change
// while they transfer; a limit lifted ends the wait at once.
func TestUserBandwidth(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Bandwidth = Bandwidth{User: Rates{Down: 1 << 40}, Listeners: map[string]Rates{"main": {Up: 5}}, Server: Rates{Down: 1 << 41}}
	})
	defer r.stop()
	r.must(r.fs.WriteFile("/a", make([]byte, 4<<20)))
	r.srv.LimitUser("dev", Rates{Down: 64 << 10}) // 64 seconds for one file
	type result struct {
		n   int64
		err error
	}
	results := make(chan result)
	for range 2 {
		c := r.login()
		conn, err := c.Begin(userpi.EPSV, "RETR a")
		r.must(err)
		go func() {
			n, err := io.Copy(io.Discard, conn)
			conn.Close()
			if err == nil {
				_, err = c.Expect("RETR", 226)
			}
			results <- result{n, err}
		}()
	}
	b := r.srv.Bandwidth()
	if len(b.Users) != 1 || b.Users[0].Sessions != 2 || !b.Users[0].Set || len(b.Listeners) != 1 || b.Server.Down != 1<<41 {
		t.Errorf("the limits in force are %+v", b)
	}
	select {
	case res := <-results:
		t.Errorf("a transfer ended after %d bytes, %v", res.n, res.err)
	case <-time.After(200 * time.Millisecond):
	}
	r.srv.FreeUser("dev")
	for range 2 {
		if res := <-results; res.err != nil || res.n != 4<<20 {
			t.Errorf("%d bytes, %v", res.n, res.err)
		}
	}
	r.until("no user is remembered", func() bool {
		r.srv.LimitDefaults(Rates{}, Rates{})
		return r.srv.Status().Transfers == 0
	})
}

// counting is a throttle of an embedder's own.
type counting struct{ bytes atomic.Int64 }

func (c *counting) Slice() int { return 1000 }
func (c *counting) Wait(_ context.Context, n int) error {
	c.bytes.Add(int64(n))
	return nil
}

func TestOwnLimiter(t *testing.T) {
	down, up := new(counting), new(counting)
	r := start(t, func(c *Config) {
		c.Bandwidth.Server = Rates{Down: 1 << 40}
		c.Transfer.Limiter = func(who policy.Session, isDown bool) dtp.Limiter {
			switch {
			case who.User != "dev":
				return nil
			case isDown:
				return down
			}
			return up
		}
	})
	defer r.stop()
	r.must(r.fs.WriteFile("/a", make([]byte, 12345)))
	c := r.login()
	if data, err := c.Get(userpi.EPSV, "RETR a"); err != nil || len(data) != 12345 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if down.bytes.Load() != 12345 || up.bytes.Load() != 0 {
		t.Errorf("the throttle saw %d bytes down and %d up", down.bytes.Load(), up.bytes.Load())
	}
}
