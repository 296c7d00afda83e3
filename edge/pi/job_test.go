package pi

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/wire"
)

// lasting is a row whose job lasts as long as its argument says.
func lasting(ended func(ctx context.Context)) Spec {
	return Spec{Verb: "LAST", Grammar: Text, Lane: Work, Handler: func(_ *Session, a Args) Outcome {
		d, err := time.ParseDuration(a.Text)
		if err != nil {
			return Say(501, "That is no time.")
		}
		return Outcome{Reply: wire.Say(150, "Begun."), Job: &Job{Title: "Lasting", Run: func(ctx context.Context) Settle {
			if d > 0 {
				select {
				case <-time.After(d):
				case <-ctx.Done():
				}
			}
			if ended != nil {
				ended(ctx)
			}
			return func(*Session) Outcome { return Say(226, "Ended.") }
		}}}
	}}
}

// TestQuickJob: a job that ends at once is carried out by the session's owner and has
// nobody beside it; one that lasts is attended to.
func TestQuickJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beside := make(chan int, 1)
		row := lasting(func(context.Context) { beside <- runtime.NumGoroutine() })
		b := newBench(t, func(c *Config) { c.Table = c.Table.With(row) }).own().login()
		defer b.close()
		before := runtime.NumGoroutine()
		b.do("LAST 0s", 150)
		if n := <-beside; n > before {
			t.Errorf("%d goroutines more than between two commands", n-before)
		}
		b.expect("LAST", 226)
		for _, d := range []time.Duration{unattended - 1, unattended, unattended + 1, 2 * unattended} {
			began := time.Now()
			b.do("LAST "+d.String(), 150)
			<-beside
			b.expect("LAST", 226)
			if took := time.Since(began); took != d {
				t.Errorf("%v: it took %v", d, took)
			}
			b.do("NOOP", 200)
		}
	})
}

// TestWaitingLine: what has come together with the command of a job is looked at without
// delay.
func TestWaitingLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Table = c.Table.With(lasting(nil)) }).own().login()
		defer b.close()
		began := time.Now()
		_, err := b.client.Write([]byte("LAST 1h\r\nNOOP\r\n"))
		b.must(err)
		b.expect("LAST", 150)
		b.expect("NOOP", 200)
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		b.expect("LAST", 226)
	})
}

// TestHandOver lets the end of a job and the beginning of attendance meet, with a line
// under way.
func TestHandOver(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Table = c.Table.With(lasting(nil)) }).own().login()
	defer b.close()
	for i := range 100 {
		b.do(fmt.Sprintf("LAST %v", unattended+time.Duration(i-50)*10*time.Microsecond), 150)
		if i%2 > 0 {
			after(unattended - 100*time.Microsecond)
		}
		go func() { _, _ = b.client.Write([]byte("PWD\r\nNOOP\r\n")) }() // the pipe takes it when it is read
		first, second, third := b.expect("LAST", 226, 257), b.expect("PWD", 257, 226), b.expect("NOOP", 200)
		if first.Code == 257 || second.Code == 226 {
			t.Fatalf("%q, %q, %q", first, second, third) // PWD waits for its turn
		}
	}
}

// TestPanicBeside: a mistake in a handler that answers beside a job ends the session, and
// the job with it.
func TestPanicBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := make(chan error, 1)
		bang := Spec{Verb: "BANG", Lane: Beside, Handler: func(*Session, Args) Outcome { panic("beside the job") }}
		row := lasting(func(ctx context.Context) { why <- context.Cause(ctx) })
		b := newBench(t, func(c *Config) { c.Table = c.Table.With(bang, row) }).own().login()
		p := newFakePort()
		b.ports <- p
		b.do("FAKE", 200)
		b.do("LAST 1h", 150)
		began := time.Now()
		b.must(b.client.Send("BANG"))
		b.must(b.client.Closed())
		if err := <-why; err != errLost {
			t.Errorf("the job ended for %v", err)
		}
		b.close()
		if took := time.Since(began); took != unattended || !p.closed() {
			t.Errorf("it took %v; the port is closed: %v", took, p.closed())
		}
	})
}
