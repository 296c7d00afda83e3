package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
)

// door is a TCP address of a listener of HTTP. It accepts for the site that has it now.
type door struct {
	*net.TCPListener
	usual string // congestion control that it had before congest
	site  atomic.Pointer[site]
	begun bool // somebody accepts

	mu   sync.Mutex
	over chan struct{} // closed when a pause is; nil: there is none
}

// congest gives what is accepted from now on a congestion control; empty: the usual one.
func (d *door) congest(name string) error {
	switch {
	case name == "" && d.usual == "":
		return nil
	case d.usual == "":
		d.usual = dtp.CongestionOf(d.TCPListener)
	}
	return dtp.SetCongestion(d.TCPListener, cmp.Or(name, d.usual))
}

// serve accepts until the door is closed.
func (d *door) serve(in *instance) {
	var pause time.Duration
	for {
		conn, err := d.Accept()
		switch {
		case err == nil:
			pause = 0
			in.guard(func() { d.bring(in, conn) })
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			d.rest()
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			in.log.Warn("a connection could not be accepted", "address", d.Addr().String(), "error", err, "retry_in", pause)
			select {
			case <-time.After(pause):
			case <-in.work.working.Done():
			}
		}
	}
}

// bring hands a connection to the site, unless its client may not come.
func (d *door) bring(in *instance, conn net.Conn) {
	peer := conn.RemoteAddr()
	if !in.server.Welcomes(dtp.AddrPort(peer).Addr()) || !in.callers.enter(peer, in.now.Load()) {
		_ = conn.Close() // there is no word of HTTP's before a request
		return
	}
	s, given := d.site.Load(), conn
	if s.tls.Load() != nil {
		given = tls.Server(conn, s.handshakes())
	}
	if !s.feed.give(given) {
		in.callers.leave(peer)
		_ = conn.Close()
	}
}

// pause lets those who connect wait until resume.
func (d *door) pause() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over == nil {
		d.over = make(chan struct{})
		_ = d.SetDeadline(time.Unix(1, 0)) // it fails if the door is closed, and then nobody accepts
	}
}

// resume takes pause back.
func (d *door) resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over != nil {
		_ = d.SetDeadline(time.Time{})
		close(d.over)
		d.over = nil
	}
}

// rest waits for the end of a pause.
func (d *door) rest() {
	d.mu.Lock()
	over := d.over
	d.mu.Unlock()
	if over != nil {
		<-over
	}
}

// Close ends a pause as well.
func (d *door) Close() error {
	err := d.TCPListener.Close()
	d.resume()
	return err
}

// callers are the connections of HTTP over TCP that are open, by address. They are bounded
// as sessions are, since one that asks for nothing is none. The zero value is empty.
type callers struct {
	mu  sync.Mutex
	all int
	of  map[netip.Prefix]int
}

// enter counts a connection, or refuses it.
func (c *callers) enter(peer net.Addr, now *generation) bool {
	at := networkOf(dtp.AddrPort(peer).Addr())
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &now.conf.Limits
	if l.Sessions > 0 && c.all >= l.Sessions || l.SessionsPerIP > 0 && c.of[at] >= l.SessionsPerIP {
		return false
	}
	if c.of == nil {
		c.of = map[netip.Prefix]int{}
	}
	c.all++
	c.of[at]++
	return true
}

func (c *callers) leave(peer net.Addr) {
	at := networkOf(dtp.AddrPort(peer).Addr())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.of[at]--; c.of[at] <= 0 {
		delete(c.of, at)
	}
}

// networkOf is what counts as one client: an IPv4 address, or an IPv6 /64.
func networkOf(a netip.Addr) netip.Prefix {
	const network6 = 64
	if a.Is4() {
		return netip.PrefixFrom(a, a.BitLen())
	}
	p, _ := a.Prefix(network6) // it fails for no address alone
	return p
}
