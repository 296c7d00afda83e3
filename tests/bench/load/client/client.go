//go:build linux

// Package client is an FTP client that costs its machine little, so that what is
// measured on the same processors is the server: what it downloads in the clear is
// dropped by the kernel, what it uploads in the clear is sent by sendfile(2), TLS
// records that come are followed and not deciphered, and those that go are gathered.
// It knows what it said and checks no more than codes and sizes; the load's scenario
// "verify" compares contents.
package client

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Patience is how long a client waits for a reply, or for a data connection to move.
const Patience = 60 * time.Second

// attempts is how often a client connects before it gives up: a flood of clients
// overflows the queues of some servers.
const attempts = 4

// Kit is what clients share: large buffers. Make one with [NewKit].
type Kit struct {
	pattern []byte // what uploads hold
	drop    []byte // never written: the kernel drops what would go there
	pool    sync.Pool
}

// NewKit makes a kit.
func NewKit() *Kit {
	k := &Kit{pattern: make([]byte, 1<<20), drop: make([]byte, dropped)}
	for i := range k.pattern {
		k.pattern[i] = byte(i*7 + i>>9)
	}
	k.pool.New = func() any {
		b := make([]byte, 256<<10)
		return &b
	}
	return k
}

// Pattern is 1 MiB of what uploads hold. It is read and never written.
func (k *Kit) Pattern() []byte { return k.pattern }

// Account is where a client logs in.
type Account struct {
	Addr     *net.TCPAddr
	User     string
	Password string
}

// Conn is a control connection whose user has logged in. One goroutine uses it.
type Conn struct {
	Raw  *net.TCPConn // below TLS
	kit  *Kit
	conn net.Conn
	in   *bufio.Reader
	tls  *tls.Config // nil: in the clear
	host net.IP
	pasv bool // it does not know EPSV
}

// ReplyError is a reply with another code than the client can go on with.
type ReplyError struct {
	Code int
	Text string
}

// Error is the reply as it came.
func (e *ReplyError) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Text) }

// TLS is a client's configuration that every server gets: any certificate, X25519 and
// P-256, AES-128-GCM where the client may choose. Sessions are resumed through the
// cache; without one none is.
func TLS(cache tls.ClientSessionCache) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", MinVersion: tls.VersionTLS12, // on loopback, with a throw-away certificate
		DynamicRecordSizingDisabled: true, ClientSessionCache: cache,
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
		CipherSuites:     []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
}

// Login connects and logs in; with a configuration of TLS after AUTH TLS, and with
// PROT P behind it. Buffer is the size of the reader for replies, in bytes.
func (k *Kit) Login(a Account, conf *tls.Config, buffer int) (*Conn, error) {
	c, err := k.dial(a, buffer)
	if err != nil {
		return nil, err
	}
	if err := c.enter(a, conf); err != nil {
		c.Raw.Close()
		return nil, err
	}
	return c, nil
}

// dial connects and takes the greeting.
func (k *Kit) dial(a Account, buffer int) (*Conn, error) {
	var last error
	for range attempts {
		raw, err := net.DialTCP("tcp", nil, a.Addr)
		if err == nil {
			c := &Conn{Raw: raw, kit: k, conn: raw, in: bufio.NewReaderSize(raw, buffer), host: a.Addr.IP}
			c.wait()
			if err = c.expect("the greeting", 220); err == nil {
				return c, nil
			}
			raw.Close()
		}
		last = err
		time.Sleep(20 * time.Millisecond)
	}
	return nil, last
}

func (c *Conn) enter(a Account, conf *tls.Config) error {
	if conf != nil {
		if err := c.Want("AUTH TLS", 234); err != nil {
			return err
		}
		t := tls.Client(c.Raw, conf)
		if err := t.Handshake(); err != nil {
			return fmt.Errorf("TLS of the control connection: %w", err)
		}
		c.conn, c.tls = t, conf
		c.in.Reset(t)
	}
	code, text, err := c.Cmd("USER " + a.User)
	if err == nil && code == 331 {
		code, text, err = c.Cmd("PASS " + a.Password)
	}
	switch {
	case err != nil:
		return err
	case code != 230:
		return fmt.Errorf("login: %w", &ReplyError{code, text})
	case conf == nil:
		return nil
	}
	if err := c.Want("PBSZ 0", 200); err != nil {
		return err
	}
	return c.Want("PROT P", 200)
}

// Resumed reports whether the control connection's TLS resumed an earlier session.
func (c *Conn) Resumed() bool {
	t, ok := c.conn.(*tls.Conn)
	return ok && t.ConnectionState().DidResume
}

// wait sets the deadline of what comes next.
func (c *Conn) wait() { _ = c.Raw.SetDeadline(time.Now().Add(Patience)) }

// Send sends a command, or several with CRLF between them.
func (c *Conn) Send(line string) error {
	c.wait()
	_, err := io.WriteString(c.conn, line+"\r\n")
	return err
}

// Reply takes one reply (RFC 959 §4.2): its code and the text of its first line.
func (c *Conn) Reply() (code int, text string, err error) {
	for {
		l, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, "", err
		}
		n, more, rest, err := parse(l)
		switch {
		case code == 0 && err != nil:
			return 0, "", err
		case code == 0:
			code, text = n, string(rest)
		case err != nil || n != code:
			more = true // a line within
		}
		if !more {
			return code, text, nil
		}
	}
}

// parse takes a line of a reply apart.
func parse(line []byte) (code int, more bool, text []byte, err error) {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	if len(line) < 3 {
		return 0, false, nil, fmt.Errorf("%q is no reply", line)
	}
	for _, b := range line[:3] {
		if b < '0' || b > '9' {
			return 0, false, nil, fmt.Errorf("%q is no reply", line)
		}
		code = code*10 + int(b-'0')
	}
	if len(line) > 3 {
		more, text = line[3] == '-', line[4:]
		if line[3] != '-' && line[3] != ' ' {
			return 0, false, nil, fmt.Errorf("%q is no reply", line)
		}
	}
	return code, more, text, nil
}

// Cmd sends a command and takes its reply.
func (c *Conn) Cmd(line string) (code int, text string, err error) {
	if err := c.Send(line); err != nil {
		return 0, "", err
	}
	return c.Reply()
}

// Want sends a command whose reply must have one of the codes.
func (c *Conn) Want(line string, codes ...int) error {
	if err := c.Send(line); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return c.expect(line, codes...)
}

func (c *Conn) expect(what string, codes ...int) error {
	code, text, err := c.Reply()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, n := range codes {
		if n == code {
			return nil
		}
	}
	return fmt.Errorf("%s: %w", what, &ReplyError{code, text})
}

// Batch writes commands that were put together before, and takes n replies, each of
// which must be of the 200s.
func (c *Conn) Batch(commands []byte, n int) error {
	c.wait()
	if _, err := c.conn.Write(commands); err != nil {
		return err
	}
	for range n {
		code, text, err := c.Reply()
		if err != nil {
			return err
		}
		if code/100 != 2 {
			return &ReplyError{code, text}
		}
	}
	return nil
}

// Quit takes leave, and closes whatever the answer is.
func (c *Conn) Quit() {
	_, _, _ = c.Cmd("QUIT")
	c.Raw.Close()
}

// Leave says QUIT on all connections before it closes the first, and waits for no
// answer.
func Leave(all []*Conn) {
	for _, c := range all {
		if c != nil {
			_ = c.Raw.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = io.WriteString(c.conn, "QUIT\r\n")
		}
	}
	for _, c := range all {
		if c != nil {
			c.Raw.Close()
		}
	}
}

// Data asks for a passive port and connects to it, by EPSV (RFC 2428) if the server
// knows it.
func (c *Conn) Data() (*net.TCPConn, error) {
	if !c.pasv {
		code, text, err := c.Cmd("EPSV")
		switch {
		case err != nil:
			return nil, err
		case code == 229:
			port, err := extended(text)
			if err != nil {
				return nil, err
			}
			return net.DialTCP("tcp", nil, &net.TCPAddr{IP: c.host, Port: port})
		case code/100 != 5:
			return nil, &ReplyError{code, text}
		}
		c.pasv = true
	}
	code, text, err := c.Cmd("PASV")
	if err != nil {
		return nil, err
	}
	if code != 227 {
		return nil, &ReplyError{code, text}
	}
	port, err := passive(text)
	if err != nil {
		return nil, err
	}
	return net.DialTCP("tcp", nil, &net.TCPAddr{IP: c.host, Port: port})
}

// extended is the port of a reply to EPSV.
func extended(text string) (int, error) {
	_, rest, found := strings.Cut(text, "|||")
	digits, _, end := strings.Cut(rest, "|")
	port, err := strconv.ParseUint(digits, 10, 16)
	if !found || !end || err != nil || port == 0 {
		return 0, fmt.Errorf("%q names no port", text)
	}
	return int(port), nil
}

// passive is the port of a reply to PASV (RFC 959 §4.1.2).
func passive(text string) (int, error) {
	first := strings.IndexAny(text, "0123456789")
	if first < 0 {
		return 0, errors.New("the reply to PASV names no port")
	}
	numbers := strings.FieldsFunc(text[first:], func(r rune) bool { return r < '0' || r > '9' })
	if len(numbers) < 6 {
		return 0, fmt.Errorf("%q names no port", text)
	}
	high, err := strconv.ParseUint(numbers[4], 10, 8)
	low, err2 := strconv.ParseUint(numbers[5], 10, 8)
	if err = errors.Join(err, err2); err != nil || high+low == 0 {
		return 0, fmt.Errorf("%q names no port", text)
	}
	return int(high<<8 | low), nil
}

// Open makes the data connection, sends the command of a transfer and takes the reply
// that says it begins.
func (c *Conn) Open(line string) (*net.TCPConn, error) {
	d, err := c.Data()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", line, err)
	}
	code, text, err := c.Cmd(line)
	if err == nil && code/100 != 1 {
		err = &ReplyError{code, text}
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("%s: %w", line, err)
	}
	return d, nil
}

// Done takes the reply that ends a transfer well.
func (c *Conn) Done() error {
	c.wait()
	code, text, err := c.Reply()
	if err == nil && code/100 == 1 { // it came late
		code, text, err = c.Reply()
	}
	if err == nil && code/100 != 2 {
		err = &ReplyError{code, text}
	}
	return err
}
