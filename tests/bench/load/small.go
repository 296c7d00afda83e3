//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/client"
	"github.com/edgeftp/edgeftp/tests/peers"
)

// small is work on files of 4 KiB.
type small struct {
	op       string
	sessions int
	secure   bool
	dir      string
}

// smallMost is how many operations a measurement has at most: each data connection
// keeps a port for a minute after it (TIME_WAIT), and ports are finite.
const smallMost = 12000

func smallScenarios() []scenario {
	one := func(name string, s small) scenario {
		does := fmt.Sprintf("%d × %s of files of 4 KiB", s.sessions, s.op)
		if s.secure {
			does += " over TLS"
		}
		return scenario{name: name, main: "ops/s", does: does, tls: s.secure, disk: s.dir == "disk", run: s.run}
	}
	var all []scenario
	for _, op := range []string{"RETR", "STOR", "DELE"} {
		for _, n := range []int{1, 16, 128} {
			all = append(all, one(fmt.Sprintf("small%s%d", strings.ToLower(op), n), small{op: op, sessions: n, dir: "up"}))
		}
	}
	all = append(all, one("smallretrtls16", small{op: "RETR", sessions: 16, secure: true, dir: "up"}),
		one("smallstor16disk", small{op: "STOR", sessions: 16, dir: "disk"}))
	synced := one("smallstor16durable", small{op: "STOR", sessions: 16, dir: "disk"})
	synced.variant, synced.does = durable, synced.does+" with `durability: full`: compare with smallstor16disk"
	return append(all, synced)
}

func (s small) run(t *turn) (figures, error) {
	all, err := t.ready(s.sessions, s.secure, 1024)
	if err != nil {
		return nil, err
	}
	defer client.Leave(all)
	most := smallMost / s.sessions
	if s.op == "DELE" { // made on the file system: only that it is deleted is measured
		if err := s.fill(t, most); err != nil {
			return nil, err
		}
	}
	took := make([][]time.Duration, s.sessions)
	m := t.meter()
	err = each(all, func(i int, c *client.Conn) error {
		for r := 0; r < most && (r == 0 || m.goesOn()); r++ {
			start := time.Now()
			if err := s.one(t, i, r, c); err != nil {
				return err
			}
			took[i] = append(took[i], time.Since(start))
		}
		return nil
	})
	m.stop()
	if err != nil {
		return nil, err
	}
	whole := slices.Concat(took...)
	f := m.perOp(int64(len(whole)))
	f.quantiles(whole, time.Microsecond, "_us")
	return f, nil
}

func (s small) name(i, r int) string { return fmt.Sprintf("%s/s%03d-%05d", s.dir, i, r) }

// one is one operation.
func (s small) one(t *turn, i, r int, c *client.Conn) error {
	switch s.op {
	case "STOR":
		return c.Store("STOR "+t.path(s.name(i, r)), client.Source{Bytes: t.kit.Pattern()[:smallSize]})
	case "DELE":
		return c.Want("DELE "+t.path(s.name(i, r)), 250)
	}
	n, err := c.Retrieve("RETR "+t.path(fmt.Sprintf("pub/small/f%04d", (i*37+r)%smallFiles)), false)
	if err == nil && !s.secure && n != smallSize {
		err = fmt.Errorf("RETR: %d bytes of %d", n, smallSize)
	}
	return err
}

// fill makes what is deleted.
func (s small) fill(t *turn, most int) error {
	for i := range s.sessions {
		for r := range most {
			name := t.in(s.name(i, r))
			if err := os.WriteFile(name, t.kit.Pattern()[:smallSize], 0o666); err != nil {
				return err
			}
			if err := peers.Lend(name); err != nil {
				return err
			}
		}
	}
	return nil
}
