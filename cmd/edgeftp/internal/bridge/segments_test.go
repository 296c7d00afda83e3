package bridge

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// taps are the connections of a bridge, of which a test learns when a stream is waited for.
type taps struct {
	mu   sync.Mutex
	all  []*tap
	each func(ctx context.Context, l *tap, stream int) // both count from 0
}

// tap is one connection. The first one is that of all sessions.
type tap struct {
	Link
	of      *taps
	number  int
	streams int
	breaks  atomic.Bool // with the next stream
}

func (l *tap) Receive(ctx context.Context, token string) (io.ReadCloser, error) {
	l.of.mu.Lock()
	n := l.streams
	l.streams++
	l.of.mu.Unlock()
	if l.of.each != nil {
		l.of.each(ctx, l, n)
	}
	in, err := l.Link.Receive(ctx, token)
	if err == nil && l.breaks.Load() {
		in = breaking{in, l}
	}
	return in, err
}

// breaking is a stream whose connection ends when a part of it was read.
type breaking struct {
	io.ReadCloser
	l *tap
}

func (b breaking) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	_ = b.l.Close()
	return n, err
}

// tapped has the bridge fetch over four connections that a test looks at.
func tapped(c *Config, each func(ctx context.Context, l *tap, stream int)) {
	of, dial := &taps{each: each}, c.Dial
	c.Connections = 4
	c.Dial = func(ctx context.Context) (Link, error) {
		link, err := dial(ctx)
		if err != nil {
			return nil, err
		}
		of.mu.Lock()
		defer of.mu.Unlock()
		of.all = append(of.all, &tap{Link: link, of: of, number: len(of.all)})
		return of.all[len(of.all)-1], nil
	}
}

// crowd lets no connection go on before so many have begun: else the quick ones would have
// fetched everything before the last one is there.
type crowd struct {
	mu   sync.Mutex
	want int
	here map[int]bool
	full chan struct{}
}

func newCrowd(n int) *crowd { return &crowd{want: n, here: map[int]bool{}, full: make(chan struct{})} }

func (c *crowd) wait(ctx context.Context, l *tap, stream int) {
	if l.number == 0 {
		stream-- // the beginning, which is nobody's segment
	}
	c.mu.Lock()
	if before := len(c.here); stream == 0 {
		if c.here[l.number] = true; len(c.here) == c.want && before < c.want {
			close(c.full)
		}
	}
	c.mu.Unlock()
	if stream >= 1 {
		select {
		case <-c.full:
		case <-ctx.Done():
		}
	}
}

// patient is a client that waits longer: the machine may be busy.
func (r *rig) patient() *userpi.Client {
	r.t.Helper()
	c := r.client()
	c.Timeout = time.Minute
	return c
}

// whole reads the rest of a download that has to be a file.
func whole(t *testing.T, c *userpi.Client, conn net.Conn, got *bytes.Buffer, want []byte) {
	t.Helper()
	if _, err := io.Copy(got, conn); err != nil {
		t.Fatalf("after %d bytes: %v", got.Len(), err)
	}
	_ = conn.Close()
	if _, err := c.Expect("RETR", 226); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Fatalf("%d bytes, which are not the %d of the file", got.Len(), len(want))
	}
}

// fetches downloads a file that has to be right.
func fetches(t *testing.T, c *userpi.Client, name string, want []byte) {
	t.Helper()
	conn, err := c.Begin(userpi.EPSV, "RETR "+name)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	whole(t, c, conn, new(bytes.Buffer), want)
}

// A large file comes over four connections, of which each has its part, from where the client
// wants it; the connections and the client's session are used again.
func TestSegments(t *testing.T) {
	all := newCrowd(4)
	r := start(t, func(c *Config, _ *edge.Config) { tapped(c, all.wait) })
	if err := r.files.Mkdir("/d"); err != nil {
		t.Fatal(err)
	}
	want := r.put("/d/big.bin", 10<<20+123)
	c := r.patient()
	must(t, c, "TYPE I", 200)
	must(t, c, "CWD d", 250)
	must(t, c, "REST 1000", 350)
	fetches(t, c, "big.bin", want[1000:])
	if text := r.log.String(); !strings.Contains(text, " connections=4") {
		t.Errorf("the log:\n%s", text)
	}
	fetches(t, c, "big.bin", want)
	if reply := must(t, c, "PWD", 257); !strings.Contains(reply.Text(), `"/d"`) {
		t.Error(reply)
	}
	if n := r.connections(); n != 4 {
		t.Errorf("%d connections", n)
	}
}

// Files around the ends of segments.
func TestSegmentsEnds(t *testing.T) {
	r := start(t, func(c *Config, _ *edge.Config) { tapped(c, nil) })
	c := r.patient()
	must(t, c, "TYPE I", 200)
	for _, size := range []int{0, 1, segmentSize - 1, segmentSize, segmentSize + 1, 3 * segmentSize, 3*segmentSize + chunk + 1} {
		want := r.put("/a.bin", size)
		fetches(t, c, "a.bin", want)
		if size > 0 {
			must(t, c, "REST 1", 350)
			fetches(t, c, "a.bin", want[1:])
		}
	}
	must(t, c, "EPSV", 229)
	must(t, c, "RETR none.bin", 550)
	must(t, c, "RANG 5 9", 350)
	fetches(t, c, "a.bin", r.read("/a.bin")[5:10])
	must(t, c, "TYPE A", 200)
	if err := r.files.WriteFile("/a.txt", bytes.Repeat([]byte("one\n"), segmentSize)); err != nil {
		t.Fatal(err)
	}
	fetches(t, c, "a.txt", bytes.Repeat([]byte("one\r\n"), segmentSize))
}

// A range that a refused download may have left at the server is taken back before anything
// else is sent.
func TestSegmentsRangeLeft(t *testing.T) {
	said := make(chan []string, 1)
	c := facingWith(&rig{t: t, log: new(journal)}, 4, func(conn net.Conn) {
		said <- plain(conn, map[string]string{"MLST": "250-Here:\r\n Type=file;Size=5;Modify=20260101000000; a\r\n250 End.\r\n", "RANG": "350 Go on.\r\n", "RETR": "550 No.\r\n"})
	})
	if err := c.Login("anna", "secret"); err != nil {
		t.Fatal(err)
	}
	must(t, c, "TYPE I", 200)
	must(t, c, "EPSV", 229)
	must(t, c, "RETR a", 550)
	must(t, c, "HASH a", 200)
	must(t, c, "QUIT", 221)
	if got := strings.Join((<-said)[3:], " "); got != "QDAT MLST RANG RETR RANG HASH QUIT" {
		t.Error(got)
	}
}

// A file that changes between two segments is not put together of two.
func TestSegmentsChanged(t *testing.T) {
	var r *rig
	var once sync.Once
	var failed error
	r = start(t, func(c *Config, _ *edge.Config) {
		tapped(c, func(_ context.Context, l *tap, stream int) {
			if l.number == 0 && stream == 0 { // the beginning
				return
			}
			once.Do(func() {
				failed = errors.Join(r.files.WriteFile("/big.bin", bytes.Repeat([]byte("x"), 10<<20)), r.files.Chtimes("/big.bin", time.Time{}, time.Now().Add(time.Hour)))
			})
		})
	})
	r.put("/big.bin", 10<<20)
	c := r.patient()
	must(t, c, "TYPE I", 200)
	conn, err := c.Begin(userpi.EPSV, "RETR big.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.Copy(io.Discard, conn); err == nil {
		t.Error("the download has ended as a whole one does")
	}
	reply, err := c.Expect("RETR", 426)
	if err != nil || failed != nil || !strings.Contains(reply.Text(), "changed") {
		t.Error(reply, err, failed)
	}
	fetches(t, c, "big.bin", bytes.Repeat([]byte("x"), 10<<20))
}

// A server that permits no more sessions has the download go on with what there is. That is
// said once, and no more logins are tried for a while.
func TestSegmentsRefused(t *testing.T) {
	var r *rig
	r = start(t, func(c *Config, far *edge.Config) {
		tapped(c, func(ctx context.Context, l *tap, stream int) {
			for l.number == 0 && stream == 1 && ctx.Err() == nil && !strings.Contains(r.log.String(), "use fewer connections") {
				_ = sleep(ctx, 5*time.Millisecond) // until the other one was refused
			}
		})
		far.Limits.SessionsPerUser = 1
	})
	want := r.put("/big.bin", 8<<20)
	c := r.patient()
	must(t, c, "TYPE I", 200)
	for range 3 {
		fetches(t, c, "big.bin", want)
	}
	if text := r.log.String(); strings.Count(text, "use fewer connections") != 1 || strings.Count(text, "connections=1") != 3 || r.connections() != 2 {
		t.Errorf("%d connections; the log:\n%s", r.connections(), text)
	}
}

// A connection that is lost ends nothing but the segment that was on it, which another one
// goes on with: that of the client's session, in the beginning and after, and others.
func TestSegmentsLost(t *testing.T) {
	for _, test := range []struct {
		name         string
		link, stream int
	}{{"the main one in the beginning", 0, 0}, {"the main one later", 0, 1}, {"another one", 2, 0}} {
		t.Run(test.name, func(t *testing.T) {
			all := newCrowd(4)
			var once sync.Once
			r := start(t, func(c *Config, _ *edge.Config) {
				tapped(c, func(ctx context.Context, l *tap, stream int) {
					all.wait(ctx, l, stream)
					if l.number == test.link && stream == test.stream {
						once.Do(func() { l.breaks.Store(true) })
					}
				})
			})
			want := r.put("/big.bin", 10<<20)
			c := r.patient()
			must(t, c, "TYPE I", 200)
			fetches(t, c, "big.bin", want)
			must(t, c, "PWD", 257)
			fetches(t, c, "big.bin", want)
			if text := r.log.String(); !strings.Contains(text, "connection lost") || r.connections() != 5 {
				t.Errorf("%d connections; the log:\n%s", r.connections(), text)
			}
		})
	}
}

// ABOR ends the work of all sessions, and the client's own goes on: while it fetches segments,
// and while it has nothing but the beginning.
func TestSegmentsAborted(t *testing.T) {
	for name, first := range map[string]int{"segments": 2, "the beginning": 0} {
		t.Run(name, func(t *testing.T) {
			var holding atomic.Bool
			stuck := make(chan struct{})
			var once sync.Once
			r := start(t, func(c *Config, _ *edge.Config) {
				tapped(c, func(ctx context.Context, l *tap, stream int) {
					switch {
					case !holding.Load():
					case l.number == 0 && stream == first:
						once.Do(func() { close(stuck) })
						<-ctx.Done()
					case l.number > 0 && stream > 0: // else they could fetch everything before
						select {
						case <-stuck:
						case <-ctx.Done():
						}
					}
				})
			})
			r.put("/big.bin", 32<<20)
			c := r.patient()
			must(t, c, "TYPE I", 200)
			holding.Store(true)
			conn, err := c.Begin(userpi.EPSV, "RETR big.bin")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ended := make(chan error, 1)
			go func() {
				_, err := io.Copy(io.Discard, conn)
				ended <- err
			}()
			<-stuck
			if err := c.Send("ABOR"); err != nil {
				t.Fatal(err)
			}
			for _, code := range []int{426, 226} {
				if _, err := c.Expect("ABOR", code); err != nil {
					t.Fatal(err)
				}
			}
			if <-ended == nil {
				t.Error("an aborted download has ended as a whole one does")
			}
			holding.Store(false)
			if got, err := c.Get(userpi.EPSV, "NLST"); err != nil || !strings.Contains(string(got), "big.bin") {
				t.Errorf("%q, %v", got, err)
			}
			if text := r.log.String(); strings.Contains(text, "lost") {
				t.Errorf("the log:\n%s", text)
			}
		})
	}
}

// What a client sends behind a download waits for its end; what a server answers beside one is
// answered.
func TestSegmentsBeside(t *testing.T) {
	hold := make(chan struct{})
	r := start(t, func(c *Config, _ *edge.Config) {
		tapped(c, func(ctx context.Context, _ *tap, stream int) {
			if stream >= 2 {
				select {
				case <-hold:
				case <-ctx.Done():
				}
			}
		})
	})
	want := r.put("/big.bin", 10<<20)
	c := r.patient()
	must(t, c, "TYPE I", 200)
	conn, err := c.Begin(userpi.EPSV, "RETR big.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	must(t, c, "NOOP", 200)
	must(t, c, "STAT", 211)
	if err := c.Send("DELE big.bin\r\nNOOP\r\nPWD"); err != nil {
		t.Fatal(err)
	}
	close(hold)
	whole(t, c, conn, new(bytes.Buffer), want)
	for _, code := range []int{250, 200, 257} {
		if _, err := c.Expect("what has waited", code); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.files.Stat("/big.bin"); err == nil {
		t.Error("the file is there")
	}
}

// A client that closes its data connection early is told of it, and its session goes on.
func TestSegmentsClientCloses(t *testing.T) {
	r := start(t, func(c *Config, _ *edge.Config) { tapped(c, nil) })
	r.put("/big.bin", 32<<20)
	c := r.patient()
	must(t, c, "TYPE I", 200)
	for range 2 {
		conn, err := c.Begin(userpi.EPSV, "RETR big.bin")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, conn, 3<<20); err != nil {
			t.Fatal(err)
		}
		if err := userpi.Reset(conn); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Expect("RETR", 426); err != nil {
			t.Fatal(err)
		}
		must(t, c, "PWD", 257)
	}
}

// A rate of the user's holds for all sessions together, and takes nothing away.
func TestSegmentsThrottled(t *testing.T) {
	r := start(t, func(c *Config, far *edge.Config) {
		tapped(c, nil)
		far.Bandwidth.User.Down = 4 << 20
		far.Bandwidth.Session.Down = 3 << 20
	})
	want := r.put("/big.bin", 6<<20)
	c := r.patient()
	must(t, c, "TYPE I", 200)
	began := time.Now()
	fetches(t, c, "big.bin", want)
	if took := time.Since(began); took < time.Second {
		t.Errorf("%d bytes have come in %v", len(want), took)
	}
}

// A server without RANG sends all of a file, one without facts is asked for all of it again;
// neither is asked a second time.
func TestSegmentsImpossible(t *testing.T) {
	for _, test := range []struct{ name, mlst, rang, want string }{
		{"no ranges", "250-Here:\r\n Type=file;Size=5;Modify=20260101000000; a\r\n250 End.\r\n", "502 What?\r\n", "QDAT MLST RANG RETR QDAT MLST RETR"},
		{"no permission", "550 No.\r\n", "350 Go on.\r\n", "QDAT MLST RANG RETR QDAT REST RETR QDAT RETR"},
		{"no command", "502 What?\r\n", "350 Go on.\r\n", "QDAT MLST RANG RETR QDAT REST RETR QDAT RETR"},
		{"no time", "250-Here:\r\n Type=file;Size=5; a\r\n250 End.\r\n", "350 Go on.\r\n", "QDAT MLST RANG RETR QDAT REST RETR QDAT RETR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			said := make(chan []string, 1)
			r := &rig{t: t, log: new(journal)}
			c := facingWith(r, 4, func(conn net.Conn) { said <- plain(conn, map[string]string{"MLST": test.mlst, "RANG": test.rang}) })
			if err := c.Login("anna", "secret"); err != nil {
				t.Fatal(err)
			}
			must(t, c, "TYPE I", 200)
			for range 2 {
				if b, err := c.Get(userpi.EPSV, "RETR a"); err != nil || string(b) != "hello" {
					t.Errorf("%q, %v", b, err)
				}
			}
			if err := c.Quit(); err != nil {
				t.Error(err)
			}
			if got := strings.Join((<-said)[3:], " "); got != test.want+" QUIT" {
				t.Error(got)
			}
		})
	}
}

// plain is a server that says yes to everything but what it has other words for. It returns
// the commands.
func plain(conn net.Conn, words map[string]string) (said []string) {
	for verb, text := range map[string]string{"USER": "331 Password.\r\n", "PASS": "230 In.\r\n", "RETR": "150 Here.\r\n226 Done.\r\n", "QUIT": "221 Bye.\r\n", "REST": "350 Go on.\r\n"} {
		if words[verb] == "" {
			words[verb] = text
		}
	}
	_, _ = io.WriteString(conn, "220 Hello.\r\n")
	for in := bufio.NewScanner(conn); in.Scan(); {
		verb, _, _ := strings.Cut(in.Text(), " ")
		said = append(said, verb)
		answer := words[verb]
		if answer == "" {
			answer = "200 OK.\r\n"
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			break
		}
	}
	return said
}
