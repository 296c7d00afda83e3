package soak

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// size is that of the files, in bytes.
const size = 96 << 10

// errGone says that a client has left without a word.
var errGone = errors.New("the client has gone")

// client is one who uses the server.
type client struct {
	*server
	*rand.Rand
	name string
}

// dial connects from one of the first networks 127.NET.0.0/24 to 127.NET.FROM.0/24.
func (c *client) dial(net4 byte, from int) (*userpi.Client, error) {
	d := net.Dialer{Timeout: userpi.Timeout, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, net4, byte(c.IntN(from)), 1)}}
	conn, err := d.Dial("tcp", c.addr)
	if err != nil {
		return nil, err
	}
	pi := userpi.New(conn)
	pi.Timeout = 3 * userpi.Timeout
	if _, err := pi.Expect("the greeting", 220); err != nil {
		return nil, errors.Join(err, pi.Close())
	}
	return pi, nil
}

// visit is one session of somebody honest.
func (c *client) visit() error {
	pi, err := c.dial(1, 4) // where the user is at home, so guesses from elsewhere do not matter
	if err != nil {
		return err
	}
	defer pi.Close()
	if c.IntN(2) == 0 {
		conf := c.server.client.Clone()
		conf.ClientSessionCache = tls.NewLRUClientSessionCache(4) // tickets are of one session
		if err := pi.Protect(conf); err != nil {
			return err
		}
	}
	if err := pi.Identify("dev", "secret"); err != nil {
		return err
	}
	deeds := []func(*userpi.Client) error{c.exchange, c.exchange, c.exchange, c.browse, c.browse, c.abort, c.interrupt, c.hoard, c.vanish}
	for range 1 + c.IntN(3) {
		if err := deeds[c.IntN(len(deeds))](pi); errors.Is(err, errGone) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return pi.Quit()
}

// exchange uploads, downloads, renames and deletes.
func (c *client) exchange(pi *userpi.Client) error {
	text := bytes.Repeat([]byte{byte(c.Uint32()), byte(c.Uint32()), '\n'}, size/3)
	if _, err := pi.Must("TYPE I", 200); err != nil {
		return err
	}
	if _, err := pi.Put(userpi.EPSV, "STOR "+c.name, bytes.NewReader(text)); err != nil {
		return err
	}
	got, err := pi.Get(userpi.EPSV, "RETR "+c.name)
	if err == nil && !bytes.Equal(got, text) {
		err = fmt.Errorf("%s came back with %d bytes of %d, or other ones", c.name, len(got), len(text))
	}
	for _, line := range []string{"RNFR " + c.name, "RNTO " + c.name + ".old", "HASH " + c.name + ".old", "DELE " + c.name + ".old"} {
		if err == nil {
			_, err = pi.Must(line, 350, 250, 213)
		}
	}
	return err
}

// browse lists in all ways.
func (c *client) browse(pi *userpi.Client) error {
	for _, line := range []string{"LIST", "NLST *", "MLSD", "LIST -R"} {
		if _, err := pi.Get(userpi.EPSV, line); err != nil && !strings.Contains(err.Error(), "550") { // NLST * finds nothing
			return err
		}
	}
	_, err := pi.Must("STAT /", 212, 213, 211)
	return err
}

// begin begins an upload and sends some of it.
func (c *client) begin(pi *userpi.Client, line string) (net.Conn, error) {
	if _, err := pi.Must("TYPE I", 200); err != nil {
		return nil, err
	}
	data, err := pi.Begin(userpi.EPSV, line)
	if err == nil {
		_, err = data.Write(make([]byte, size/2))
	}
	return data, err
}

// abort ends an upload by ABOR.
func (c *client) abort(pi *userpi.Client) error {
	data, err := c.begin(pi, "STOR "+c.name+".aborted")
	if err != nil {
		return err
	}
	defer data.Close()
	if err := pi.Send("ABOR"); err != nil {
		return err
	}
	if _, err := pi.Expect("the upload", 426); err != nil {
		return err
	}
	_, err = pi.Expect("ABOR", 226)
	return err
}

// interrupt resets an upload, goes on with it, and deletes it.
func (c *client) interrupt(pi *userpi.Client) error {
	name := c.name + ".part"
	data, err := c.begin(pi, "STOR "+name)
	if err != nil {
		return err
	}
	if err := userpi.Reset(data); err != nil {
		return err
	}
	if _, err := pi.Expect("the upload", 426); err != nil {
		return err
	}
	if _, err := pi.Put(userpi.EPSV, "APPE "+name, io.LimitReader(endless{}, size)); err != nil {
		return err
	}
	_, err = pi.Must("DELE "+name, 250)
	return err
}

// endless are zeros.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// hoard asks for data ports and uses none.
func (c *client) hoard(pi *userpi.Client) error {
	for range 5 {
		if _, err := pi.Must("EPSV", 229); err != nil {
			return err
		}
	}
	return nil
}

// vanish resets the control connection in the middle of an upload.
func (c *client) vanish(pi *userpi.Client) error {
	data, err := c.begin(pi, "STOR "+c.name+".lost")
	if err != nil {
		return err
	}
	defer data.Close()
	return errors.Join(userpi.Reset(pi.Raw()), errGone)
}

// intrude is one visit of somebody who should not be here. What the server answers
// does not matter, only that it goes on.
func (c *client) intrude() error {
	pi, err := c.dial(2, 200)
	if err != nil {
		return nil // turned away
	}
	defer pi.Close()
	switch c.IntN(5) {
	case 0:
		_ = pi.Identify("dev", "guess")
	case 1:
		_, _ = pi.Write(bytes.Repeat([]byte("x"), 100<<10))
	case 2:
		_, _ = pi.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		_, _ = pi.Reply()
	case 3:
		_ = pi.Send("AUTH TLS")
		_, _ = pi.Write(bytes.Repeat([]byte{0x16, 3, 1, 0xff}, 100))
	case 4:
		_ = userpi.Reset(pi.Raw())
	}
	return nil
}
