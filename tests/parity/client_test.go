package parity

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// client is a user-PI that fails its test by itself.
type client struct {
	*userpi.Client
	t *testing.T
}

// dial connects; nothing is read.
func (s *site) dial() *client { return s.dialAt(0) }

// dialAt connects to the n-th listener.
func (s *site) dialAt(n int) *client {
	s.Helper()
	c, err := userpi.Dial(s.addrs[n])
	s.must(err)
	s.Cleanup(func() { _ = c.Close() })
	return &client{c, s.T}
}

// greeted connects and reads the greeting.
func (s *site) greeted() *client {
	s.Helper()
	c := s.dial()
	c.next("220")
	return c
}

// login logs in.
func (s *site) login() *client {
	s.Helper()
	c := s.greeted()
	c.enter()
	return c
}

// binary logs in and asks for binary transfers.
func (s *site) binary() *client {
	s.Helper()
	c := s.login()
	c.says("TYPE I", "200")
	return c
}

func (c *client) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// enter logs in where the greeting was read.
func (c *client) enter() {
	c.t.Helper()
	c.must(c.Identify(user, password))
}

// says sends lines and compares the replies: a line, what is expected, and so on.
// See is.
func (c *client) says(pairs ...string) {
	c.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		r, err := c.Do(pairs[i])
		if err != nil {
			c.t.Fatalf("%s: %v", pairs[i], err)
		}
		if !is(r, pairs[i+1]) {
			c.t.Fatalf("%s was answered %q, want %s", pairs[i], r, pairs[i+1])
		}
	}
}

// next reads one reply that was not asked for by the last line.
func (c *client) next(want string) userpi.Reply {
	c.t.Helper()
	r, err := c.Reply()
	if err != nil {
		c.t.Fatalf("instead of %s: %v", want, err)
	}
	if !is(r, want) {
		c.t.Fatalf("the server says %q, want %s", r, want)
	}
	return r
}

// ask sends a line and returns the reply.
func (c *client) ask(line string) userpi.Reply {
	c.t.Helper()
	r, err := c.Do(line)
	if err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	return r
}

// is reports whether a reply is as a text says: a code, or "125|150", and maybe a
// pattern behind it for one of the lines, in which * is any text.
func is(r userpi.Reply, want string) bool {
	codes, pattern, given := strings.Cut(want, " ")
	ok := false
	for code := range strings.SplitSeq(codes, "|") {
		ok = ok || code == strconv.Itoa(r.Code)
	}
	if !ok || !given {
		return ok
	}
	for _, l := range r.Lines {
		if glob(pattern, l) {
			return true
		}
	}
	return false
}

// glob reports whether a text matches a pattern of stars and other text.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	for i, p := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(text, p)
		}
		at := strings.Index(text, p)
		if at < 0 {
			return false
		}
		text = text[at+len(p):]
	}
	return text == ""
}

// closed fails unless the server closes the connection without a word.
func (c *client) closed() {
	c.t.Helper()
	c.must(c.Closed())
}

// get returns what a command sends.
func (c *client) get(line string) string {
	c.t.Helper()
	data, err := c.Get(userpi.EPSV, line)
	if err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	return string(data)
}

// put uploads a content.
func (c *client) put(line, content string) {
	c.t.Helper()
	if _, err := c.Put(userpi.EPSV, line, strings.NewReader(content)); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
}

// lines returns what a listing command sends, line by line.
func (c *client) lines(line string) []string {
	c.t.Helper()
	text, ok := strings.CutSuffix(c.get(line), "\r\n")
	if !ok {
		return nil
	}
	return strings.Split(text, "\r\n")
}

// passive opens a data port of the server's and returns its address.
func (c *client) passive(line string) string {
	c.t.Helper()
	r := c.ask(line)
	addr, err := userpi.Address(r, c.Raw().RemoteAddr())
	if err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	return addr
}

// took measures what takes some time, and begins with what begins that, and not much longer: a
// busy machine has 25 seconds, less than the least default of a limit.
func took(t *testing.T, what string, least time.Duration, do func()) {
	t.Helper()
	began := time.Now()
	do()
	if d := time.Since(began); d < least || d > least+25*time.Second {
		t.Errorf("%s took %v, want %v", what, d, least)
	}
}

// until looks again and again whether something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(userpi.Timeout)
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("it never came to be that %s", what)
		}
	}
}

// TestPatterns: the comparison can fail.
func TestPatterns(t *testing.T) {
	r := userpi.Reply{Code: 250, Lines: []string{"Listing", " type=file; /a", "End"}}
	for want, ok := range map[string]bool{
		"250": true, "125|250": true, "251": false, "25": false, "250 Listing": true, "250 * /a": true, "250 type*": false,
		"250 *type=file;*": true, "250 End*": true, "250 En": false, "251 Listing": false, "250 L*x*g": false, "250 ": false,
	} {
		if is(r, want) != ok {
			t.Errorf("is(%q) = %v", want, !ok)
		}
	}
}
