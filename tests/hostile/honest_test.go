package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// honest is a client that means well, at an address of its own. It has been there
// for a while when an attack begins, and others like it come and go.
type honest struct {
	addr   string
	from   net.IP
	rounds atomic.Int64
	quit   chan struct{}
	done   chan struct{}
	err    error // once done is closed
}

// elsewhere is an address of this machine that attackers do not use, where there
// is one.
func elsewhere() net.IP {
	if runtime.GOOS == "linux" {
		return net.IPv4(127, 0, 0, 3)
	}
	return net.IPv4(127, 0, 0, 1)
}

func beginHonest(addr string) *honest {
	h := &honest{addr: addr, from: elsewhere(), quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(h.done)
		h.err = h.work()
	}()
	return h
}

// work goes round until it is told to end.
func (h *honest) work() error {
	c, err := h.login()
	if err != nil {
		return err
	}
	defer c.Close()
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-h.quit:
			return c.Quit()
		case <-pace.C:
		}
		if err := h.round(c); err != nil {
			return fmt.Errorf("round %d: %w", h.rounds.Load(), err)
		}
		h.rounds.Add(1)
	}
}

// round uploads a file, fetches it again and compares; and somebody new logs in.
func (h *honest) round(c *userpi.Client) error {
	if _, err := c.Must("NOOP", 200); err != nil {
		return err
	}
	want := []byte(strings.Repeat(fmt.Sprintf("round %d\n", h.rounds.Load()), 200))
	conn, err := h.begin(c, "STOR honest")
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(want); err != nil {
		return err
	}
	conn.Close()
	if _, err := c.Expect("STOR", 226); err != nil {
		return err
	}
	if conn, err = h.begin(c, "RETR honest"); err != nil {
		return err
	}
	defer conn.Close()
	got, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New("the file came back as another one")
	}
	if _, err := c.Expect("RETR", 226); err != nil {
		return err
	}
	visitor, err := h.login()
	if err != nil {
		return fmt.Errorf("somebody new: %w", err)
	}
	return visitor.Quit()
}

func (h *honest) dial(addr string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: h.from}, Timeout: userpi.Timeout}
	return d.Dial("tcp", addr)
}

func (h *honest) login() (*userpi.Client, error) {
	conn, err := h.dial(h.addr)
	if err != nil {
		return nil, err
	}
	c := userpi.New(conn)
	c.Timeout = userpi.Timeout
	if err := c.Login(user, password); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// begin opens the data connection of a transfer, from the client's own address.
func (h *honest) begin(c *userpi.Client, line string) (net.Conn, error) {
	r, err := c.Must("EPSV", 229)
	if err != nil {
		return nil, err
	}
	addr, err := userpi.Address(r, c.Raw().RemoteAddr())
	if err != nil {
		return nil, err
	}
	if err := c.Send(line); err != nil {
		return nil, err
	}
	conn, err := h.dial(addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(userpi.Timeout))
	if _, err := c.Expect(line, 125, 150); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (h *honest) end() {
	close(h.quit)
	<-h.done
}

// meanwhile waits until the honest client, if there is one, has gone a whole round
// from now on.
func (r *rig) meanwhile() {
	r.Helper()
	if r.honest == nil {
		return
	}
	from := r.honest.rounds.Load()
	limit := time.NewTimer(4 * userpi.Timeout)
	defer limit.Stop()
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for r.honest.rounds.Load() < from+2 {
		select {
		case <-r.honest.done:
			r.Fatalf("the honest client was not served: %v", r.honest.err)
		case <-limit.C:
			r.Fatal("the honest client waits and waits")
		case <-pace.C:
		}
	}
}
