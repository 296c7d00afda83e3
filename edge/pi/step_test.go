package pi

import (
	"crypto/tls"
	"net"
	"reflect"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// restless notes the deadlines that are set on a connection.
type restless struct {
	net.Conn
	read, write time.Time
}

func (r *restless) SetReadDeadline(t time.Time) error {
	r.read = t
	return r.Conn.SetReadDeadline(t)
}

func (r *restless) SetWriteDeadline(t time.Time) error {
	r.write = t
	return r.Conn.SetWriteDeadline(t)
}

func (r *restless) SetDeadline(t time.Time) error {
	r.read, r.write = t, t
	return r.Conn.SetDeadline(t)
}

// rest checks that nothing belongs to a session that Step has left as Idle but
// its own memory: no buffer, no job and no deadline that is still to come.
func (b *bench) rest(conn *restless) {
	b.t.Helper()
	s := b.sess
	if s.link.out != nil {
		b.t.Errorf("replies are held: %q", s.link.out)
	}
	reader := reflect.ValueOf(&s.link.reader).Elem()
	for _, field := range []string{"raw", "buf"} {
		if !reader.FieldByName(field).IsNil() {
			b.t.Errorf("the reader holds %s", field)
		}
	}
	if s.last != nil {
		b.t.Error("the socket of a passive port is kept")
	}
	if s.job != nil || len(s.held) > 0 || s.lease.Held() {
		b.t.Errorf("job %v, %d lines, lease %v", s.job, len(s.held), s.lease.Held())
	}
	if !conn.write.IsZero() && conn.write.After(time.Now()) {
		b.t.Errorf("a write deadline comes in %v", time.Until(conn.write))
	}
	if !conn.read.IsZero() && conn.read.After(time.Now()) {
		b.t.Errorf("a read deadline comes in %v", time.Until(conn.read))
	}
}

// stepper is a session whose owner the test is.
func stepper(t *testing.T, set func(*Config)) (*bench, *restless) {
	b := newBench(t, set)
	conn := &restless{Conn: b.sess.link.raw}
	b.sess.link.raw, b.sess.link.plain.Conn = conn, conn
	return b, conn
}

// piece is what a client sends at once and the codes of the replies to it.
type piece struct {
	send  string
	codes []int
}

func pieces() []piece {
	return []piece{
		{"", []int{220}},
		{"USER dev\r\nPASS secret\r\n", []int{331, 230}},
		{"NO", nil},
		{"O", nil},
		{"P\r\nTYPE I\r\nPW", []int{200, 200}},
		{"D\r\n\r\n", []int{257, 500}},
		{"STAT /\r\n", []int{212}},
		{"\xff\xfa\x01", nil}, // a Telnet sequence cut in two
		{"\x02\xff\xf0NOOP\r\n", []int{200}},
	}
}

// TestStep: between two commands a session needs nobody, and whoever comes next
// goes on with it.
func TestStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, conn := stepper(t, nil)
		replies := make(chan int, 8)
		go func() {
			for {
				r, err := b.client.Reply()
				if err != nil {
					close(replies)
					return
				}
				replies <- r.Code
			}
		}()
		synctest.Wait()
		for _, p := range pieces() {
			if p.send != "" {
				go func() { _, _ = b.client.Write([]byte(p.send)) }()
			}
			began := time.Now()
			b.step(Idle)
			b.rest(conn)
			if took := time.Since(began); took != stay {
				t.Errorf("after %q Step stayed for %v", p.send, took)
			}
			for _, want := range p.codes {
				if got := <-replies; got != want {
					t.Errorf("after %q the reply is %d, not %d", p.send, got, want)
				}
			}
			after(time.Second) // between the steps
		}
		go func() { _ = b.client.Send("QUIT") }()
		b.step(Closed)
		if got := <-replies; got != 221 {
			t.Errorf("QUIT was answered %d", got)
		}
		close(b.ended)
		b.close()
	})
}

// stay is how long Step waits in these tests.
const stay = 250 * time.Millisecond

// step takes one step in a goroutine of its own, which must leave nobody behind.
func (b *bench) step(want Status) {
	b.t.Helper()
	done := make(chan Status)
	before := runtime.NumGoroutine()
	go func() { done <- b.sess.Step(b.ctx, stay) }()
	if got := <-done; got != want {
		b.t.Fatalf("Step returned %v", got)
	}
	synctest.Wait()
	if n := runtime.NumGoroutine(); n > before {
		b.t.Errorf("%d goroutines more than before", n-before)
	}
}

// TestStepLimits: Until tells when Step has to come at the latest, and Step then
// does what is due.
func TestStepLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, conn := stepper(t, nil)
		began := time.Now()
		answers := make(chan int, 2)
		go func() {
			for range 2 {
				r, err := b.client.Reply()
				if err != nil {
					t.Error(err)
				}
				answers <- r.Code
			}
		}()
		if b.sess.Step(b.ctx, time.Second) != Idle {
			t.Fatal("the session ended")
		}
		b.rest(conn)
		if until := b.sess.Until(); until.Sub(began) != time.Minute {
			t.Errorf("Until is %v after the connection", until.Sub(began))
		}
		after(time.Until(b.sess.Until()))
		if b.sess.Step(b.ctx, time.Second) != Closed {
			t.Error("the login limit did not end the session")
		}
		if a, b := <-answers, <-answers; a != 220 || b != 421 {
			t.Errorf("the replies are %d and %d", a, b)
		}
		close(b.ended)
		b.close()
	})
}

// TestStepAfterTransfer: no reader is left behind when a transfer has ended, and
// what it had read is not lost.
func TestStepAfterTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, conn := stepper(t, nil)
		idle := make(chan Status, 1)
		step := func() { idle <- b.sess.Step(b.ctx, stay) }
		go step()
		b.login()
		p := newFakePort()
		b.ports <- p
		b.do("FAKE", 200)
		b.do("STOR a", 150)
		_, err := b.client.Write([]byte("PW"))
		b.must(err)
		p.put([]byte("x"))
		b.expect("STOR", 226)
		if got := <-idle; got != Idle {
			t.Fatalf("Step returned %v", got)
		}
		synctest.Wait()
		b.rest(conn)
		go step()
		b.do("D", 257)
		go func() { _, _ = b.client.Reply() }()
		<-idle
		close(b.ended)
		_ = b.client.Close()
		if b.sess.Step(b.ctx, time.Second) != Closed {
			t.Error("the session goes on without its client")
		}
		b.close()
	})
}

// TestStepTLS: the same over TLS, where bytes may wait above the connection and
// a read that was given up must leave the connection as it is.
func TestStepTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client, err := userpi.ThrowAway() // in the bubble's time
		if err != nil {
			t.Fatal(err)
		}
		b, conn := stepper(t, func(c *Config) { c.TLS = server })
		idle := make(chan Status, 1)
		step := func() { idle <- b.sess.Step(b.ctx, stay) }
		rest := func() {
			t.Helper()
			if got := <-idle; got != Idle {
				t.Fatalf("Step returned %v", got)
			}
			synctest.Wait()
			b.rest(conn)
		}
		go step()
		b.expect("the connection", 220)
		b.must(b.client.Protect(client))
		rest()
		tc := b.client.Conn().(*tls.Conn)
		for _, part := range []string{"NO", "OP\r\nNOOP\r", "\n"} {
			go step()
			_, err := tc.Write([]byte(part))
			b.must(err)
			if part == "NO" {
				rest()
			} else {
				b.expect("NOOP", 200)
				rest()
			}
			after(10 * time.Second)
		}
		go step()
		b.do("QUIT", 221)
		if got := <-idle; got != Closed {
			t.Errorf("Step returned %v", got)
		}
		close(b.ended)
		b.close()
	})
}
