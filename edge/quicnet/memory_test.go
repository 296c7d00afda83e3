package quicnet

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// crowd is how many clients BenchmarkIdleSession has.
const crowd = 500

// BenchmarkIdleSession tells what a client costs the server that has a control session and
// does nothing. The clients are another process. Once is enough: -benchtime 1x.
func BenchmarkIdleSession(b *testing.B) {
	for b.Loop() {
		s := listen(b, func(c *Config) { c.Limits.ConnectionsPerAddress, c.Limits.HandshakesPerSecond = -1, 1<<20 })
		before, heap, goroutines := resident(b), heapInUse(), runtime.NumGoroutine()
		cmd := exec.CommandContext(b.Context(), os.Args[0], idlers, s.Addr().String())
		stay, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		for range crowd {
			c, err := s.Accept()
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte("220 \r\n")); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heapInUse()-heap)/crowd/1024, "KiB-heap/session")
		b.ReportMetric(float64(resident(b)-before)/crowd/1024, "KiB-RSS/session")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/crowd, "goroutines/session")
		_ = stay.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	}
}

// idle is the other process: clients that have a session each, until stdin ends.
func idle(addr string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range crowd {
		c, err := Dial(ctx, DialConfig{Addr: addr, TLS: &tls.Config{InsecureSkipVerify: true}})
		if err != nil {
			return err
		}
		defer c.Close()
		s, err := c.Session(ctx)
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(s, make([]byte, 6)); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// heapInUse is what objects and stacks take.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// resident is the memory of the process, in bytes; 0 where the system does not tell.
func resident(b *testing.B) int64 {
	b.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// BenchmarkDownload is a file of 64 MiB over loopback, both ends in one process.
func BenchmarkDownload(b *testing.B) {
	s := listen(b, nil)
	c := s.dial(b)
	far, _ := s.session(b, c)
	file := make([]byte, 64<<20)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		token := c.Token()
		p := prepare(b, far, token)
		done := make(chan dtp.Result, 1)
		go func() { done <- (&dtp.Transfer{Port: p, Send: bytes.NewReader(file)}).Run(b.Context()) }()
		r, err := c.Receive(within(b), token)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		if res := <-done; res.Err != nil {
			b.Fatal(res.Err)
		}
	}
}
