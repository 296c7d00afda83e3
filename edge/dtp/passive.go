package dtp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

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
	// Congestion is the congestion control of the data connection, as of SetCongestion;
	// empty is the kernel's choice.
	Congestion string
	// Ephemeral is what to choose from if Ports is empty; nil is the kernel's choice.
	Ephemeral *Ephemeral
	// Spare keeps the socket for the session's next port; nil closes it with the first
	// connection.
	Spare *Spare
	// Proxies are what connections come through: each has to be announced, and Peer is
	// compared with what was; nil takes them as they come.
	Proxies *Proxies
	// Tally counts the port; nil counts for nobody.
	Tally *Tally
}

// Passive is a listening data port (PASV, EPSV). One connection is accepted;
// then the port closes.
type Passive struct {
	socket  atomic.Pointer[socket] // nil from when it is closed, or the spare's
	addr    netip.AddrPort
	peer    netip.Addr
	until   time.Time
	spare   *Spare
	proxies *Proxies
	used    atomic.Bool
	foreign atomic.Int64
}

var _ PassivePort = (*Passive)(nil)

// Listen opens a passive port, chosen at random in the range so that it cannot
// be foretold. A range without a free port is ErrNoPort: no port outside it is
// ever used.
func Listen(ctx context.Context, conf PassiveConfig) (*Passive, error) {
	if err := conf.Ports.check(); err != nil {
		return nil, err
	}
	conf.Peer = conf.Peer.Unmap()
	k, err := socketFor(ctx, &conf)
	if err != nil {
		return nil, err
	}
	p := &Passive{addr: k.addr, peer: conf.Peer, spare: conf.Spare, proxies: conf.Proxies}
	p.socket.Store(k)
	switch {
	case conf.Wait == 0:
		p.until = time.Now().Add(WaitDefault)
	case conf.Wait > 0:
		p.until = time.Now().Add(conf.Wait)
	}
	return p, nil
}

// socketFor returns the spare socket, or else a new one.
func socketFor(ctx context.Context, conf *PassiveConfig) (*socket, error) {
	if conf.Spare != nil {
		if k := conf.Spare.take(conf); k != nil {
			return k, nil
		}
	}
	l, fixed, err := listen(ctx, conf)
	if err != nil {
		conf.Tally.refuse(err)
		return nil, err
	}
	if conf.Backlog > 0 {
		if err := setBacklog(l, conf.Backlog); err != nil {
			l.Close()
			return nil, fmt.Errorf("backlog of the passive port: %w", err)
		}
	}
	if conf.Congestion != "" {
		if err := SetCongestion(l, conf.Congestion); err != nil {
			l.Close()
			return nil, err
		}
	}
	a := l.Addr().(*net.TCPAddr).AddrPort()
	k := &socket{TCPListener: l, addr: netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), conf: *conf, fixed: fixed, born: time.Now()}
	k.hold()
	return k, nil
}

// Addr returns the address that the port listens on.
func (p *Passive) Addr() netip.AddrPort { return p.addr }

// Until returns when the port gives up waiting; the zero value is never.
func (p *Passive) Until() time.Time { return p.until }

// Foreign returns how many connections of other addresses were turned away.
func (p *Passive) Foreign() int64 { return p.foreign.Load() }

// Open accepts the client's connection.
func (p *Passive) Open(ctx context.Context) (net.Conn, error) {
	k := p.socket.Load()
	if p.used.Swap(true) || k == nil {
		return nil, net.ErrClosed
	}
	defer p.Close()
	if err := k.SetDeadline(p.until); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { p.Close() })
	defer stop()
	if p.proxies != nil {
		return p.meet(ctx, k)
	}
	for {
		c, err := k.AcceptTCP()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.SetLinger(0) // a reset: nothing was sent, and an end would look like an empty file's
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
		if p.spare != nil && p.foreign.Load() == 0 && p.socket.CompareAndSwap(k, nil) {
			p.spare.put(k)
		}
		return c, nil
	}
}

// Close stops listening.
func (p *Passive) Close() error {
	if k := p.socket.Swap(nil); k != nil {
		return k.Close()
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
