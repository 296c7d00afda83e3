package main

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/tests/peers"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// What the floods list and store.
const (
	hugeDir   = "huge"
	hugeNames = 30000
	slowDir   = "slow"
)

// flood is one kind of attack: so many attackers, who do the same again and again.
type flood struct {
	name  string
	crowd int // attackers at the same time
	run   func(*attacker)
}

// floods are the twelve.
func floods() []flood {
	return []flood{
		{"connects and resets", 32, connectAndReset},
		{"silent connections", 2000, silent},
		{"slow lines", 500, slowLine},
		{"endless lines", 8, endlessLine},
		{"replies unread", 64, unreadReplies},
		{"wrong passwords", 64, wrongPassword},
		{"TLS handshakes", 32, handshake},
		{"half TLS handshakes", 500, halfHandshake},
		{"ports hoarded", 500, hoardPort},
		{"huge listings unread", 100, unreadListing},
		{"uploads at 1 B/s", 500, slowUpload},
		{"ABOR", 32, aborted},
	}
}

// crowd is the attackers of a flood. They come from 127.66.0.0/16, twenty from each
// address, which is what a server permits.
type crowd struct {
	ctx  context.Context
	addr string
	next atomic.Int64
}

func newCrowd(ctx context.Context, addr string) *crowd { return &crowd{ctx: ctx, addr: addr} }

// run is over with ctx.
func (c *crowd) run(f flood) {
	var all sync.WaitGroup
	for i := range f.crowd {
		all.Go(func() {
			for c.ctx.Err() == nil {
				a := &attacker{ctx: c.ctx, addr: c.addr, from: net.IPv4(127, 66, byte(i/20/250), byte(1+i/20%250)), number: c.next.Add(1)}
				f.run(a)
				a.leave()
				_ = settle(c.ctx, time.Millisecond)
			}
		})
	}
	all.Wait()
}

// attacker is one of the crowd, with its connections.
type attacker struct {
	ctx    context.Context
	addr   string
	from   net.IP
	number int64 // of all that there were
	conns  []net.Conn
}

func (a *attacker) leave() {
	for _, c := range a.conns {
		c.Close()
	}
}

// hold waits for the end of the flood, or of the connection.
func (a *attacker) hold(c net.Conn) {
	stop := context.AfterFunc(a.ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, _ = c.Read(make([]byte, 1))
}

func (a *attacker) dial() (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: a.from}, Timeout: userpi.Timeout}
	c, err := d.DialContext(a.ctx, "tcp", a.addr)
	if err == nil {
		a.conns = append(a.conns, c)
	}
	return c, err
}

// meet reads the greeting.
func (a *attacker) meet() (*userpi.Client, error) {
	conn, err := a.dial()
	if err != nil {
		return nil, err
	}
	c := userpi.New(conn)
	c.Timeout = 3 * userpi.Timeout
	_, err = c.Expect("the connection", 220)
	return c, err
}

// login is that of a user who may.
func (a *attacker) login() (*userpi.Client, error) {
	c, err := a.meet()
	if err == nil {
		err = c.Identify(peers.OtherUser, peers.OtherPassword)
	}
	if err == nil {
		_, err = c.Must("TYPE I", 200)
	}
	return c, err
}

// transfer begins one and returns its data connection.
func (a *attacker) transfer(line string) (*userpi.Client, net.Conn) {
	c, err := a.login()
	if err != nil {
		return nil, nil
	}
	conn, err := c.Begin(userpi.EPSV, line)
	if err != nil {
		return nil, nil
	}
	a.conns = append(a.conns, conn)
	_ = conn.SetDeadline(time.Time{})
	return c, conn
}

func connectAndReset(a *attacker) {
	for range 10 {
		if c, err := a.dial(); err == nil {
			_ = userpi.Reset(c)
		}
	}
}

func silent(a *attacker) {
	if c, err := a.meet(); err == nil {
		a.hold(c.Conn())
	}
}

func slowLine(a *attacker) {
	c, err := a.meet()
	for err == nil && a.ctx.Err() == nil {
		_, err = c.Write([]byte("N"))
		_ = settle(a.ctx, 150*time.Millisecond)
	}
}

func endlessLine(a *attacker) {
	c, err := a.meet()
	block := bytes.Repeat([]byte("A"), 64<<10)
	for err == nil && a.ctx.Err() == nil {
		_, err = c.Write(block)
	}
}

func unreadReplies(a *attacker) {
	c, err := a.login()
	if err != nil {
		return
	}
	stop := context.AfterFunc(a.ctx, func() { _ = c.Conn().SetDeadline(time.Unix(1, 0)) })
	defer stop()
	block := bytes.Repeat([]byte("NOOP\r\n"), 1000)
	for err == nil && a.ctx.Err() == nil {
		_, err = c.Conn().Write(block)
	}
}

func wrongPassword(a *attacker) {
	c, err := a.meet()
	if err == nil {
		_ = c.Identify(peers.OtherUser, "wrong "+strconv.FormatInt(a.number, 10))
	}
}

func handshake(a *attacker) {
	c, err := a.meet()
	if err == nil {
		if _, err = c.Must("AUTH TLS", 234); err == nil {
			_ = c.StartTLS(anyTLS())
		}
	}
}

func halfHandshake(a *attacker) {
	c, err := a.meet()
	if err != nil {
		return
	}
	if _, err = c.Must("AUTH TLS", 234); err == nil {
		_, _ = c.Write([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3})
		a.hold(c.Conn())
	}
}

// hoardPort keeps a port; every other one also asks for a file that it never takes.
func hoardPort(a *attacker) {
	c, err := a.login()
	if err != nil {
		return
	}
	if _, err = c.Must("EPSV", 229); err != nil {
		return
	}
	if a.number%2 == 0 {
		_ = c.Send("RETR /" + fetched)
	}
	a.hold(c.Conn())
}

func unreadListing(a *attacker) {
	if c, _ := a.transfer("LIST /" + hugeDir); c != nil {
		a.hold(c.Conn())
	}
}

func slowUpload(a *attacker) {
	c, conn := a.transfer("STOR /" + slowDir + "/" + strconv.FormatInt(a.number, 10))
	if c == nil {
		return
	}
	for a.ctx.Err() == nil {
		if _, err := conn.Write([]byte("x")); err != nil {
			return
		}
		_ = settle(a.ctx, time.Second)
	}
}

func aborted(a *attacker) {
	c, err := a.login()
	for err == nil && a.ctx.Err() == nil {
		var conn net.Conn
		if conn, err = c.Begin(userpi.EPSV, "RETR /"+fetched); err != nil {
			return
		}
		err = c.Send("ABOR")
		for range 2 {
			if err == nil {
				_, err = c.Reply()
			}
		}
		conn.Close()
	}
}
