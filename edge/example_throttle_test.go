package edge_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// allowance is a throttle of one's own: so many bytes per second, and so many in
// all, for all transfers that share it.
type allowance struct {
	rate int

	mu   sync.Mutex
	left int
	paid time.Time // when everything that has moved is paid for
}

// Slice is how much may move before the next Wait: here, a fiftieth of a second's
// worth.
func (a *allowance) Slice() int { return a.rate / 50 }

// Wait is called after each piece, which the kernel may have moved by itself. An
// error ends the transfer; one that is a wire.Reply is what the client hears.
func (a *allowance) Wait(ctx context.Context, n int) error {
	a.mu.Lock()
	if now := time.Now(); a.paid.Before(now) {
		a.paid = now
	}
	a.paid = a.paid.Add(time.Duration(n) * time.Second / time.Duration(a.rate))
	until := a.paid
	a.left -= n
	used := a.left < 0
	a.mu.Unlock()
	if used {
		return wire.Say(wire.CodeExceedsAllowance, "That was all for today.")
	}
	select {
	case <-time.After(time.Until(until)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A throttle of one's own stands beside those of the server (the model's
// ThrottledDTPHandler, made by oneself). Nothing is put around file or socket.
func Example_throttle() {
	uploads := map[string]*allowance{"anna": {rate: 10_000, left: 5000}}
	conf := basic()
	conf.Transfer.Limiter = func(who policy.Session, down bool) dtp.Limiter {
		if own := uploads[who.User]; own != nil && !down {
			return own
		}
		return nil
	}
	serve(must(edge.New(conf)), func(c *client) {
		c.login()
		start := time.Now()
		c.put("STOR a.txt", strings.Repeat("x", 3000))
		fmt.Println("took its time:", time.Since(start) > 250*time.Millisecond)
		c.put("STOR b.txt", strings.Repeat("x", 3000))
	})
	// Output:
	// > STOR a.txt
	// < 226 Transfer complete.
	// took its time: true
	// > STOR b.txt
	// < 552 That was all for today.
}
