package userpi

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// Client is one control connection. It is used by one goroutine at a time.
type Client struct {
	// Timeout bounds every reply, connect and data read; zero is no bound.
	Timeout time.Duration
	// Protected says that data connections are opened with TLS (after PROT P).
	Protected bool
	// Lenient takes the form of replies as other servers send them: inner lines
	// without a space in front, lines that end with LF alone.
	Lenient bool
	// Trace, if set, is told every line that is sent and every reply that is
	// read, in their order.
	Trace func(sent bool, text string)

	raw  net.Conn
	conn net.Conn // raw, or TLS over it
	in   *bufio.Reader
	tls  *tls.Config // set by StartTLS
}

// Timeout is how long a Client of Dial waits for anything.
const Timeout = 30 * time.Second

// New returns a client over an open connection. Nothing is read: the greeting is
// the first reply.
func New(conn net.Conn) *Client {
	return &Client{raw: conn, conn: conn, in: bufio.NewReader(conn)}
}

// Dial connects to a server by TCP.
func Dial(addr string) (*Client, error) {
	conn, err := net.DialTimeout("tcp", addr, Timeout)
	if err != nil {
		return nil, err
	}
	c := New(conn)
	c.Timeout = Timeout
	return c, nil
}

// Conn returns the connection that commands go over.
func (c *Client) Conn() net.Conn { return c.conn }

// Raw returns the connection underneath TLS.
func (c *Client) Raw() net.Conn { return c.raw }

// Close closes the control connection without a word.
func (c *Client) Close() error { return c.raw.Close() }

// Write sends bytes as they are.
func (c *Client) Write(b []byte) (int, error) {
	c.deadline(c.conn.SetWriteDeadline)
	return c.conn.Write(b)
}

// Send sends one command line.
func (c *Client) Send(line string) error {
	c.trace(true, line)
	_, err := c.Write([]byte(line + "\r\n"))
	return err
}

// Reply reads one reply.
func (c *Client) Reply() (Reply, error) {
	c.deadline(c.conn.SetReadDeadline)
	r, err := readReply(c.in, c.Lenient)
	if err == nil {
		c.trace(false, r.String())
	}
	return r, err
}

func (c *Client) trace(sent bool, text string) {
	if c.Trace != nil {
		c.Trace(sent, text)
	}
}

// Closed waits for the server to close the control connection and returns an
// error when it says something instead. A reset counts as closed.
func (c *Client) Closed() error {
	c.deadline(c.conn.SetReadDeadline)
	line, err := readLine(c.in, c.Lenient)
	var timeout net.Error
	switch {
	case err == nil:
		return fmt.Errorf("the server said %q instead of closing the connection", line)
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("the server did not close the connection")
	}
	return nil
}

// Do sends a command and returns its reply.
func (c *Client) Do(line string) (Reply, error) {
	if err := c.Send(line); err != nil {
		return Reply{}, err
	}
	return c.Reply()
}

// Must sends a command whose reply must have one of the codes.
func (c *Client) Must(line string, codes ...int) (Reply, error) {
	r, err := c.Do(line)
	if err == nil && !r.Is(codes...) {
		err = &Unexpected{line, r}
	}
	return r, err
}

// Expect reads a reply that must have one of the codes. What names the moment
// in the error.
func (c *Client) Expect(what string, codes ...int) (Reply, error) {
	r, err := c.Reply()
	if err == nil && !r.Is(codes...) {
		err = &Unexpected{what, r}
	}
	return r, err
}

// Login reads the greeting and logs in.
func (c *Client) Login(user, password string) error {
	if _, err := c.Expect("the connection", 220); err != nil {
		return err
	}
	return c.Identify(user, password)
}

// Identify logs in where the greeting was read already.
func (c *Client) Identify(user, password string) error {
	r, err := c.Must("USER "+user, 331, 230)
	if err != nil || r.Code == 230 {
		return err
	}
	_, err = c.Must("PASS "+password, 230)
	return err
}

// Quit ends the session.
func (c *Client) Quit() error {
	defer c.Close()
	if _, err := c.Must("QUIT", 221); err != nil {
		return err
	}
	return c.Closed()
}

// StartTLS does the handshake of AUTH TLS or of an implicit listener. The same
// configuration, with its session cache and server name, serves the data
// connections, so that they resume the control connection's session. The bytes
// that the server sent before the handshake must have been read.
func (c *Client) StartTLS(conf *tls.Config) error {
	if n := c.in.Buffered(); n > 0 {
		return fmt.Errorf("%d bytes in the clear are waiting", n)
	}
	c.tls = conf.Clone()
	if c.tls.ClientSessionCache == nil {
		c.tls.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	}
	tc := tls.Client(c.raw, c.tls)
	c.deadline(tc.SetDeadline)
	if err := tc.Handshake(); err != nil {
		return err
	}
	_ = tc.SetDeadline(time.Time{})
	c.conn = tc
	c.in.Reset(tc)
	return nil
}

// Protect makes control and data connections protected (RFC 4217 §4, §8, §9).
func (c *Client) Protect(conf *tls.Config) error {
	if _, err := c.Must("AUTH TLS", 234); err != nil {
		return err
	}
	if err := c.StartTLS(conf); err != nil {
		return err
	}
	return c.Private()
}

// Private asks for protected data connections.
func (c *Client) Private() error {
	if _, err := c.Must("PBSZ 0", 200); err != nil {
		return err
	}
	if _, err := c.Must("PROT P", 200); err != nil {
		return err
	}
	c.Protected = true
	return nil
}

func (c *Client) deadline(set func(time.Time) error) {
	if c.Timeout > 0 {
		_ = set(time.Now().Add(c.Timeout))
	}
}
