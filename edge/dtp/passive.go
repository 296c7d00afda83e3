package dtp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// PortRange is the set of passive ports, as ranges and single ports. The zero
// value leaves the choice to the kernel.
type PortRange []PortSpan

// PortSpan is the ports First to Last, both included.
type PortSpan struct {
	First, Last uint16 // from 1, First not above Last
}

// Len returns the number of ports.
func (r PortRange) Len() int {
	n := 0
	for _, s := range r {
		n += int(s.Last) - int(s.First) + 1
	}
	return n
}

// at returns the i-th port.
func (r PortRange) at(i int) uint16 {
	for _, s := range r {
		n := int(s.Last) - int(s.First) + 1
		if i < n {
			return s.First + uint16(i)
		}
		i -= n
	}
	return 0
}

// PassiveConfig says where and for whom to listen.
type PassiveConfig struct {
	Local netip.Addr // the control connection's own address
	Ports PortRange  // to choose from; empty is the kernel's choice
	// Peer is the only address whose connection is accepted; the zero value
	// accepts any. Connections of others are closed and the port goes on
	// waiting, so that nobody can take or block it (RFC 2577 §3).
	Peer netip.Addr
	Wait time.Duration // zero is WaitDefault, less than zero no limit
	// Backlog is how many connections may wait to be accepted (listen(2)); 0 or
	// less is the system's own default. It is known on Linux only.
	Backlog int
}

// Passive is a listening data port (PASV, EPSV). One connection is accepted;
// then the port closes.
type Passive struct {
	listener *net.TCPListener
	peer     netip.Addr
	until    time.Time
	used     atomic.Bool
	foreign  atomic.Int64
}

var _ PassivePort = (*Passive)(nil)

// check refuses spans that would lead out of the range.
func (r PortRange) check() error {
	for _, s := range r {
		if s.First == 0 || s.Last < s.First {
			return fmt.Errorf("passive ports %d-%d are no range", s.First, s.Last)
		}
	}
	return nil
}

// Listen opens a passive port, chosen at random in the range so that it cannot
// be foretold. A range without a free port is ErrNoPort: no port outside it is
// ever used.
func Listen(ctx context.Context, conf PassiveConfig) (*Passive, error) {
	if err := conf.Ports.check(); err != nil {
		return nil, err
	}
	l, err := listen(ctx, conf.Local, conf.Ports)
	if err != nil {
		return nil, err
	}
	if conf.Backlog > 0 {
		if err := setBacklog(l, conf.Backlog); err != nil {
			l.Close()
			return nil, fmt.Errorf("backlog of the passive port: %w", err)
		}
	}
	p := &Passive{listener: l, peer: conf.Peer.Unmap()}
	switch {
	case conf.Wait == 0:
		p.until = time.Now().Add(WaitDefault)
	case conf.Wait > 0:
		p.until = time.Now().Add(conf.Wait)
	}
	return p, nil
}

func listen(ctx context.Context, local netip.Addr, ports PortRange) (*net.TCPListener, error) {
	var lc net.ListenConfig
	try := func(port uint16) (*net.TCPListener, error) {
		l, err := lc.Listen(ctx, "tcp", netip.AddrPortFrom(local, port).String())
		if err != nil {
			return nil, err
		}
		return l.(*net.TCPListener), nil
	}
	n := ports.Len()
	if n == 0 {
		return try(0)
	}
	start := rand.IntN(n) // seeded by the system: ChaCha8, not predictable
	for i := range n {
		l, err := try(ports.at((start + i) % n))
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.EPERM) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: all %d configured ports are taken", ErrNoPort, n)
}

// Addr returns the address that the port listens on.
func (p *Passive) Addr() netip.AddrPort {
	a := p.listener.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Until returns when the port gives up waiting; the zero value is never.
func (p *Passive) Until() time.Time { return p.until }

// Foreign returns how many connections of other addresses were turned away.
func (p *Passive) Foreign() int64 { return p.foreign.Load() }

// Open accepts the client's connection.
func (p *Passive) Open(ctx context.Context) (net.Conn, error) {
	if p.used.Swap(true) {
		return nil, net.ErrClosed
	}
	defer p.Close()
	if err := p.listener.SetDeadline(p.until); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { p.Close() })
	defer stop()
	for {
		c, err := p.listener.AcceptTCP()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil, ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, ErrNobody
		case err != nil:
			return nil, err
		}
		if p.peer.IsValid() && remote(c) != p.peer {
			p.foreign.Add(1)
			c.Close()
			continue
		}
		return c, nil
	}
}

// Close stops listening.
func (p *Passive) Close() error {
	if err := p.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func remote(c net.Conn) netip.Addr {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return a.AddrPort().Addr().Unmap()
}
