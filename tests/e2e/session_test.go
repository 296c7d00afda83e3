package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// trust is the configuration of a TLS client that trusts the server's authority
// and nobody else.
func (s *server) trust(t *testing.T) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(must(os.ReadFile(s.ca))(t)) {
		t.Fatalf("%s holds no certificate", s.ca)
	}
	return &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

// dial opens a control connection and reads the greeting.
func (s *server) dial(t *testing.T) *session {
	t.Helper()
	c := must(userpi.Dial(s.addr))(t)
	t.Cleanup(func() { c.Close() })
	_, err := c.Expect("the connection", 220)
	ok(t, err)
	return &session{c}
}

// login opens a session of the server's user, protected where the server speaks
// TLS.
func (s *server) login(t *testing.T) *session {
	t.Helper()
	return s.loginAs(t, s.user, s.password)
}

func (s *server) loginAs(t *testing.T, user, password string) *session {
	t.Helper()
	c := s.dial(t)
	if !s.plain {
		ok(t, c.Protect(s.trust(t)))
	}
	ok(t, c.Identify(user, password))
	c.want(t, "TYPE I", 200)
	return c
}

// session is a control connection whose helpers fail the test.
type session struct{ *userpi.Client }

// want sends a command that must be answered with one of the codes.
func (c *session) want(t *testing.T, line string, codes ...int) userpi.Reply {
	t.Helper()
	r, err := c.Must(line, codes...)
	ok(t, err)
	return r
}

// get returns what a command sends.
func (c *session) get(t *testing.T, line string) []byte {
	t.Helper()
	data, err := c.Get(userpi.EPSV, line)
	ok(t, err)
	return data
}

// put sends a text.
func (c *session) put(t *testing.T, line string, data io.Reader) {
	t.Helper()
	_, err := c.Put(userpi.EPSV, line, data)
	ok(t, err)
}

// refused sends a command that uses a data connection and must be refused with
// one of the codes, before or after the mark.
func (c *session) refused(t *testing.T, line string, codes ...int) userpi.Reply {
	t.Helper()
	p := must(c.Prepare(userpi.EPSV))(t)
	defer p.Close()
	r := must(c.Do(line))(t)
	if r.Is(125, 150) {
		conn := must(p.Open())(t)
		defer conn.Close()
		if c.Protected {
			sealed := must(c.Seal(conn))(t)
			_ = userpi.End(sealed)
		}
		conn.Close()
		r = must(c.Reply())(t)
	}
	if !r.Is(codes...) {
		t.Fatalf("%s was answered %q, want %v", line, r, codes)
	}
	return r
}

// begin starts a transfer and returns its data connection, which has no
// deadline.
func (c *session) begin(t *testing.T, line string) net.Conn {
	t.Helper()
	conn := must(c.Begin(userpi.EPSV, line))(t)
	t.Cleanup(func() { conn.Close() })
	ok(t, conn.SetDeadline(time.Time{}))
	return conn
}

var progress = regexp.MustCompile(`(\d+) bytes`)

// moved asks the server how many bytes the running transfer has moved.
func (c *session) moved(t *testing.T) int64 {
	t.Helper()
	r := c.want(t, "STAT", 211, 213)
	m := progress.FindStringSubmatch(r.String())
	if m == nil {
		t.Fatalf("STAT says nothing of a transfer: %s", r)
	}
	return number(t, m[1])
}

// half writes the first half of n bytes of noise to the data connection of an
// upload, and waits until the server has them.
func (c *session) half(t *testing.T, conn net.Conn, data io.Reader, n int64) {
	t.Helper()
	_, err := io.CopyN(conn, data, n/2)
	ok(t, err)
	until(t, "the server takes half of the upload", func() bool { return c.moved(t) >= n/2 })
}

// number reads one.
func number(t *testing.T, text string) int64 {
	t.Helper()
	return must(strconv.ParseInt(text, 10, 64))(t)
}
