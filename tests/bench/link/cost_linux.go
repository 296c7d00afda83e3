package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// loopback is where costs are measured.
const loopback = "127.0.0.1"

// costs measures what a download costs the server: over TLS on TCP and over QUIC, in turn.
func costs(o *options) error {
	const rounds = 5
	o.at, o.ways = loopback, []string{"cubic", "bridge"}
	dir, err := prepare(o)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := begin(dir, exec.Command(o.program, "serve", "--allow-root", "--config", "link.yaml"))
	if err != nil {
		return err
	}
	defer server.end()
	bridge, err := begin(dir, exec.Command(o.program, "bridge", "--listen", fmt.Sprintf("%s:%d", loopback, port("bridge")), "--to", "ftpq://"+loopback+":990", "--ca-file", "cert.pem"))
	if err != nil {
		return err
	}
	defer bridge.end()
	took := map[string][]float64{}
	for range rounds {
		for _, way := range o.ways {
			s, err := costOf(server.cmd.Process.Pid, way, o)
			if err != nil {
				return fmt.Errorf("%s: %w\nthe server: %s\nthe bridge: %s", way, err, server.said(), bridge.said())
			}
			took[way] = append(took[way], s)
		}
	}
	fmt.Printf("%d MiB, median of %d, seconds of the server's processor time for 10^9 bytes\n", o.bulk, rounds)
	for _, way := range o.ways {
		slices.Sort(took[way])
		fmt.Printf("%-7s %.2f   (%.2f to %.2f)\n", map[string]string{"cubic": "TLS", "bridge": "QUIC"}[way], took[way][rounds/2], took[way][0], took[way][rounds-1])
	}
	return nil
}

// costOf downloads the file once and returns what that has cost a process, in seconds for
// 10^9 bytes.
func costOf(pid int, way string, o *options) (float64, error) {
	c, err := enter(loopback, way)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.Timeout = 5 * time.Minute
	before, err := worked(pid)
	if err != nil {
		return 0, err
	}
	if err := fetch(c, "bulk", int64(o.bulk)<<20); err != nil {
		return 0, err
	}
	after, err := worked(pid)
	return (after - before) / (float64(o.bulk) * (1 << 20) / 1e9), err
}

// worked is the processor time of a process in seconds (proc(5): utime and stime, in ticks
// of 10 ms).
func worked(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	ticks := 0
	for _, i := range []int{11, 12} {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return float64(ticks) / 100, nil
}
