package hostile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// silent opens a thousand connections and says nothing on them.
func silent(t *testing.T) {
	r := serve(t, func(s *setup) { s.Timeouts.Login = 3 * time.Second })
	const n = 1000
	before := live()
	for range n {
		r.dial(r.addrs[0])
	}
	r.until("all are there, or were", func() bool { return r.srv.Status().Sessions+r.porter.heard(policy.EventTimeout) >= n })
	r.meanwhile()
	r.bounded("bytes for a silent client, its own end included", (live()-before)/n, 20<<10)
	r.until("they are sent away", func() bool { return r.porter.heard(policy.EventTimeout) >= n && r.srv.Status().Sessions < 10 })
}

// churn connects and resets, five hundred times, while a transfer runs.
func churn(t *testing.T) {
	r := serve(t, plain)
	c := r.login()
	conn, err := c.Begin(userpi.EPSV, "STOR long")
	r.must(err)
	r.keep(conn)
	sum := sha256.New()
	piece := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	for i := range 500 {
		_, err := io.MultiWriter(conn, sum).Write(piece)
		r.must(err)
		storm := r.dial(r.addrs[0])
		switch i % 4 {
		case 1:
			_, _ = io.WriteString(storm, "USER "+user)
		case 2:
			_, _ = io.WriteString(storm, "USER "+user+"\r\nPASS "+password+"\r\nEPSV\r\nSTOR x\r\n")
		case 3:
			_, _ = io.WriteString(storm, "AUTH TLS\r\n\x16\x03\x01")
		}
		reset(storm)
	}
	r.must(conn.Close())
	r.expect(c, "STOR", 226)
	if got := r.do(c, "HASH long", 213).Text(); !strings.Contains(got, fmt.Sprintf("%x", sum.Sum(nil))) {
		t.Errorf("the file is another one: %s", got)
	}
	r.until("the storm is over", func() bool { return r.srv.Status().Sessions <= 3 })
}

// oneAddress opens six hundred connections from one address.
func oneAddress(t *testing.T) {
	const n, most = 600, 20
	r := serve(t, func(s *setup) {
		s.Limits.SessionsPerIP = most
		s.unwatched = runtime.GOOS != "linux" // where there is no second address
	})
	greeted, refused := 0, 0
	for range n {
		c := userpi.New(r.dial(r.addrs[0]))
		c.Timeout = userpi.Timeout
		if r.expect(c, "a connection", 220, 421).Code == 220 {
			greeted++
			continue
		}
		refused++
		r.must(c.Closed())
	}
	if greeted != most || refused != n-most {
		t.Errorf("%d were greeted, %d refused", greeted, refused)
	}
	r.until("the observers are told of each", func() bool { return r.porter.heard(policy.EventMaxConsPerIP) == refused })
	r.bounded("sessions", int64(r.srv.Status().Sessions), most+2)
	r.meanwhile()
}

// aborts sends ABOR in storms, with and without Telnet's signals and urgent data,
// while a download that nobody reads is running.
func aborts(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		t.Run(map[bool]string{false: "in the clear", true: "protected"}[sealed], func(t *testing.T) {
			r := serve(t, plain)
			c := r.login()
			if sealed {
				c = r.protected(r.client)
			}
			r.put(c, "STOR big", strings.Repeat("x", 16<<20))
			for i := range 60 {
				conn, err := c.Begin(userpi.EPSV, "RETR big")
				r.must(err)
				r.keep(conn)
				r.must(sendAborts(c, i%3 == 0 && !sealed))
				r.expect(c, "RETR", 426, 226)
				r.expect(c, "the first ABOR", 226, 225)
				for range 5 {
					r.expect(c, "another ABOR", 225)
				}
				r.do(c, "NOOP", 200)
				conn.Close()
			}
			r.put(c, "STOR after", "x")
		})
	}
}

// sendAborts sends six of them at once.
func sendAborts(c *userpi.Client, urgent bool) error {
	if _, err := c.Write([]byte("\xff\xf4\xff")); err != nil {
		return err
	}
	if urgent {
		if err := sendUrgent(c.Raw(), "\xf2"); err != nil {
			return err
		}
	} else if _, err := c.Write([]byte("\xf2")); err != nil {
		return err
	}
	_, err := c.Write([]byte(strings.Repeat("ABOR\r\n", 6)))
	return err
}

// resets ends data connections in all the ways that are not proper.
func resets(t *testing.T) {
	r := serve(t, plain)
	c := r.login()
	r.put(c, "STOR big", strings.Repeat("x", 4<<20))
	for i := range 60 {
		r.do(c, fmt.Sprintf("MKD dir%d", i), 257)
	}
	for i := range 200 {
		line := []string{"RETR big", "STOR cut", "LIST", "APPE big2", "NLST *", "STOU", "MLSD"}[i%7]
		addr := r.dataAddr(c)
		early := i%2 == 0
		if early { // connected, and gone, before the command
			reset(r.dial(addr))
		}
		r.must(c.Send(line))
		if !early {
			conn := r.dial(addr)
			_, _ = conn.Write([]byte("half"))
			reset(conn)
		}
		reply := r.expect(c, line, 125, 150, 425, 426)
		if reply.Code < 200 {
			reply = r.expect(c, line, 226, 426)
		}
		if upload := i%7 == 1 || i%7 == 3 || i%7 == 5; upload && reply.Code == 226 {
			t.Errorf("%s, reset, was answered %q", line, reply)
		}
		r.do(c, "NOOP", 200)
	}
	r.put(c, "STOR whole", "x")
}

// lost ends control connections in the middle of transfers.
func lost(t *testing.T) {
	r := serve(t, plain)
	r.put(r.login(), "STOR big", strings.Repeat("x", 4<<20))
	var storm sync.WaitGroup
	for i := range 60 {
		line := []string{"RETR big", "STOR cut", "LIST"}[i%3]
		c := r.login()
		conn, err := c.Begin(userpi.EPSV, line)
		r.must(err)
		r.keep(conn)
		storm.Go(func() { // whichever comes first
			if rand.IntN(2) == 0 {
				reset(conn)
			}
			reset(c.Raw())
		})
	}
	storm.Wait()
	r.until("they are gone", func() bool { return r.srv.Status().Sessions <= 3 && r.srv.Status().Transfers <= 1 })
	r.do(r.login(), "SIZE cut", 550, 213)
}

// trickle uploads and downloads a byte now and then: no stall, and little memory.
func trickle(t *testing.T) {
	r := serve(t, func(s *setup) { s.Timeouts.Stall = 3 * time.Second })
	r.put(r.login(), "STOR big", strings.Repeat("x", 8<<20))
	before := live()
	const n = 15
	var ends []func() error
	for i := range n {
		for _, mode := range []string{"S", "Z"} {
			up, down := r.login(), r.login()
			for _, c := range []*userpi.Client{up, down} {
				r.do(c, "MODE "+mode, 200)
			}
			in, err := up.Begin(userpi.EPSV, fmt.Sprintf("STOR up%d%s", i, mode))
			r.must(err)
			out, err := down.Begin(userpi.EPSV, "RETR big")
			r.must(err)
			ends = append(ends, r.uploadSlowly(up, in, mode), r.downloadSlowly(out))
		}
	}
	r.meanwhile()
	r.bounded("bytes for a slow transfer", (live()-before)/(4*n), 768<<10)
	for _, end := range ends {
		if err := end(); err != nil {
			t.Error(err)
		}
	}
}

// uploadSlowly sends 40 bytes in the course of four seconds; what it returns waits
// for the end.
func (r *rig) uploadSlowly(c *userpi.Client, conn net.Conn, mode string) (end func() error) {
	r.keep(conn)
	text := []byte(strings.Repeat("x", 40))
	if mode == "Z" {
		text = deflated(text)
	}
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := range text {
			<-tick.C
			if _, err := conn.Write(text[i : i+1]); err != nil {
				done <- err
				return
			}
		}
		conn.Close()
		_, err := c.Expect("a slow upload", 226)
		done <- err
	}()
	return func() error { return <-done }
}

// downloadSlowly reads a byte now and then, and does not wait for the end.
func (r *rig) downloadSlowly(conn net.Conn) (end func() error) {
	r.keep(conn)
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		var b [1]byte
		for range 30 {
			<-tick.C
			if _, err := io.ReadFull(conn, b[:]); err != nil {
				done <- fmt.Errorf("a slow download: %w", err)
				return
			}
		}
		done <- nil
	}()
	return func() error { return <-done }
}

// tooSlow is trickle where a rate is asked for: every direction and form of it ends
// with 426 and an event, and the session goes on.
func tooSlow(t *testing.T) {
	r := serve(t, func(s *setup) {
		s.Transfer.Least, s.Transfer.LeastWindow = edge.Rates{Down: 1000, Up: 1000}, time.Second
	})
	r.put(r.login(), "STOR big", strings.Repeat("x", 16<<20))
	var all []*userpi.Client
	var slow sync.WaitGroup
	over := make(chan struct{})
	defer slow.Wait()
	defer close(over)
	for _, sealed := range []bool{false, true} {
		for _, line := range []string{"RETR big", "STOR up", "APPE up2", "LIST"} {
			c := r.login()
			if sealed {
				c = r.protected(r.client)
			}
			if line == "LIST" { // which is too short for that, and must not end so
				r.get(c, line)
				continue
			}
			conn, err := c.Begin(userpi.EPSV, line)
			r.must(err)
			r.keep(conn)
			move := conn.Write
			if line == "RETR big" {
				move = conn.Read
			}
			slow.Go(func() {
				tick := time.NewTicker(50 * time.Millisecond)
				defer tick.Stop()
				for b := make([]byte, 1); ; {
					select {
					case <-over:
						return
					case <-tick.C:
					}
					if _, err := move(b); err != nil {
						return
					}
				}
			})
			all = append(all, c)
		}
	}
	for _, c := range all {
		r.expect(c, "a slow transfer", 426)
		r.do(c, "NOOP", 200)
	}
	r.until("the observers were told", func() bool { return r.porter.heard(policy.EventTimeout) == len(all) })
	c := r.meet()
	r.must(c.Identify("somebody", password))
	r.do(c, "SIZE up", 550) // nothing was published
}

// unreadDownloads reads nothing at all, and uploads nothing either.
func unreadDownloads(t *testing.T) {
	r := serve(t, func(s *setup) { s.Timeouts.Stall = time.Second })
	r.put(r.login(), "STOR big", strings.Repeat("x", 16<<20))
	var all []*userpi.Client
	for i := range 18 {
		c := r.login()
		if i%2 == 0 {
			c = r.protected(r.client)
		}
		conn, err := c.Begin(userpi.EPSV, []string{"RETR big", "STOR never", "APPE never2"}[i%3])
		r.must(err)
		r.keep(conn)
		all = append(all, c)
	}
	for _, c := range all {
		r.expect(c, "the stall", 421)
		r.must(c.Closed())
	}
	c := r.login()
	r.do(c, "SIZE never", 550)
	r.do(c, "SIZE never2", 550)
}

// siegeAndShutdown ends the server in the middle of everything: it does not take longer
// than it was given.
func siegeAndShutdown(t *testing.T) {
	r := serve(t, func(s *setup) {
		s.onDisk, s.unwatched = true, true
		implicit(s)
	})
	r.sparse("huge", 1<<40)
	r.sparse("large", 16<<30)
	for range 10 {
		r.pending()                                             // handshakes that never come
		r.dial(r.addrs[0])                                      // silence
		_, _ = r.meet().Write([]byte("USER " + user))           // half a line
		_, _ = r.login().Write([]byte("EPSV\r\nRETR huge\r\n")) // nobody connects
		go fill(r.login().Raw(), []byte(strings.Repeat("HELP\r\n", 100_000)))
		for _, c := range []*userpi.Client{r.login(), r.protected(r.client)} {
			conn, err := c.Begin(userpi.EPSV, "RETR huge") // nobody reads
			r.must(err)
			r.keep(conn)
		}
	}
	c, copying := r.login(), r.login()
	hashing := []*userpi.Client{r.login(), r.login()}
	r.do(c, "REST 5", 350)
	conn, err := c.Begin(userpi.EPSV, "STOR large")
	r.must(err)
	_, _ = r.keep(conn).Write([]byte("x"))
	for i, line := range []string{"HASH huge\r\n" + strings.Repeat("NOOP\r\n", 100), "HASH huge\r\nQUIT\r\n"} {
		_, _ = hashing[i].Write([]byte(line))
	}
	_, _ = copying.Write([]byte("SITE CPFR large\r\nSITE CPTO copy\r\n"))
	const limit = time.Second
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	if err := r.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if took := time.Since(began); took > limit+3*time.Second {
		t.Errorf("the end took %v", took)
	} else {
		t.Logf("the end took %v", took)
	}
}
