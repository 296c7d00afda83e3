package hostile

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// endlessLine sends a gibibyte without an end of line, before and after the login.
func endlessLine(t *testing.T) {
	r := serve(t, plain)
	for _, c := range []*userpi.Client{r.meet(), r.login()} {
		before := spent()
		sent := 0
		for chunk := bytes.Repeat([]byte("x"), 256<<10); sent < 1<<30; {
			n, err := c.Write(chunk)
			if sent += n; err != nil {
				break
			}
		}
		r.bounded("bytes that were taken off the client", int64(sent), 32<<20)
		r.bounded("memory that this took, in all", spent()-before, 8<<20)
		r.expect(c, "a line without end", 500)
		r.must(c.Closed())
	}
	r.meanwhile()
}

// nulInPassword: nothing is cut off at a NUL, nor at what stands for one.
func nulInPassword(t *testing.T) {
	r := serve(t, plain)
	for _, tail := range []string{"\x00", "\x00x", "\xff\xf4"} {
		c := r.meet()
		r.do(c, "USER "+user, 331)
		r.do(c, "PASS "+password+tail, 501)
		r.do(c, "PWD", 530)
		c = r.meet()
		r.do(c, "USER "+user+tail, 501)
		r.do(c, "PASS "+password, 503)
		r.do(c, "PWD", 530)
	}
}

// escapes: what clients send to steer terminals and forge lines comes out harmless,
// in replies and in logs.
func escapes(t *testing.T) {
	prefix := "[%(username)s %(client)s]"
	r := serve(t, func(s *setup) { s.LogPrefix = prefix })
	c := r.meet()
	evil := "\x1b]0;x\x07\u202e\u009b31m\u2028fake=1 level=ERROR"
	for _, line := range []string{
		"CLNT " + evil, "CSID Name=" + evil + ";Version=1;", "HOST " + evil, "LANG " + evil, "USER " + evil, "PASS " + evil,
		"USER " + user, "PASS " + password, "CWD " + evil, "MKD " + evil, "OPTS HASH " + evil, "MFF " + evil, "SITE " + evil, evil,
		"XCRC " + evil, "EPRT " + evil, "PORT " + evil, "TYPE " + evil, "STRU " + evil, "AUTH " + evil, "ALLO " + evil,
	} {
		reply, err := c.Do(line)
		r.must(err)
		for _, text := range reply.Lines {
			if strings.ContainsAny(text, "\x1b\x07\u009b") {
				t.Errorf("%q is answered with control characters: %q", line, text)
			}
		}
	}
	r.put(c, "STOR new"+evil, "x")
	r.until("the upload is logged", func() bool { return r.log.find("file_received") != "" && r.log.find("login failed") != "" })
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for line := range strings.SplitSeq(strings.TrimSuffix(r.log.text.String(), "\n"), "\n") {
		if !strings.HasPrefix(line, "time=") || strings.Count(line, "time=") != 1 {
			t.Errorf("a forged line in the log: %q", line)
		}
		if strings.ContainsAny(line, "\x1b\x07\u009b\u202e\u2028") {
			t.Errorf("control characters in the log: %q", line)
		}
	}
}

// pipelined sends ten thousand commands before and during a transfer; each is
// answered, in its order.
func pipelined(t *testing.T) {
	r := serve(t, plain)
	const n = 10_000
	c := r.login()
	conn, err := c.Begin(userpi.EPSV, "STOR meanwhile")
	r.must(err)
	r.keep(conn)
	for _, line := range []string{"NOOP\r\n", "PWD\r\n"} {
		sent := make(chan error, 1)
		go func() {
			_, err := c.Raw().Write([]byte(strings.Repeat(line, n)))
			sent <- err
		}()
		if line == "PWD\r\n" { // which waits for the transfer
			r.must(conn.Close())
			r.expect(c, "STOR", 226)
		}
		for i := range n {
			r.expect(c, fmt.Sprintf("%q, the %d. time", line, i), 200, 257)
		}
		r.must(<-sent)
	}
	r.meanwhile()
}

// unread sends commands with long replies and reads none of them.
func unread(t *testing.T) {
	r := serve(t, plain)
	r.put(r.login(), "STOR listed", "x")
	before := live()
	const n = 20
	for range n {
		for _, c := range []*userpi.Client{r.meet(), r.login()} {
			go fill(c.Raw(), []byte(strings.Repeat("HELP\r\nFEAT\r\nSTAT\r\nSTAT /\r\nMLST /\r\n", 2000)))
		}
	}
	r.meanwhile()
	r.meanwhile()
	r.bounded("bytes held for a client that does not read", (live()-before)/(2*n), 256<<10)
	r.hangUp()
}

// fill writes until the other end takes no more.
func fill(c net.Conn, b []byte) {
	_ = c.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, _ = c.Write(b)
}

// malformed sends every verb a number of arguments that make no sense; the session
// stays in step.
func malformed(t *testing.T) {
	r := serve(t, func(s *setup) { s.Commands = pi.Standard().With(pi.Optional()...) })
	sent := 0
	for _, row := range pi.Standard().With(pi.Optional()...).Rows() {
		for _, arg := range nonsense() {
			c := r.login()
			reply, err := c.Do(row.Verb + arg)
			if err != nil {
				t.Fatalf("%s%.60q: %v", row.Verb, arg, err)
			}
			if reply.Code < 200 || reply.Code == 451 || reply.Code == 500 {
				t.Errorf("%s%.60q: %.200q", row.Verb, arg, reply)
			}
			if reply.Code != 221 {
				if step, err := c.Do("NOOP"); err != nil || step.Code != 200 {
					t.Errorf("%s%.60q is followed by %q, %v", row.Verb, arg, step, err)
				}
			}
			_ = c.Close()
			sent++
		}
	}
	t.Logf("%d commands", sent)
}

// nonsense are arguments, with the space before them.
func nonsense() []string {
	return []string{
		" ", "  ", " " + strings.Repeat("A", 8000), " " + strings.Repeat("a/", 4000), " %s%n%x%99999999d", " ../../../../etc/passwd",
		" \xff\xff\xff\xff", " \xc0\xae\xc0\xae/", " -1", " -0", " +1", " 9223372036854775807", " 9223372036854775808",
		" 18446744073709551616", " 1e9", " 0x10", " \x1b]0;x\x07", " *", " [", " \\", " {a,b,{c,d}}", " a b c d e f g h", " |||", " ||||",
		" |1|127.0.0.1|99999|", " ,,,,,", " 1,2,3,4,5,6,7", " 256,0,0,1,1,1", " \"", " \"\"", " ~root", " ~", " ;", " =;=; =", " $(id)", " `id`",
		" ${jndi:ldap://x/}", " ' OR 1=1 --", " \t", " .", " /", " //", " .hidden", " con", " a\tb", " \u202e", " 777 /", " 4777 honest",
	}
}

// slowLine sends a byte now and then: what counts is the line, not the byte.
func slowLine(t *testing.T) {
	r := serve(t, func(s *setup) { s.Timeouts.Login, s.Timeouts.Idle = 3*time.Second, 3*time.Second })
	const n = 40
	gone := make(chan error, 3*n)
	for range n {
		for _, c := range []*userpi.Client{r.meet(), r.login(), r.protected(r.client)} {
			go drip(c.Conn())
			go func() {
				reply, err := c.Reply()
				if err == nil && reply.Code != 421 {
					err = fmt.Errorf("a slow client is told %q", reply)
				}
				gone <- err
			}()
		}
	}
	r.meanwhile()
	for range 3 * n {
		r.must(<-gone)
	}
	r.until("the observers are told of each", func() bool { return r.porter.heard(policy.EventTimeout) == 3*n })
}

// drip sends single bytes, until it cannot.
func drip(c net.Conn) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := c.Write([]byte("N")); err != nil {
			return
		}
	}
}

// hosts: who may log in at one of the server's names may not at another.
func hosts(t *testing.T) {
	guard := &byHost{porter: newPorter()}
	r := serve(t, func(s *setup) {
		s.Listeners[0].Hosts = []string{"a.example", "b.example", userpi.ServerName}
		s.Policies[0].Policy = guard
		s.unwatched = true
	})
	try := func(host string, conf bool, code int) {
		c := r.meet()
		if conf {
			r.must(c.Protect(r.client)) // which names userpi.ServerName
		}
		if host != "" {
			r.do(c, "HOST "+host, 220)
		}
		r.do(c, "USER "+user, 331)
		r.do(c, "PASS "+password, code)
		r.do(c, "HOST b.example", 503, 504, 220)
		_ = c.Close()
	}
	try("a.example", false, 230)
	try("b.example", false, 530)
	try("B.EXAMPLE.", false, 530)
	try("", false, 530)
	try("", true, 530)
	c := r.meet()
	r.must(c.Protect(r.client))
	r.do(c, "HOST a.example", 504) // the handshake has named another one
	c = r.meet()
	r.do(c, "HOST a.example", 220)
	r.do(c, "HOST b.example", 220)
	r.do(c, "USER "+user, 331)
	r.do(c, "PASS "+password, 530)
	r.do(c, "HOST c.example", 504)
	r.do(c, "HOST a.example", 220)
	r.do(c, "USER "+user, 331)
	r.do(c, "HOST b.example", 220)
	r.do(c, "PASS "+password, 530, 503)
}

// byHost lets users in at a.example alone.
type byHost struct{ *porter }

func (b *byHost) Hooks() policy.Hooks {
	h := b.porter.Hooks()
	h.Authenticator = b
	return h
}

func (b *byHost) Authenticate(ctx context.Context, l *policy.Login) (policy.Identity, error) {
	if l.Session.Host != "a.example" {
		return policy.Identity{}, nil
	}
	return b.porter.Authenticate(ctx, l)
}
