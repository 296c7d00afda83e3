//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/account"
	"github.com/edgeftp/edgeftp/tests/bench/load/client"
)

// idle are sessions that have logged in and say nothing.
type idle struct {
	sessions int
	secure   bool
}

const (
	// memoryFloor is what the machine must have left, or no more sessions are opened.
	memoryFloor = 3 << 30
	// openFor is how long sessions are opened at most: servers that start a process for
	// each take long.
	openFor = 2 * time.Minute
	// settledFor is how long a server's memory must stay as it is to be settled: longer than
	// edgeftp leaves lie what one or two sessions have left. settledWithin of a change is
	// none, and settling is what is waited at most.
	settledFor    = 7 * time.Second
	settledWithin = 64 << 10
	settling      = 30 * time.Second
	// quietFor is how long the server's processor time is looked at while nobody speaks.
	quietFor = 2 * time.Second
)

func idleScenarios() []scenario {
	var all []scenario
	for _, n := range []int{1000, 5000, 10000} {
		all = append(all, scenario{name: fmt.Sprintf("idle%dk", n/1000), main: "private_KiB/session", fresh: true,
			does: fmt.Sprintf("%d sessions that say nothing: memory, processor time while quiet, NOOP of another session and of these", n),
			run:  idle{sessions: n}.run})
	}
	for _, n := range []int{1000, 10000} {
		all = append(all, scenario{name: fmt.Sprintf("idletls%dk", n/1000), main: "private_KiB/session", fresh: true, tls: true,
			does: fmt.Sprintf("the same with %d sessions over TLS", n), run: idle{sessions: n, secure: true}.run})
	}
	return all
}

func (i idle) run(t *turn) (figures, error) {
	if t.s.most > 0 && i.sessions > t.s.most {
		return nil, fmt.Errorf("not run: more than the %d sessions that this server is good for here", t.s.most)
	}
	c, err := t.kit.Login(t.s.account, nil, 4096)
	if err != nil {
		return nil, err
	}
	defer c.Quit()
	// What a start has left behind would hide so much of what sessions take.
	before := settled(t.s.tree.Memory)
	m := t.meter()
	all, err := i.open(t)
	defer func() { client.Leave(all) }()
	if err != nil {
		return nil, err
	}
	m.stop()
	after := settled(t.s.tree.Memory)
	n := float64(i.sessions)
	each := func(a, b int64) float64 { return float64(a-b) / n / 1024 }
	f := figures{"rss_KiB/session": each(after.Resident, before.Resident), "pss_KiB/session": each(after.Share, before.Share),
		"private_KiB/session": each(after.Private, before.Private), "machine_KiB/session": each(before.Free, after.Free),
		"processes": float64(after.Processes), "private_MiB": float64(after.Private) / (1 << 20), "opened/s": n / m.wall.Seconds(),
		"srv_cpu_us/open": micro(m.server) / n}
	quiet := t.meter()
	time.Sleep(quietFor)
	quiet.stop()
	f["quiet_cpu_ms/s"] = milli(quiet.server) / quiet.wall.Seconds()
	err = noops(f, "_us_hot", 1000, func() *client.Conn { return c })
	if err == nil {
		err = noops(f, "_us_cold", 500, func() *client.Conn { return all[rand.IntN(len(all))] })
	}
	return f, err
}

// settled returns the memory of a server once it stays as it is.
func settled(look func() account.Memory) account.Memory {
	tick := time.NewTicker(settledFor / 20)
	defer tick.Stop()
	start := time.Now()
	last, since := look(), start
	for {
		now := <-tick.C
		m := look()
		if d := m.Private - last.Private; d > settledWithin || d < -settledWithin {
			last, since = m, now
		}
		if now.Sub(since) >= settledFor || now.Sub(start) >= settling {
			return m
		}
	}
}

// open opens the sessions as long as there are memory and time.
func (i idle) open(t *turn) (all []*client.Conn, err error) {
	start := time.Now()
	for len(all) < i.sessions {
		more, err := t.sessions(min(500, i.sessions-len(all)), 16, i.secure, 128)
		if err != nil {
			return all, fmt.Errorf("after %d sessions: %w", len(all), err)
		}
		all = append(all, more...)
		switch {
		case len(all) == i.sessions:
		case account.Free() < memoryFloor:
			return all, fmt.Errorf("stopped at %d sessions: less than %d GiB of memory are left", len(all), memoryFloor>>30)
		case time.Since(start) > openFor:
			return all, fmt.Errorf("stopped at %d sessions: %v have passed", len(all), openFor)
		}
	}
	return all, nil
}

// noops times n NOOPs, one after the other.
func noops(f figures, suffix string, n int, of func() *client.Conn) error {
	var took []time.Duration
	for range n {
		start := time.Now()
		if err := of().Want("NOOP", 200); err != nil {
			return err
		}
		took = append(took, time.Since(start))
	}
	f.quantiles(took, time.Microsecond, suffix)
	return nil
}
