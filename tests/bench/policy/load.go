package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
	"github.com/edgeftp/edgeftp/tests/userpi"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// load fills a server with sessions, in one process without modules and in one with
// three. The idle sessions come over pipes in memory, as descriptors do not suffice for
// both ends of so many connections; the active ones over TCP.
func load(ctx context.Context, flags *flag.FlagSet, args []string) error {
	idle := flags.Int("idle", 10000, "sessions that have logged in and do nothing")
	active := flags.Int("active", 1000, "sessions that download, upload and are refused")
	if err := flags.Parse(args); err != nil {
		return err
	}
	fmt.Println("| modules | memory at start | with all idle | the most while all active ones work | after the work | of the modules' instances | instances of each | calls | failed calls | seconds |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, modules := range []string{"0", "3", "0", "3"} {
		line, _, err := offspring(ctx, "load", modules, strconv.Itoa(*idle), strconv.Itoa(*active))
		if err != nil {
			return err
		}
		fmt.Println(line)
	}
	return nil
}

// loadChild is one process of load.
func loadChild(ctx context.Context, count, idle, active string) error {
	nIdle, err := strconv.Atoi(idle)
	if err != nil {
		return err
	}
	nActive, err := strconv.Atoi(active)
	if err != nil {
		return err
	}
	var policies []*wasmhost.Policy
	var slots []edge.Slot
	if count != "0" {
		h, err := wasmhost.New(ctx, wasmhost.Config{})
		if err != nil {
			return err
		}
		if policies, slots, err = modules(ctx, h); err != nil {
			return err
		}
	}
	w, err := open(slog.DiscardHandler, slots...)
	if err != nil {
		return err
	}
	if err := w.archive(); err != nil {
		return err
	}
	row, err := w.crowd(ctx, nIdle, nActive, policies)
	if err != nil {
		return err
	}
	fmt.Printf("| %d%s\n", len(policies), row)
	return w.stop()
}

// archive makes a file that the policy guards.
func (w *world) archive() error {
	if err := os.Mkdir(filepath.Join(w.root, "archive"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.root, "archive", "file"), make([]byte, 4096), 0o644)
}

// crowd opens the sessions, lets the active ones work and says what it saw.
func (w *world) crowd(ctx context.Context, idle, active int, policies []*wasmhost.Policy) (row string, err error) {
	resident := func() string {
		measure.Settle()
		return " | " + measure.MiB(measure.Resident())
	}
	row = resident()
	idlers, workers := make([]*userpi.Client, idle), make([]*userpi.Client, active)
	defer func() {
		for _, c := range append(idlers, workers...) {
			if c != nil {
				c.Close()
			}
		}
	}()
	for i := range idlers {
		ours, theirs := net.Pipe()
		go w.ServeConn(ctx, ours, listener) // ends with the connection
		idlers[i] = userpi.New(theirs)
		if err := enter(idlers[i]); err != nil {
			return "", fmt.Errorf("session %d: %w", i, err)
		}
	}
	row += resident()
	for i := range workers {
		if workers[i], err = w.connect(); err != nil {
			return "", fmt.Errorf("session %d over TCP: %w", i, err)
		}
	}
	start := time.Now()
	if err := measure.ResetPeak(); err != nil {
		return "", err
	}
	err = together(active, func(i int) error { return w.work(workers[i], i, len(policies) > 0) })
	if err != nil {
		return "", err
	}
	took := time.Since(start)
	row += " | " + measure.MiB(measure.Peak()) + resident()
	memory, calls, failed, instances := uint64(0), uint64(0), uint64(0), ""
	for _, p := range policies {
		st := p.Stats()
		memory += st.Memory
		calls += st.Calls
		instances += fmt.Sprintf(" %d", st.Instances)
		for _, n := range st.Faults {
			failed += n
		}
	}
	if n := w.Status().Sessions; n != idle+active {
		return "", fmt.Errorf("%d sessions are left of %d", n, idle+active)
	}
	return row + fmt.Sprintf(" | %s |%s | %d | %d | %.1f |", measure.MiB(int64(memory)), instances, calls, failed, took.Seconds()), nil
}

// work is what an active session does. It is not much, as each data connection keeps a
// port of the host's from being used again for a minute.
func (w *world) work(c *userpi.Client, i int, guarded bool) error {
	name := fmt.Sprint("up", i)
	for range 2 {
		conn, err := c.Begin(userpi.EPSV, "RETR archive/file")
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, conn)
		conn.Close()
		if err != nil || n != 4096 {
			return fmt.Errorf("%d bytes: %w", n, err)
		}
		if _, err := c.Expect("the end of RETR", 226); err != nil {
			return err
		}
		if conn, err = c.Begin(userpi.EPSV, "STOR "+name); err != nil {
			return err
		}
		_, err = conn.Write(make([]byte, 4096))
		conn.Close()
		if err != nil {
			return err
		}
		if _, err := c.Expect("the end of STOR", 226); err != nil {
			return err
		}
		if _, err := c.Must("SITE CHMOD 644 archive/file", map[bool]int{true: 550, false: 200}[guarded]); err != nil {
			return err
		}
	}
	return nil
}
