//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/client"
)

// crowd are clients who come all at once and do one transfer each, all at once.
type crowd struct {
	clients int
	up      bool
	file    string
	size    int64
}

func crowdScenarios() []scenario {
	var all []scenario
	for _, c := range []crowd{{300, false, "m10", 10 << 20}, {300, true, "", 10 << 20}, {1000, false, "m4", 4 << 20}, {1000, true, "", 4 << 20}} {
		verb, name := "RETR", "retr"
		if c.up {
			verb, name = "STOR", "stor"
		}
		all = append(all, scenario{name: fmt.Sprintf("mix%d%s", c.clients, name), main: "transfer_s", fresh: true,
			does: fmt.Sprintf("%d clients log in at once, then %s of %d MiB at once, then QUIT at once", c.clients, verb, c.size>>20), run: c.run})
	}
	return all
}

func (c crowd) run(t *turn) (figures, error) {
	nobody := t.s.tree.Memory()
	logins := t.meter()
	all, err := t.sessions(c.clients, c.clients, false, 1024)
	if err != nil {
		return nil, err
	}
	logins.stop()
	defer client.Leave(all)
	idle := t.s.tree.Memory()
	if err := each(all, func(_ int, k *client.Conn) error { return k.Want("TYPE I", 200) }); err != nil {
		return nil, err
	}
	took := make([]time.Duration, c.clients)
	m := t.meter()
	err = each(all, func(i int, k *client.Conn) error {
		start := time.Now()
		err := c.one(t, i, k)
		took[i] = time.Since(start)
		return err
	})
	m.stop()
	if err != nil {
		return nil, err
	}
	after := t.s.tree.Memory()
	f := m.perGB(c.size * int64(c.clients))
	f["transfer_s"], f["login_s"] = m.wall.Seconds(), logins.wall.Seconds()
	f["private_MiB_idle"] = float64(idle.Private-nobody.Private) / (1 << 20)
	f["private_MiB_after"] = float64(after.Private-nobody.Private) / (1 << 20)
	f["slowest/mean"] = fairness(took)
	f.quantiles(took, time.Millisecond, "_ms")
	start := time.Now()
	if err := each(all, func(_ int, k *client.Conn) error { return k.Want("QUIT", 221) }); err != nil {
		return nil, err
	}
	f["quit_s"] = time.Since(start).Seconds()
	return f, nil
}

// fairness is the rate of the slowest client as a part of the mean of all rates; 1 is
// even. All moved as much.
func fairness(took []time.Duration) float64 {
	sum, slowest := 0.0, time.Duration(0)
	for _, d := range took {
		sum += 1 / d.Seconds()
		slowest = max(slowest, d)
	}
	return 1 / slowest.Seconds() / (sum / float64(len(took)))
}

func (c crowd) one(t *turn, i int, k *client.Conn) error {
	if c.up {
		return k.Store("STOR "+t.path(fmt.Sprintf("up/m%04d", i)), client.Source{File: t.src, Size: c.size})
	}
	n, err := k.Retrieve("RETR "+t.path("pub/"+c.file), true)
	if err == nil && n != c.size {
		err = fmt.Errorf("RETR: %d bytes of %d", n, c.size)
	}
	return err
}
