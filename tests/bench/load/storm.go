//go:build linux

package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/bench/load/account"
	"github.com/edgeftp/edgeftp/tests/bench/load/client"
)

// storm are logins that come all at once, with passwords that are hashed as they
// should be: argon2id with 19 MiB each.
type storm struct {
	users int // 1: all are the same user
}

const (
	stormLogins = 500
	// stormMemory is the server's budget.
	stormMemory = "256MiB"
)

func stormScenarios() []scenario {
	var all []scenario
	for _, n := range []int{1, stormLogins} {
		all = append(all, scenario{name: fmt.Sprintf("storm%d", n), main: "all_s", fresh: true, variant: hashing,
			does: fmt.Sprintf("500 logins at once of %d users by argon2id (19 MiB each) in a budget of %s, and NOOP of another session meanwhile", n, stormMemory),
			run:  storm{n}.run})
	}
	return all
}

// stormPassword is that of a user of the variant hashing.
func stormPassword(i int) string { return fmt.Sprintf("a password of user %d", i) }

// stormHashes hashes the passwords of all users, each with a salt of its own.
func stormHashes() ([]string, error) {
	hashes, errs := make([]string, stormLogins), make([]error, stormLogins)
	var wg sync.WaitGroup
	var next atomic.Int64
	for range runtime.NumCPU() {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < stormLogins; i = next.Add(1) - 1 {
				hashes[i], errs[i] = edge.HashPassword(stormPassword(int(i)))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

func (s storm) run(t *turn) (figures, error) {
	other, err := t.kit.Login(t.s.account, nil, 1024)
	if err != nil {
		return nil, err
	}
	defer other.Quit()
	if err := account.ResetPeak(t.s.PID()); err != nil {
		return nil, err
	}
	stop, done := make(chan struct{}), make(chan struct{})
	var noops []time.Duration
	var failed error
	go func() {
		defer close(done)
		noops, failed = beat(other, stop)
	}()
	all := make([]*client.Conn, stormLogins)
	took := make([]time.Duration, stormLogins)
	var refused atomic.Int64
	refusals := make([]error, stormLogins)
	m := t.meter()
	_ = each(all, func(i int, _ *client.Conn) error {
		a := t.s.account
		a.User, a.Password = fmt.Sprint("user", i%s.users), stormPassword(i%s.users)
		c, err := t.kit.Login(a, nil, 128)
		if err != nil {
			refused.Add(1)
			refusals[i] = err
		}
		all[i], took[i] = c, time.Since(m.start)
		return nil
	})
	m.stop()
	close(stop)
	<-done
	client.Leave(all)
	if failed != nil {
		return nil, fmt.Errorf("NOOP: %w", failed)
	}
	f := m.perOp(stormLogins)
	f["all_s"], f["refused"], f["peak_MiB"] = m.wall.Seconds(), float64(refused.Load()), float64(account.Peak(t.s.PID()))/(1<<20)
	f.quantiles(took, time.Millisecond, "_ms_login")
	f.quantiles(noops, time.Millisecond, "_ms_noop")
	for _, err := range refusals {
		if err != nil {
			return f, fmt.Errorf("%d logins were refused, such as: %w", refused.Load(), err)
		}
	}
	return f, nil
}

// beat says NOOP every two milliseconds until it is stopped.
func beat(c *client.Conn, stop <-chan struct{}) (took []time.Duration, err error) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return took, nil
		case <-tick.C:
		}
		start := time.Now()
		if err := c.Want("NOOP", 200); err != nil {
			return took, err
		}
		took = append(took, time.Since(start))
	}
}
