package bridge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// fake is a connection whose server is a function for each session.
type fake struct {
	server func(conn net.Conn)
	work   sync.WaitGroup
	once   sync.Once
	done   chan struct{}
}

func (f *fake) Session(context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	f.work.Go(func() {
		defer theirs.Close()
		f.server(theirs)
	})
	return ours, nil
}

func (*fake) Token() string { return "TOKEN" }

func (*fake) Send(context.Context, string) (Outgoing, error) { return nil, errors.New("no stream") }

func (*fake) Receive(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("hello")), nil
}

func (f *fake) Done() <-chan struct{} { return f.done }

func (f *fake) Err() error {
	select {
	case <-f.done:
		return net.ErrClosed
	default:
		return nil
	}
}

func (f *fake) Close() error {
	f.once.Do(func() { close(f.done) })
	f.work.Wait()
	return nil
}

// facing starts a bridge to such a server, and returns a client of it that has not read.
func facing(t *testing.T, server func(net.Conn)) *userpi.Client {
	t.Helper()
	return facingWith(&rig{t: t, log: new(journal)}, 1, server)
}

// facingWith does so with a bridge of so many connections.
func facingWith(r *rig, connections int, server func(net.Conn)) *userpi.Client {
	r.t.Helper()
	r.bridge(Config{Connections: connections, Log: slog.New(slog.NewTextHandler(r.log, nil)), Patience: time.Second, Dial: func(context.Context) (Link, error) {
		return &fake{server: server, done: make(chan struct{})}, nil
	}})
	c, err := userpi.Dial(r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// A server that breaks the protocol ends the session with 421, whatever it sends.
func TestHostileServers(t *testing.T) {
	for name, text := range map[string]string{
		"no reply":      "HTTP/1.1 400 Bad Request\r\n",
		"endless line":  strings.Repeat("220 ", 1<<20),
		"half a line":   "220",
		"full":          "421 Too many.\r\n",
		"after hello":   "220 Hello.\r\nnonsense\r\n",
		"unasked":       "220 Hello.\r\n421 Goodbye.\r\n",
		"endless later": "220 Hello.\r\n220-" + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			c := facing(t, func(conn net.Conn) {
				_, _ = io.WriteString(conn, text)
				if name != "half a line" {
					_, _ = io.Copy(io.Discard, conn)
				}
			})
			reply, err := c.Reply()
			if err == nil && reply.Code == 220 {
				reply, err = c.Reply()
			}
			for err == nil && reply.Code != 421 {
				reply, err = c.Reply()
			}
			if err != nil || len(reply.Text()) > 300 {
				t.Errorf("%v, %v", reply, err)
			}
			if err := c.Closed(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A greeting and an answer of many lines go through as they are.
func TestLongReplies(t *testing.T) {
	long := "211-Status\r\n" + strings.Repeat(" 226 it is no end\r\n 211 nor this\r\n", 5000) + "211 End\r\n"
	c := facing(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "220-Welcome\r\n 220 to us\r\n220 Ready.\r\n")
		if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil && line == "STAT\r\n" {
			_, _ = io.WriteString(conn, long)
		}
		_, _ = io.Copy(io.Discard, conn)
	})
	if reply, err := c.Expect("the connection", 220); err != nil || len(reply.Lines) != 3 {
		t.Error(reply, err)
	}
	if reply, err := c.Do("STAT"); err != nil || len(reply.Lines) != 10_002 {
		t.Errorf("%d lines, %v", len(reply.Lines), err)
	}
}

// A download whose stream is lost is not complete, whatever the server says of it.
func TestNoStream(t *testing.T) {
	r := start(t, func(c *Config, _ *edge.Config) {
		dial := c.Dial
		c.Dial = func(ctx context.Context) (Link, error) {
			link, err := dial(ctx)
			return lossy{link}, err
		}
	})
	r.put("/a.bin", 10)
	c := r.client()
	must(t, c, "TYPE I", 200)
	conn := connect(t, c, must(t, c, "EPSV", 229))
	defer conn.Close()
	if err := c.Send("RETR a.bin"); err != nil {
		t.Fatal(err)
	}
	for _, code := range []int{150, 426} {
		if reply, err := c.Reply(); err != nil || reply.Code != code {
			t.Error(reply, err)
		}
	}
	if _, err := io.ReadAll(conn); err == nil {
		t.Error("the download has ended as a whole one does")
	}
}

// lossy is a connection that loses the server's streams.
type lossy struct{ Link }

func (l lossy) Receive(ctx context.Context, token string) (io.ReadCloser, error) {
	in, err := l.Link.Receive(ctx, token)
	if err == nil {
		_ = in.Close()
		err = errors.New("a stream was lost")
	}
	return in, err
}

// A user who may read a file and not know of it is not asked about twice: the server could
// count it as an attempt. A server without MLST is never asked again.
func TestFactsRefused(t *testing.T) {
	for code, text := range map[string]string{"no permission": "550 No.\r\n", "no command": "502 What?\r\n"} {
		t.Run(code, func(t *testing.T) {
			var got []string
			asked := make(chan []string, 1)
			c := facing(t, func(conn net.Conn) {
				_, _ = io.WriteString(conn, "220 Hello.\r\n")
				in := bufio.NewScanner(conn)
				for in.Scan() {
					verb, _, _ := strings.Cut(in.Text(), " ")
					got = append(got, verb)
					answer := map[string]string{"USER": "331 Password.\r\n", "PASS": "230 In.\r\n", "MLST": text, "RETR": "150 Here.\r\n226 Done.\r\n", "QUIT": "221 Bye.\r\n"}[verb]
					if answer == "" {
						answer = "200 OK.\r\n"
					}
					if _, err := io.WriteString(conn, answer); err != nil {
						break
					}
				}
				asked <- got
			})
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
			if text := strings.Join(<-asked, " "); text != "USER PASS TYPE QDAT MLST RETR QDAT RETR QUIT" {
				t.Error(text)
			}
		})
	}
}
