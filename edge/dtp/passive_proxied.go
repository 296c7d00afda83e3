package dtp

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// mostUnannounced is how many connections of one port may be without their announcement at
// a time. A proxy's is there with the connection, so that one is enough but for those who
// want to stand in the way.
const mostUnannounced = 8

// hall is where connections of a port wait for what their proxy says of them.
type hall struct {
	port *Passive
	k    *socket
	all  sync.WaitGroup

	mu      sync.Mutex
	waiting []*net.TCPConn // the oldest first
	won     *net.TCPConn   // the client's
	over    bool
	panic   any // of Proxies.Read
}

// meet accepts the first connection that a proxy has announced as the client's. Others are
// read beside it, so that nobody who is silent stands in its way.
func (p *Passive) meet(ctx context.Context, k *socket) (net.Conn, error) {
	h := &hall{port: p, k: k}
	err := h.accept()
	won := h.close()
	switch {
	case h.panic != nil:
		panic(h.panic)
	case ctx.Err() != nil:
		if won != nil {
			won.Close()
		}
		return nil, ctx.Err()
	case won == nil && errors.Is(err, os.ErrDeadlineExceeded):
		return nil, ErrNobody
	case won == nil:
		return nil, err
	}
	if p.spare != nil && p.foreign.Load() == 0 && p.socket.CompareAndSwap(k, nil) {
		p.spare.put(k)
	}
	return won, nil
}

// accept lets connections in until one has won, or the port is closed or late.
func (h *hall) accept() error {
	for {
		c, err := h.k.AcceptTCP()
		if err != nil {
			return err
		}
		if !h.port.proxies.Trusts(remote(c)) {
			h.port.foreign.Add(1)
			c.Close()
			continue
		}
		h.enter(c)
	}
}

// enter has a connection wait. Where there are too many, the one that has waited longest
// goes: of that the announcement is least likely still to come.
func (h *hall) enter(c *net.TCPConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over || h.won != nil {
		c.Close()
		return
	}
	if len(h.waiting) == mostUnannounced {
		h.waiting[0].Close()
		h.waiting = h.waiting[1:]
		h.port.foreign.Add(1)
	}
	h.waiting = append(h.waiting, c)
	h.all.Go(func() {
		fits := false
		defer func() { h.leave(c, fits, recover()) }() // Read may be an embedder's
		a, err := h.port.proxies.announcement(c, h.port.until)
		fits = err == nil && a.There && h.port.fits(c, a)
	})
}

// fits reports whether an announcement is the client's.
func (p *Passive) fits(c *net.TCPConn, a Announcement) bool {
	peer := a.Peer.Addr().Unmap()
	if !peer.IsValid() {
		peer = remote(c)
	}
	return !p.peer.IsValid() || peer == p.peer
}

// leave takes a connection out that is known now.
func (h *hall) leave(c *net.TCPConn, fits bool, panicked any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if panicked != nil && h.panic == nil {
		h.panic = panicked
		_ = h.k.SetDeadline(time.Unix(1, 0))
	}
	for i, w := range h.waiting {
		if w != c {
			continue
		}
		h.waiting = append(h.waiting[:i:i], h.waiting[i+1:]...)
		if fits && h.won == nil && !h.over {
			h.won = c
			_ = h.k.SetDeadline(time.Unix(1, 0)) // accept has nobody to wait for any more
			return
		}
		break
	}
	h.port.foreign.Add(1)
	c.Close()
}

// close turns away who still waits, and returns who has won.
func (h *hall) close() *net.TCPConn {
	h.mu.Lock()
	h.over = true
	for _, c := range h.waiting {
		c.Close()
	}
	won := h.won
	h.mu.Unlock()
	h.all.Wait()
	return won
}
