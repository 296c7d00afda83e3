//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/client"
)

// listing is a large directory that is listed again and again.
type listing struct {
	verb, dir string
	entries   int
}

func listingScenarios() []scenario {
	var all []scenario
	for _, d := range []struct {
		suffix string
		n      int
	}{{"10k", 10000}, {"100k", 100000}} {
		for _, verb := range []string{"LIST", "MLSD"} {
			name := map[string]string{"LIST": "list", "MLSD": "mlsd"}[verb] + d.suffix
			all = append(all, scenario{name: name, main: "entries/s", bare: []string{"listing-" + d.suffix},
				does: fmt.Sprintf("%s of a directory with %d files; at least twice", verb, d.n), run: listing{verb, "d" + d.suffix, d.n}.run})
		}
	}
	return all
}

func (l listing) run(t *turn) (figures, error) {
	c, err := t.kit.Login(t.s.account, nil, 4096)
	if err != nil {
		return nil, err
	}
	defer c.Quit()
	if err := c.Want("TYPE I", 200); err != nil {
		return nil, err
	}
	if err := c.Want("CWD "+t.path("pub/"+l.dir), 250); err != nil {
		return nil, err
	}
	var first, whole []time.Duration
	before := t.s.tree.Memory()
	m := t.meter()
	for r := 0; r < 2 || m.goesOn() && r < 50; r++ {
		f, w, err := l.one(c)
		if err != nil {
			return nil, err
		}
		first, whole = append(first, f), append(whole, w)
	}
	m.stop()
	after := t.s.tree.Memory()
	slices.Sort(first)
	slices.Sort(whole)
	n := len(whole)
	all := float64(l.entries) * float64(n)
	return figures{"entries/s": float64(l.entries) / whole[n/2].Seconds(), "ttfb_ms": milli(first[n/2]), "total_ms": milli(whole[n/2]),
		"srv_cpu_us/entry": micro(m.server) / all, "cli_cpu_us/entry": micro(m.client) / all, "times": float64(n),
		"more_private_MiB": float64(after.Private-before.Private) / (1 << 20)}, nil
}

// one lists once: it returns the time to the first byte and to the last reply.
func (l listing) one(c *client.Conn) (first, whole time.Duration, err error) {
	d, err := c.Data()
	if err != nil {
		return 0, 0, err
	}
	defer d.Close()
	start := time.Now()
	if err := c.Send(l.verb); err != nil {
		return 0, 0, err
	}
	if err := d.SetReadDeadline(start.Add(client.Patience)); err != nil {
		return 0, 0, err
	}
	buffer, lines := make([]byte, 256<<10), 0
	for {
		n, err := d.Read(buffer)
		if n > 0 && first == 0 {
			first = time.Since(start)
		}
		lines += bytes.Count(buffer[:n], []byte{'\n'})
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
	}
	d.Close()
	if err := c.Done(); err != nil {
		return 0, 0, err
	}
	if lines < l.entries {
		return 0, 0, fmt.Errorf("%s: %d entries of %d", l.verb, lines, l.entries)
	}
	return first, time.Since(start), nil
}
