package pi

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/wire"
)

// TestAbortRace lets ABOR and the end of a transfer meet, many times over. RFC
// 959 §4.1.3 knows two cases, and a third is that ABOR came after everything was
// over; there is no mixture of them.
func TestAbortRace(t *testing.T) {
	b := newBench(t, nil).own().login()
	defer b.close()
	seen := map[string]int{}
	for i := range 400 {
		p := b.begin(fmt.Sprintf("STOR %d", i))
		conn := p.connect()
		if i%2 > 0 { // and with somebody's beginning to attend
			after(unattended)
		}
		var both sync.WaitGroup
		both.Go(func() { _ = conn.Close() })
		both.Go(func() { _ = b.client.Send("ABOR") })
		first, second := b.expect("the transfer", 226, 426), b.expect("ABOR", 225, 226)
		both.Wait()
		seen[fmt.Sprintf("%d %d", first.Code, second.Code)]++
		if first.Code == 426 && second.Code != 226 {
			t.Fatalf("an aborted transfer, and then %q", second)
		}
		b.do("NOOP", 200) // in step
	}
	t.Logf("%v", seen)
}

// TestAbortWithoutReader: the client does not take what the transfer sends.
func TestAbortWithoutReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.must(b.fs.WriteFile("/a", make([]byte, 1<<20)))
		b.own().login()
		defer b.close()
		p := b.begin("RETR a")
		conn := p.connect()
		synctest.Wait() // the server waits in a write
		began := time.Now()
		b.do("NOOP", 200)
		b.do("STAT", 211)
		b.do("ABOR", 426)
		b.expect("ABOR", 226)
		if took := time.Since(began); took != unattended {
			t.Errorf("it took %v", took)
		}
		_, err := io.Copy(io.Discard, conn)
		b.must(err)
		b.do("PWD", 257)
	})
}

func TestAbortBeforeTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		defer b.close()
		b.begin("STOR a")
		b.do("ABOR", 426)
		b.expect("ABOR", 226)
		b.do("ABOR", 225)
	})
}

// TestHeldLines: lines that wait are carried out in their order, and no more than
// maxHeld of them are taken from the connection.
func TestHeldLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		defer b.close()
		p := b.begin("STOR a")
		const lines = 3 * maxHeld
		var taken atomic.Int64
		go func() {
			for i := range lines {
				if b.client.Send(fmt.Sprintf("MKD %03d", i)) == nil {
					taken.Add(1)
				}
			}
		}()
		after(unattended)
		synctest.Wait()
		if n := taken.Load(); n != maxHeld {
			t.Errorf("%d lines were taken while the transfer runs, not %d", n, maxHeld)
		}
		if n := len(b.sess.held); n != maxHeld {
			t.Errorf("%d lines are held", n)
		}
		p.put([]byte("x"))
		b.expect("STOR", 226)
		for i := range lines {
			r := b.expect("MKD", 257)
			if want := fmt.Sprintf(`"/%03d" was made.`, i); r.Text() != want {
				t.Fatalf("reply %d is %q", i, r)
			}
		}
	})
}

// TestBarrier: nothing is read behind a command that waits and that changes what
// the bytes behind it mean.
func TestBarrier(t *testing.T) {
	barriers := 0
	for _, row := range Standard().Rows() {
		if !row.Barrier {
			continue
		}
		barriers++
		t.Run(row.Verb, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil).own().login()
				p := b.begin("STOR a")
				var taken atomic.Int64
				go func() {
					for _, line := range []string{"PWD", row.Verb + " X", "MKD d"} {
						if b.client.Send(line) == nil {
							taken.Add(1)
						}
					}
				}()
				after(unattended)
				synctest.Wait()
				if n := taken.Load(); n != 2 {
					t.Errorf("%d lines were taken, not 2", n)
				}
				_ = b.client.Close()
				p.put(nil) // what is behind a barrier is not heard, the end of the connection included
				b.close()
				if _, err := b.fs.Stat("/d"); err == nil {
					t.Error("a command behind the barrier was carried out")
				}
			})
		})
	}
	if barriers < 3 {
		t.Errorf("only %d rows are barriers", barriers)
	}
}

// TestLostConnection: the end of the control connection is the end of its
// transfer (RFC 959 §4.1.1).
func TestLostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		p := b.begin("STOR a")
		conn := p.connect()
		_, err := conn.Write([]byte("hello"))
		b.must(err)
		began := time.Now()
		b.close()
		if took := time.Since(began); took != unattended {
			t.Errorf("the transfer went on for %v", took)
		}
		if _, err := b.fs.Stat("/a"); err == nil {
			t.Error("the upload was published")
		}
		if n := b.conf.Chain.Draining(); n != 0 {
			t.Errorf("%d generations are still leased", n)
		}
	})
}

// longWork is a row whose job ends with its context alone.
func longWork(ended chan<- error) Spec {
	return Spec{Verb: "LONG", Lane: Work, Handler: func(*Session, Args) Outcome {
		return Outcome{Reply: wire.Say(150, "Begun."), Job: &Job{Title: "Long work", Run: func(ctx context.Context) Settle {
			<-ctx.Done()
			ended <- ctx.Err()
			return func(*Session) Outcome { return Say(226, "Ended.") }
		}}}
	}}
}

// TestLostBeforeTheMark: the client goes before it could be told that its
// transfer begins.
func TestLostBeforeTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		b := newBench(t, func(c *Config) { c.Table = c.Table.With(longWork(ended)) }).own().login()
		b.must(b.client.Send("LONG"))
		_ = b.client.Close()
		began := time.Now()
		<-ended
		b.close()
		if took := time.Since(began); took != 0 {
			t.Errorf("the work went on for %v", took)
		}
	})
}

// TestUnreadRepliesDuringWork: a client that does not take its replies is lost
// too.
func TestUnreadRepliesDuringWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		b := newBench(t, func(c *Config) { c.Table = c.Table.With(longWork(ended)) }).own().login()
		b.do("LONG", 150)
		b.must(b.client.Send("NOOP"))
		began := time.Now()
		<-ended
		if took := time.Since(began); took != writeTime {
			t.Errorf("the work went on for %v", took)
		}
		b.close()
	})
}

// interrupt drains the server of the bench.
func (b *bench) interrupt() {
	close(b.drain)
	b.sess.Interrupt()
}

func TestDrainIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		defer b.close()
		began := time.Now()
		b.interrupt()
		b.expect("the drain", 421)
		b.must(b.client.Closed())
		if took := time.Since(began); took != 0 {
			t.Errorf("421 came after %v", took)
		}
	})
}

func TestDrainBeforeTheGreeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.interrupt()
		b.own()
		defer b.close()
		b.expect("the connection", 220, 421)
	})
}

// TestDrainTransfer: a running transfer ends first, and is served meanwhile. In
// a bubble, an owner that turned on the spot would keep synctest.Wait for ever.
func TestDrainTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		defer b.close()
		p := b.begin("STOR a")
		after(unattended)
		synctest.Wait() // the reader reads
		b.interrupt()
		synctest.Wait()
		b.do("NOOP", 200)
		after(time.Hour)
		p.put([]byte("hello"))
		b.expect("STOR", 226)
		b.expect("the drain", 421)
		b.must(b.client.Closed())
		if info, err := b.fs.Stat("/a"); err != nil || info.Size != 5 {
			t.Errorf("the upload: %v %v", info, err)
		}
	})
}

// TestDrainHeld: what waits behind a transfer when the server drains is not lost
// without a word.
func TestDrainHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		defer b.close()
		p := b.begin("STOR a")
		b.must(b.client.Send("QUIT"))
		b.interrupt()
		synctest.Wait()
		p.put(nil)
		b.expect("STOR", 226)
		b.expect("QUIT", 221, 421)
	})
}

func TestCancelledServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil).own().login()
		defer b.close()
		b.begin("STOR a")
		b.cancel()
		r := b.expect("STOR", 426)
		if want := "The server is shutting down; the transfer was aborted."; r.Text() != want {
			t.Errorf("the reply is %q", r)
		}
		b.must(b.client.Closed())
	})
}

// TestPanic: a mistake in a handler, in a job and in a job's end.
func TestPanic(t *testing.T) {
	rows := []Spec{
		{Verb: "BANG", Handler: func(*Session, Args) Outcome { panic("in the handler") }},
		{Verb: "BOOM", Lane: Work, Handler: func(*Session, Args) Outcome {
			return Outcome{Job: &Job{Run: func(context.Context) Settle { panic("in the job") }}}
		}},
		{Verb: "CRASH", Lane: Work, Handler: func(*Session, Args) Outcome {
			return Outcome{Job: &Job{Run: func(context.Context) Settle { return func(*Session) Outcome { panic("at the end") } }}}
		}},
	}
	for _, verb := range []string{"BANG", "CRASH"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Table = c.Table.With(rows...) }).own().login()
			p := newFakePort()
			b.ports <- p
			b.do("FAKE", 200)
			b.must(b.client.Send(verb))
			b.must(b.client.Closed())
			b.close()
			if !p.closed() {
				t.Errorf("%s: the port is still open", verb)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Table = c.Table.With(rows...) }).own().login()
		defer b.close()
		b.do("BOOM", 451)
		b.do("NOOP", 200)
	})
}
