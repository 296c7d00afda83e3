package dtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulse(100, 10*time.Second)
		wait := func(d time.Duration, n int64) error {
			p.begin()
			<-time.After(d)
			return p.end(n)
		}
		for i, step := range []struct {
			wait time.Duration
			n    int64
			err  error
		}{
			{time.Second, 0, nil}, {8 * time.Second, 1000, nil}, {time.Second, 0, nil}, // a window that is just full enough
			{10 * time.Second, 999, ErrSlow},
			{20 * time.Second, 2000, nil}, {20 * time.Second, 1999, ErrSlow},
		} {
			if err := wait(step.wait, step.n); !errors.Is(err, step.err) {
				t.Errorf("step %d: %v", i, err)
			}
			<-time.After(time.Hour) // nobody waits for the client
		}
		if err := wait(4*time.Second, 0); err != nil {
			t.Fatal(err)
		}
		if got := time.Until(p.until(time.Minute)); got != 6*time.Second {
			t.Errorf("%v are left of the window", got)
		}
		if got := time.Until(p.until(time.Second)); got != time.Second {
			t.Errorf("%v are left of the stall time", got)
		}
		off := newPulse(0, 0)
		if off.begin(); off.end(0) != nil || !off.until(0).IsZero() || time.Until(off.until(time.Second)) != time.Second {
			t.Error("without a least rate there is one")
		}
	})
}

// piped is a data port that is one end of a pipe.
type piped struct{ net.Conn }

func (p piped) Open(context.Context) (net.Conn, error) { return p.Conn, nil }

// rare is a limiter under which a transfer waits for minutes.
type rare struct{}

func (rare) Slice() int { return 512 }

func (rare) Wait(_ context.Context, n int) error {
	<-time.After(time.Duration(n) * time.Second)
	return nil
}

// tardy is a file whose disk takes its time.
type tardy struct{ io.ReadWriter }

func (f tardy) Read(b []byte) (int, error) {
	<-time.After(time.Minute)
	return f.ReadWriter.Read(b)
}

func (f tardy) Write(b []byte) (int, error) {
	<-time.After(time.Minute)
	return f.ReadWriter.Write(b)
}

// TestLeastRate: a client that is slower ends its transfer, however it is slow, and
// nobody else does.
func TestLeastRate(t *testing.T) {
	const size, least = 40_000, 1000
	for name, test := range map[string]struct {
		perSecond int // what the client takes or sends, in pieces of a hundredth
		limiter   Limiter
		tardy     bool
		ascii     bool
		stall     time.Duration
		slow      bool
	}{
		"fast":           {1100, nil, false, false, time.Minute, false},
		"slow":           {900, nil, false, false, time.Minute, true},
		"slow, text":     {900, nil, false, true, time.Minute, true},
		"no stall time":  {900, nil, false, false, 0, true},
		"short stalls":   {900, nil, false, false, 5 * time.Second, true},
		"our throttle":   {1100, rare{}, false, false, time.Minute, false},
		"our disk":       {1100, nil, true, false, time.Minute, false},
		"ours, and slow": {900, rare{}, true, false, time.Minute, true},
	} {
		for _, up := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", down", true: ", up"}[up], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ours, theirs := net.Pipe()
					tr := &Transfer{Port: piped{ours}, Least: least, Stall: test.stall, ASCII: test.ascii, Limiter: test.limiter}
					var f io.ReadWriter = bytes.NewBuffer(make([]byte, size))
					if up {
						f = new(bytes.Buffer)
					}
					if test.tardy {
						f = tardy{f}
					}
					if tr.Send = f; up {
						tr.Send, tr.Receive = nil, f
					}
					began := time.Now()
					done := make(chan Result, 1)
					go func() { done <- tr.Run(t.Context()) }()
					var client sync.WaitGroup
					client.Go(func() { amble(theirs, up, size, test.perSecond) })
					r := <-done
					_ = theirs.Close()
					client.Wait()
					if slow := errors.Is(r.Err, ErrSlow); slow != test.slow || !slow && r.Err != nil {
						t.Errorf("after %v: %v", time.Since(began), r.Err)
					}
					if test.slow && test.limiter == nil && time.Since(began) > 61*time.Second {
						t.Errorf("it took %v", time.Since(began))
					}
				})
			})
		}
	}
}

// amble moves bytes at a rate, and closes.
func amble(c net.Conn, up bool, size, perSecond int) {
	defer c.Close()
	piece := make([]byte, perSecond/100)
	for moved := 0; ; {
		<-time.After(10 * time.Millisecond)
		if up && moved >= size {
			return
		}
		move := c.Read
		if up {
			move = c.Write
		}
		n, err := move(piece)
		if moved += n; err != nil {
			return
		}
	}
}

// TestLeastRateOnSockets: the ways of the kernel, and TLS, in which one write may wait
// for very long.
func TestLeastRateOnSockets(t *testing.T) {
	const window = 300 * time.Millisecond
	s := newSite(t, tls.VersionTLS13)
	large := make([]byte, 32<<20)
	for name, tr := range map[string]*Transfer{
		"sendfile": {Send: file(t, large)}, "copied": {Send: bytes.NewReader(large)},
		"splice": {Receive: file(t, nil)}, "received": {Receive: onlyWriter{file(t, nil)}},
		"TLS down": {Send: bytes.NewReader(large), Protect: &Protection{}}, "TLS up": {Receive: file(t, nil), Protect: &Protection{}},
	} {
		t.Run(name, func(t *testing.T) {
			tr.Least, tr.LeastWindow, tr.Stall = 1<<40, window, patience // nobody is so fast
			began := time.Now()
			var c net.Conn
			var done <-chan Result
			if tr.Protect != nil {
				client := s.client()
				var sealed *tls.Conn
				sealed, done = beginTLS(t, within(t), s.control(t, client, BindPrefer), client, tr)
				if err := sealed.HandshakeContext(within(t)); err != nil {
					t.Fatal(err)
				}
				c = sealed
			} else {
				c, done = begin(t, within(t), tr)
			}
			if tr.Receive != nil {
				if _, err := c.Write([]byte("abc")); err != nil {
					t.Fatal(err)
				}
			}
			r := await(t, done)
			wantErr(t, r.Err, ErrSlow)
			if errors.Is(r.Err, ErrBroken) || errors.Is(r.Err, ErrStalled) {
				t.Errorf("%v", r.Err)
			}
			if took := time.Since(began); took < window || took > window+5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestTransferMemory: what is said to be enough is.
func TestTransferMemory(t *testing.T) {
	for name, tr := range map[string]*Transfer{
		"bare":         {Send: file(t, make([]byte, 1<<20))},
		"copied":       {Send: bytes.NewReader(make([]byte, 1<<20))},
		"text":         {Send: bytes.NewReader(make([]byte, 1<<20)), ASCII: true},
		"compressed":   {Send: bytes.NewReader(make([]byte, 1<<20)), Deflate: &Deflate{Level: 9}},
		"compressed 1": {Send: bytes.NewReader(make([]byte, 1<<20)), Deflate: &Deflate{Level: 1}},
		"text, small":  {Send: bytes.NewReader(make([]byte, 1<<20)), ASCII: true, Deflate: &Deflate{}, Buffers: NewBuffers(4 << 10)},
		"received":     {Receive: file(t, nil)},
		"expanded":     {Receive: file(t, nil), Deflate: &Deflate{}},
	} {
		t.Run(name, func(t *testing.T) {
			most := tr.Memory()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c, done := begin(t, within(t), tr)
			if tr.Receive != nil {
				b := pattern(1000)
				if tr.Deflate != nil {
					b = []byte{0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01}
				}
				if _, err := c.Write(b); err != nil {
					t.Fatal(err)
				}
				_ = c.CloseWrite()
			} else if _, err := io.Copy(struct{ io.Writer }{io.Discard}, c); err != nil {
				t.Fatal(err)
			}
			if r := await(t, done); r.Err != nil {
				t.Fatal(r.Err)
			}
			runtime.ReadMemStats(&after)
			if got := int64(after.TotalAlloc - before.TotalAlloc); got > most+100<<10 { // the test allocates as well
				t.Errorf("it took %d bytes, %d were said to be enough", got, most)
			} else {
				t.Logf("%d of %d bytes", got, most)
			}
		})
	}
}
