package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/tests/userpi"
)

// client is one session that moves one file.
type client struct {
	*userpi.Client
	record record
}

// connect logs in.
func connect(addr string, conf *tls.Config) (*client, error) {
	c, err := userpi.Dial(addr)
	if err != nil {
		return nil, err
	}
	if _, err := c.Expect("the connection", 220); err != nil {
		return nil, err
	}
	if conf != nil {
		if _, err := c.Must("AUTH TLS", 234); err != nil {
			return nil, err
		}
		if err := c.StartTLS(conf); err != nil {
			return nil, err
		}
	}
	if err := c.Identify(userName, password); err != nil {
		return nil, err
	}
	lines := []string{"TYPE I"}
	if conf != nil {
		lines = append(lines, "PBSZ 0", "PROT P")
		c.Protected = true
	}
	for _, line := range lines {
		if _, err := c.Must(line, 200); err != nil {
			return nil, err
		}
	}
	return &client{Client: c}, nil
}

// move moves bytes for d, as fast as the server lets it, and breaks off.
func (c *client) move(down bool, name string, d time.Duration) error {
	verb := "STOR "
	if down {
		verb = "RETR "
	}
	conn, err := c.Begin(userpi.EPSV, verb+name)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(d))
	buf := make([]byte, 64<<10)
	step := conn.Read
	if !down {
		buf, step = buf[:8<<10], conn.Write
		if err := small(conn); err != nil {
			return err
		}
	}
	for {
		n, err := step(buf)
		c.record.add(n)
		if t, ok := err.(net.Error); ok && t.Timeout() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
	}
}

// small bounds what the kernel takes from an uploading client in advance.
func small(conn net.Conn) error {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	return conn.(*net.TCPConn).SetWriteBuffer(32 << 10)
}

// together runs f for every client at the same time and returns an error of one.
func together(clients []*client, f func(i int, c *client) error) error {
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() { errs[i] = f(i, c) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
