//go:build linux

package main

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/edgeftp/edgeftp/tests/bench/load/client"
)

// commands are such as move no data.
type commands struct {
	line     string
	at       string // path behind it
	depth    int    // sent before the first reply is read
	sessions int
}

func commandScenarios() []scenario {
	one := func(name string, c commands) scenario {
		how := "one after the other"
		if c.depth > 1 {
			how = fmt.Sprintf("%d in one write", c.depth)
		}
		return scenario{name: name, main: "ops/s", does: fmt.Sprintf("%d × %s, %s", c.sessions, c.line, how), run: c.run}
	}
	return []scenario{
		one("noop1", commands{"NOOP", "", 1, 1}), one("noop16", commands{"NOOP", "", 1, 16}), one("noop-pipe", commands{"NOOP", "", 64, 4}),
		one("pwd16", commands{"PWD", "", 1, 16}), one("pwd-pipe", commands{"PWD", "", 64, 4}),
		one("size16", commands{"SIZE", "pub/big", 1, 16}), one("size-pipe", commands{"SIZE", "pub/big", 64, 4}),
	}
}

func (k commands) run(t *turn) (figures, error) {
	all, err := t.ready(k.sessions, false, 16<<10)
	if err != nil {
		return nil, err
	}
	defer client.Leave(all)
	line := k.line
	if k.at != "" {
		line += " " + t.path(k.at)
	}
	batch := []byte(strings.Repeat(line+"\r\n", k.depth))
	var n atomic.Int64
	m := t.meter()
	err = each(all, func(_ int, c *client.Conn) error {
		for m.goesOn() {
			if err := c.Batch(batch, k.depth); err != nil {
				return err
			}
			n.Add(int64(k.depth))
		}
		return nil
	})
	m.stop()
	if err != nil {
		return nil, err
	}
	return m.perOp(n.Load()), nil
}
