//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/load/client"
)

// throttle are transfers that are limited to a rate.
type throttle struct {
	sessions int
	up       bool
}

// window is the time in which bytes are counted.
const window = 100 * time.Millisecond

// throttleLeast is how long such a transfer takes at least.
const throttleLeast = 4 * time.Second

func throttleScenarios() []scenario {
	one := func(name string, k throttle) scenario {
		verb := "RETR"
		if k.up {
			verb = "STOR"
		}
		return scenario{name: name, main: "error_%", variant: throttled, bare: []string{"down-sendfile"},
			does: fmt.Sprintf("%d × %s limited to 10 MiB/s for 4 s: how far off, in windows of 100 ms too", k.sessions, verb), run: k.run}
	}
	return []scenario{one("throttledl1", throttle{sessions: 1}), one("throttledl50", throttle{sessions: 50}), one("throttleul1", throttle{sessions: 1, up: true})}
}

func (k throttle) run(t *turn) (figures, error) {
	all, err := t.ready(k.sessions, false, 1024)
	if err != nil {
		return nil, err
	}
	defer func() { // what still runs ends with its connections
		for _, c := range all {
			c.Raw.Close()
		}
	}()
	length := max(t.length, throttleLeast)
	seen := make([][]int64, k.sessions)
	m := t.meter()
	err = each(all, func(i int, c *client.Conn) error {
		seen[i] = make([]int64, int(length/window))
		if k.up {
			return k.store(t, c, i, seen[i])
		}
		return k.retrieve(t, c, seen[i])
	})
	m.stop()
	if err != nil {
		return nil, err
	}
	f, total := pace(seen, float64(t.s.rate), length)
	f["srv_cpu_s/GB"] = m.server.Seconds() / (total / 1e9)
	return f, nil
}

// retrieve counts what comes.
func (k throttle) retrieve(t *turn, c *client.Conn, seen []int64) error {
	d, err := c.Open("RETR " + t.path("pub/big"))
	if err != nil {
		return err
	}
	defer d.Close()
	buffer, start := make([]byte, 256<<10), time.Now()
	if err := d.SetReadDeadline(start.Add(window * time.Duration(len(seen)))); err != nil {
		return err
	}
	for {
		n, err := d.Read(buffer)
		if w := int(time.Since(start) / window); w < len(seen) {
			seen[w] += int64(n)
		}
		if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("RETR ended before its time: the file is too short for a limit of %d bytes/s", t.s.rate)
		}
		if err != nil {
			return err
		}
	}
}

// store looks at how the file grows: what the client could send says nothing, as it
// has buffers. A file that is not in its place before it is whole is found by its
// having been opened.
func (k throttle) store(t *turn, c *client.Conn, i int, seen []int64) error {
	name := fmt.Sprintf("up/t%02d", i)
	d, err := c.Open("STOR " + t.path(name))
	if err != nil {
		return err
	}
	defer d.Close()
	start := time.Now()
	length := window * time.Duration(len(seen))
	if err := d.SetWriteDeadline(start.Add(length + window)); err != nil {
		return err
	}
	data := bytes.Repeat(t.kit.Pattern(), int(t.s.rate>>20)*int(length/time.Second+2))
	sent := make(chan struct{})
	go func() { // ends with the deadline
		defer close(sent)
		_, _ = d.Write(data)
	}()
	defer func() { <-sent }()
	size, err := t.growing(name)
	if err != nil {
		return err
	}
	var total int64
	for w := range seen {
		time.Sleep(time.Until(start.Add(window * time.Duration(w+1))))
		now, err := size()
		if err != nil {
			return err
		}
		seen[w], total = now-total, now
	}
	return nil
}

// growing finds the file of an upload that has begun: under its name, or unnamed as
// what a process of the server has open in the tree (open(2), O_TMPFILE).
func (t *turn) growing(name string) (size func() (int64, error), err error) {
	of := func(path string) func() (int64, error) {
		return func() (int64, error) {
			st, err := os.Stat(path)
			if err != nil {
				return 0, err
			}
			return st.Size(), nil
		}
	}
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(t.in(name)); err == nil {
			return of(t.in(name)), nil
		}
		if path := t.s.tree.Written(t.in("up")); path != "" {
			return of(path), nil
		}
	}
	return nil, fmt.Errorf("the file of %s is not seen: the server keeps it elsewhere", name)
}

// pace compares bytes in windows with the limit, in bytes a second.
func pace(seen [][]int64, limit float64, length time.Duration) (f figures, total float64) {
	per := limit * window.Seconds()
	least, most, first := math.Inf(1), 0.0, 0.0
	slowest, fastest, deviation := math.Inf(1), 0.0, 0.0
	for _, windows := range seen {
		sum := int64(0)
		for i, n := range windows {
			sum += n
			part := float64(n) / per
			if i == 0 {
				first = max(first, part)
				continue
			}
			least, most = min(least, part), max(most, part)
			deviation += (part - 1) * (part - 1) / float64(len(windows)-1)
		}
		rate := float64(sum) / length.Seconds()
		slowest, fastest = min(slowest, rate), max(fastest, rate)
		total += float64(sum)
	}
	n := float64(len(seen))
	mean := total / length.Seconds() / n / limit
	return figures{"rate/limit": mean, "error_%": math.Abs(mean-1) * 100, "slowest/fastest": slowest / fastest,
		"max_100ms/limit": most, "min_100ms/limit": least, "first_100ms/limit": first, "rms_dev_100ms": math.Sqrt(deviation / n),
		"windows": float64(slices.Max([]int{len(seen[0])}))}, total
}
