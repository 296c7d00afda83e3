package idle

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// limit is how long a test waits for what must come.
const limit = 20 * time.Second

// woken is what a Lot has handed back.
type woken struct {
	token uint64
	why   Reason
	at    time.Time
}

// lot makes a Lot and a channel of what it hands back.
func lot(t *testing.T) (*Lot, <-chan woken) {
	t.Helper()
	out := make(chan woken, 1<<14)
	l, err := New(Config{Wake: func(token uint64, why Reason) { out <- woken{token, why, time.Now()} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, out
}

// pair returns the two ends of a connection.
func pair(t *testing.T, ln net.Listener) (server, client *net.TCPConn) {
	t.Helper()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Close(), s.Close() })
	return s.(*net.TCPConn), c.(*net.TCPConn)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// next returns what is handed back next.
func next(t *testing.T, out <-chan woken) woken {
	t.Helper()
	select {
	case w := <-out:
		return w
	case <-time.After(limit):
		t.Fatal("nothing was handed back")
		return woken{}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever happens on a parked connection hands it back once.
func TestReasons(t *testing.T) {
	ln := listen(t)
	for _, c := range []struct {
		name string
		why  Reason
		act  func(l *Lot, server, client *net.TCPConn)
	}{
		{"bytes", Readable, func(_ *Lot, _, client *net.TCPConn) { _, _ = client.Write([]byte("x")) }},
		{"end", Readable, func(_ *Lot, _, client *net.TCPConn) { _ = client.Close() }},
		{"half an end", Readable, func(_ *Lot, _, client *net.TCPConn) { _ = client.CloseWrite() }},
		{"reset", Readable, func(_ *Lot, _, client *net.TCPConn) { _ = client.SetLinger(0); _ = client.Close() }},
		{"Wake", Stopped, func(l *Lot, _, _ *net.TCPConn) { l.Wake(7) }},
		{"closed here", Stopped, func(l *Lot, server, _ *net.TCPConn) { _ = server.Close(); l.Wake(7) }},
		{"Stop", Stopped, func(l *Lot, _, _ *net.TCPConn) { l.Stop() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, out := lot(t)
			server, client := pair(t, ln)
			must(t, l.Park(server, 7, time.Time{}))
			if len(out) > 0 || l.Len() != 1 {
				t.Fatalf("%d were handed back, %d are parked", len(out), l.Len())
			}
			c.act(l, server, client)
			if w := next(t, out); w.token != 7 || w.why != c.why {
				t.Errorf("handed back: %+v", w)
			}
			_, _ = client.Write([]byte("more"))
			l.Wake(7)
			l.Close()
			if len(out) > 0 || l.Len() != 0 {
				t.Errorf("handed back twice: %+v; %d are parked", <-out, l.Len())
			}
			if err := l.Park(server, 7, time.Time{}); !errors.Is(err, ErrStopped) {
				t.Errorf("parked when all was over: %v", err)
			}
		})
	}
}

// Bytes that were there before hand a connection back at once, as often as it is parked.
func TestLevel(t *testing.T) {
	l, out := lot(t)
	server, client := pair(t, listen(t))
	_, err := client.Write([]byte("x"))
	must(t, err)
	for range 100 {
		must(t, l.Park(server, 1, time.Time{}))
		if w := next(t, out); w.why != Readable {
			t.Fatalf("%+v", w)
		}
	}
}

// What is due is handed back in the second before its time, never after it; what is due
// sooner is not taken, and neither is a connection that is closed.
func TestExpiry(t *testing.T) {
	l, out := lot(t)
	ln := listen(t)
	one, _ := pair(t, ln)
	two, _ := pair(t, ln)
	until := time.Now().Add(1500 * time.Millisecond)
	must(t, l.Park(one, 1, until))
	must(t, l.Park(two, 2, time.Time{}))
	if w := next(t, out); w.token != 1 || w.why != Expired || w.at.After(until.Add(time.Second/2)) || until.Sub(w.at) > tick {
		t.Errorf("%+v, %v before its time", w, until.Sub(w.at))
	}
	for _, until := range []time.Time{time.Now(), time.Now().Add(-time.Hour)} {
		if err := l.Park(one, 1, until); !errors.Is(err, ErrNear) {
			t.Errorf("parked until %v: %v", until, err)
		}
	}
	must(t, one.Close())
	if err := l.Park(one, 1, time.Time{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed connection: %v", err)
	}
	if l.Len() != 1 {
		t.Errorf("%d are parked", l.Len())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.alarm.IsZero() {
		t.Errorf("the poller looks at the clock at %v, for nothing", l.alarm)
	}
}

// An event that was reported for an earlier use of a slot or a descriptor is no event of
// the next one.
func TestStale(t *testing.T) {
	l, out := lot(t)
	ln := listen(t)
	for i := range uint64(2000) {
		server, client := pair(t, ln)
		must(t, l.Park(server, 2*i, time.Time{}))
		go func() { _, _ = client.Write([]byte("x")) }()
		l.Wake(2 * i) // or the byte is first
		if w := next(t, out); w.token != 2*i {
			t.Fatalf("%+v", w)
		}
		must(t, server.Close()) // its number is the next one's
		quiet, other := pair(t, ln)
		must(t, l.Park(quiet, 2*i+1, time.Time{}))
		l.Wake(2*i + 1)
		if w := next(t, out); w.token != 2*i+1 || w.why != Stopped {
			t.Fatalf("nobody has written, and %+v", w)
		}
		_, _, _ = client.Close(), quiet.Close(), other.Close()
	}
}

// owner reads numbers from a connection, and parks it whenever there are none.
type owner struct {
	conn    *net.TCPConn
	token   uint64
	busy    atomic.Int32 // who is at it
	got     []byte
	parks   int
	expects int
	done    chan struct{}
}

func (o *owner) run(t *testing.T, l *Lot) {
	if o.busy.Add(1) != 1 {
		t.Error("a connection has two owners")
	}
	buf := make([]byte, 16)
	for len(o.got) < o.expects {
		_ = o.conn.SetReadDeadline(time.Now().Add(20 * time.Microsecond))
		n, err := o.conn.Read(buf)
		o.got = append(o.got, buf[:n]...)
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v after %d bytes", err, len(o.got))
			break
		}
		o.parks++
		until := time.Time{}
		if o.parks%3 == 0 {
			until = time.Now().Add(3 * time.Second)
		}
		o.busy.Add(-1)
		if err := l.Park(o.conn, o.token, until); err == nil {
			return
		} else if !errors.Is(err, ErrNear) {
			t.Error(err)
		}
		o.busy.Add(1)
	}
	close(o.done)
}

// Connections are parked and handed back by the thousand, also when somebody stops them
// in the middle: each has one owner at a time, who misses nothing, in order.
func TestManyParks(t *testing.T) {
	const connections, bytes = 100, 250
	ln := listen(t)
	owners := make([]*owner, connections)
	var l *Lot
	l, err := New(Config{Wake: func(token uint64, _ Reason) { go owners[token].run(t, l) }})
	must(t, err)
	var writers sync.WaitGroup
	for i := range owners {
		server, client := pair(t, ln)
		owners[i] = &owner{conn: server, token: uint64(i), expects: bytes, done: make(chan struct{})}
		writers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for sent := 0; sent < bytes; {
				piece := make([]byte, min(1+rnd.IntN(4), bytes-sent))
				for j := range piece {
					piece[j] = byte(sent + j)
				}
				if _, err := client.Write(piece); err != nil {
					t.Error(err)
				}
				sent += len(piece)
				<-time.After(time.Duration(rnd.IntN(1000)) * time.Microsecond)
			}
		})
	}
	var pokes sync.WaitGroup
	stop := make(chan struct{})
	pokes.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				l.Wake(uint64(rand.IntN(connections)))
				runtime.Gosched()
			}
		}
	})
	for _, o := range owners {
		go o.run(t, l)
	}
	writers.Wait()
	parks, want := 0, make([]byte, bytes)
	for i := range want {
		want[i] = byte(i)
	}
	for i, o := range owners {
		select {
		case <-o.done:
		case <-time.After(limit):
			t.Fatalf("%d is never handed back", i)
		}
		if parks += o.parks; !slices.Equal(o.got, want) {
			t.Errorf("%d has read %v", i, o.got)
		}
	}
	close(stop)
	pokes.Wait()
	l.Close()
	t.Logf("%d parks", parks)
	if parks < 10*connections {
		t.Errorf("only %d parks", parks)
	}
}
