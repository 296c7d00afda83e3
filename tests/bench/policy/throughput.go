package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/edgeftp/edgeftp/tests/bench/policy/measure"
	"github.com/edgeftp/edgeftp/tests/userpi"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// job is one thing that both servers do.
type job struct {
	name  string
	bytes int64 // moved each time
	files int
	run   func(c *userpi.Client) error
	rates [2][]float64 // files or MB a second, without and with policies
	parts []float64    // rate with policies as a part of that without, pair by pair
}

// throughput moves the same files through a server without modules and one with a
// chain of three, in turn.
func throughput(ctx context.Context, flags *flag.FlagSet, args []string) error {
	pairs := flags.Int("pairs", 10, "measurements of each server")
	size := flags.Int64("size", 1<<30, "bytes of the large file")
	files := flags.Int("files", 200, "small files of 4 KiB in a measurement; many more, and the host runs out of ports")
	if err := flags.Parse(args); err != nil {
		return err
	}
	h, err := wasmhost.New(ctx, wasmhost.Config{})
	if err != nil {
		return err
	}
	_, slots, err := modules(ctx, h)
	if err != nil {
		return err
	}
	plain, err := open(slog.DiscardHandler)
	if err != nil {
		return err
	}
	defer plain.stop()
	guarded, err := open(slog.DiscardHandler, slots...)
	if err != nil {
		return err
	}
	defer guarded.stop()
	var clients [2]*userpi.Client
	for i, w := range []*world{plain, guarded} {
		if err := w.files(*size); err != nil {
			return err
		}
		if clients[i], err = w.connect(); err != nil {
			return err
		}
		defer clients[i].Close()
	}
	jobs := work(*size, *files)
	for n := range *pairs + 1 { // the first pair warms up
		for j := range jobs {
			if err := jobs[j].pair(clients, n); err != nil {
				return fmt.Errorf("%s: %w", jobs[j].name, err)
			}
		}
	}
	fmt.Printf("medians of %d pairs\n\n| | without policies | chain of three | part of it | from ... to |\n|---|---|---|---|---|\n", *pairs)
	for _, j := range jobs {
		unit := "files/s"
		if j.files == 1 {
			unit = "MB/s"
		}
		fmt.Printf("| %s | %.0f %s | %.0f %s | %.3f | %.3f ... %.3f |\n", j.name, measure.Quantile(j.rates[0], 0.5), unit,
			measure.Quantile(j.rates[1], 0.5), unit, measure.Quantile(j.parts, 0.5), measure.Quantile(j.parts, 0), measure.Quantile(j.parts, 1))
	}
	return nil
}

// files makes what is downloaded.
func (w *world) files(size int64) error {
	if err := os.WriteFile(filepath.Join(w.root, "small"), make([]byte, 4096), 0o644); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(w.root, "large"))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(size) // all hole: the disk is not what is measured
}

// work lists what is measured.
func work(size int64, files int) []*job {
	buffer := make([]byte, 256<<10)
	return []*job{
		{name: "RETR of " + measure.MiB(size), bytes: size, files: 1, run: func(c *userpi.Client) error { return fetch(c, "large", size, buffer) }},
		{name: "STOR of " + measure.MiB(size), bytes: size, files: 1, run: func(c *userpi.Client) error { return store(c, "up", size, buffer) }},
		{name: "RETR of 4 KiB", files: files, run: func(c *userpi.Client) error { return fetch(c, "small", 4096, buffer) }},
		{name: "STOR of 4 KiB", files: files, run: func(c *userpi.Client) error { return store(c, "up", 4096, buffer) }},
	}
}

// pair measures both servers, the one that comes first in turn.
func (j *job) pair(clients [2]*userpi.Client, n int) error {
	var rate [2]float64
	for i := range clients {
		which := (i + n) % 2
		start := time.Now()
		for range j.files {
			if err := j.run(clients[which]); err != nil {
				return err
			}
		}
		seconds := time.Since(start).Seconds()
		rate[which] = float64(j.files) / seconds
		if j.files == 1 {
			rate[which] = float64(j.bytes) / 1e6 / seconds
		}
	}
	if n == 0 {
		return nil
	}
	for i := range rate {
		j.rates[i] = append(j.rates[i], rate[i])
	}
	j.parts = append(j.parts, rate[1]/rate[0])
	return nil
}

func fetch(c *userpi.Client, name string, size int64, buffer []byte) error {
	conn, err := c.Begin(userpi.EPSV, "RETR "+name)
	if err != nil {
		return err
	}
	defer conn.Close()
	n, err := io.CopyBuffer(onlyWriter{io.Discard}, conn, buffer)
	if err != nil || n != size {
		return fmt.Errorf("%d of %d bytes: %w", n, size, err)
	}
	_, err = c.Expect("the end of RETR", 226)
	return err
}

// onlyWriter keeps io.Copy from ways of its own.
type onlyWriter struct{ io.Writer }

func store(c *userpi.Client, name string, size int64, buffer []byte) error {
	conn, err := c.Begin(userpi.EPSV, "STOR "+name)
	if err != nil {
		return err
	}
	defer conn.Close()
	for left := size; left > 0; {
		n, err := conn.Write(buffer[:min(left, int64(len(buffer)))])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	if err := conn.Close(); err != nil {
		return err
	}
	_, err = c.Expect("the end of STOR", 226)
	return err
}
