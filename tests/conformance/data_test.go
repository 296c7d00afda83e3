package conformance

import (
	"bytes"
	"compress/zlib"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// content reads what stands for bytes: strings, one after the other, or
// "repeat N string".
func content(args []string) ([]byte, error) {
	if len(args) > 0 && args[0] == "repeat" {
		if len(args) != 3 {
			return nil, errors.New("repeat takes a number and a string")
		}
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%s is not a number", args[1])
		}
		return bytes.Repeat([]byte(args[2]), n), nil
	}
	return []byte(strings.Join(args, "")), nil
}

func (c *client) closeData() {
	if c.data != nil {
		_ = c.data.Close()
	}
	if c.listener != nil {
		_ = c.listener.Close()
	}
	c.data, c.listener = nil, nil
}

// dataStep carries out a step on the data connection.
func (r *run) dataStep(c *client, args []string) error {
	if len(args) == 0 {
		return errors.New("data needs a verb")
	}
	verb, args := args[0], args[1:]
	switch verb {
	case "connect":
		return c.connect(args)
	case "refused":
		if len(args) == 1 && args[0] == "former" {
			c.passive, args = c.former, nil
		}
		return c.refused(args)
	case "listen":
		return r.listen(c)
	case "accept":
		return c.accept()
	case "unlisten":
		err := c.listener.Close()
		c.listener = nil
		return err
	}
	if c.data == nil {
		return errors.New("there is no data connection")
	}
	_ = c.data.SetDeadline(time.Now().Add(patience))
	switch verb {
	case "tls":
		return r.seal(c, args)
	case "send", "deflated":
		b, err := content(args)
		if verb == "deflated" {
			b = deflated(b)
		}
		if err == nil {
			_, err = c.data.Write(b)
		}
		return err
	case "close":
		return c.endData(userpi.End)
	case "cut": // FIN, of a protected connection without close_notify
		return c.endData(func(conn net.Conn) error {
			if tc, ok := conn.(*tls.Conn); ok {
				return tc.NetConn().Close()
			}
			return conn.Close()
		})
	case "reset":
		return c.endData(userpi.Reset)
	}
	return r.dataRead(c, verb, args)
}

// deflated is what MODE Z sends in the place of b.
func deflated(b []byte) []byte {
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write(b) // a buffer takes everything
	_ = z.Close()
	return packed.Bytes()
}

// dataRead carries out the steps that read.
func (r *run) dataRead(c *client, verb string, args []string) error {
	if verb == "read" {
		n, err := strconv.Atoi(strings.Join(args, ""))
		if err == nil {
			_, err = io.CopyN(io.Discard, c.data, int64(n))
		}
		return err
	}
	got, err := io.ReadAll(c.data)
	if verb == "keep" {
		if want, _ := content(args); err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("the data is %q", clip(string(got)))
		}
		return err
	}
	conn := c.data
	c.data = nil
	defer conn.Close()
	if verb == "gone" {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return errors.New("the server did not close the data connection")
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("after %d bytes: %w", len(got), err)
	}
	switch verb {
	case "each", "has":
		return r.someLines(verb, string(got), args)
	case "inflated":
		z, err := zlib.NewReader(bytes.NewReader(got))
		if err != nil {
			return err
		}
		if got, err = io.ReadAll(z); err != nil {
			return err
		}
		fallthrough
	case "expect":
		want, err := content(args)
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("the data is %q", clip(string(got)))
		}
		return err
	case "like":
		return r.vars.match(strings.Join(args, ""), string(got))
	case "count":
		if n := fmt.Sprint(bytes.Count(got, []byte("\r\n"))); n != strings.Join(args, "") {
			return fmt.Errorf("there are %s lines", n)
		}
		return nil
	case "lines":
		return r.lines(string(got), args)
	}
	return fmt.Errorf("data %s is not a step", verb)
}

// lines compares lines, which come in any order.
func (r *run) lines(got string, want []string) error {
	lines := strings.SplitAfter(got, "\r\n")
	if lines[len(lines)-1] != "" {
		return fmt.Errorf("%q does not end with CR LF", got)
	}
	lines = lines[:len(lines)-1]
	for _, w := range want {
		i := slices.IndexFunc(lines, func(l string) bool {
			return r.vars.match(w, strings.TrimSuffix(l, "\r\n")) == nil
		})
		if i < 0 {
			return fmt.Errorf("no line %q in %q", w, got)
		}
		lines = slices.Delete(lines, i, i+1)
	}
	if len(lines) > 0 {
		return fmt.Errorf("there are also the lines %q", lines)
	}
	return nil
}

// connect opens the passive connection, "from ADDRESS" from another address of
// this host.
func (c *client) connect(args []string) error {
	if c.passive == "" {
		return errors.New("no 227 and no 229 has been read")
	}
	d := net.Dialer{Timeout: patience}
	if len(args) == 2 && args[0] == "from" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(args[1])}
	}
	conn, err := d.Dial("tcp", c.passive)
	if err != nil {
		return err
	}
	c.data = conn
	return nil
}

// refused checks that the passive port takes no connection, or closes it without
// a byte.
func (c *client) refused(args []string) error {
	if err := c.connect(args); err != nil {
		return nil
	}
	conn := c.data
	c.data = nil
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	var timeout net.Error
	n, err := conn.Read(make([]byte, 1))
	switch {
	case n > 0 || err == nil:
		return errors.New("the connection was taken and used")
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("the connection was taken and kept")
	}
	return nil
}

// listen opens a port of the client's and names it {port} and {eprt}.
func (r *run) listen(c *client) error {
	l, err := userpi.Listen(c.Raw().LocalAddr())
	if err != nil {
		return err
	}
	c.listener = l
	r.vars["eprt"] = userpi.FormatEPRT(l.Addr())
	if l.Addr().(*net.TCPAddr).AddrPort().Addr().Unmap().Is4() {
		r.vars["port"] = userpi.FormatPort(l.Addr())
		r.vars["portend"] = strings.Join(strings.Split(r.vars["port"], ",")[4:], ",")
	}
	return nil
}

func (c *client) accept() error {
	if c.listener == nil {
		return errors.New("there is no listener")
	}
	l := c.listener.(*net.TCPListener)
	_ = l.SetDeadline(time.Now().Add(patience))
	conn, err := l.Accept()
	_ = l.Close()
	c.data, c.listener = conn, nil
	return err
}

// seal does the handshake on the data connection: as the control connection's
// client, as a "stranger" who knows nothing of its session, "as" another session's
// client, who resumes that one, or one that "fails".
func (r *run) seal(c *client, args []string) error {
	word := strings.Join(args, "")
	if word == "stranger" {
		if r.stranger == nil { // with a memory of its own: what it was given when it was refused
			r.stranger = r.suite.clientTLS.Clone()
			r.stranger.ClientSessionCache = tls.NewLRUClientSessionCache(8)
		}
		tc := tls.Client(c.data, r.stranger)
		if err := tc.Handshake(); err == nil { // TLS 1.3's client is done before the server
			c.data = tc
		}
		return nil
	}
	if name, ok := strings.CutPrefix(word, "as"); ok {
		other := r.clients[name]
		if other == nil {
			return fmt.Errorf("there is no session %q", name)
		}
		if tc, err := other.Seal(c.data); err == nil {
			c.data = tc
		}
		return nil
	}
	tc, err := c.Seal(c.data)
	switch {
	case word == "fails" && err == nil:
		return errors.New("the handshake succeeded")
	case word == "fails":
		return nil
	case err != nil:
		return err
	}
	_ = tc.SetDeadline(time.Now().Add(patience))
	c.data = tc
	return nil
}

func (c *client) endData(end func(net.Conn) error) error {
	conn := c.data
	c.data = nil
	return end(conn)
}
