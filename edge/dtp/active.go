package dtp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// ActiveConfig says which data ports a client may name (PORT, EPRT).
type ActiveConfig struct {
	Local      netip.Addr    // the control connection's own address, bound to
	Peer       netip.Addr    // the client's address
	Foreign    bool          // permit other addresses (FXP); a bounce attack's tool (RFC 2577 §3)
	Privileged bool          // permit ports below 1024
	Wait       time.Duration // zero is WaitDefault, less than zero the system's own limit
	Congestion string        // as of PassiveConfig
}

// Active is a data port of the client's, connected to when the transfer begins
// (RFC 959 §3.2).
type Active struct {
	local  netip.Addr
	target netip.AddrPort
	wait   time.Duration
	with   string // congestion control

	mu     sync.Mutex
	used   bool
	closed bool
	stop   context.CancelFunc // of an Open that waits
}

var _ Port = (*Active)(nil)

// NewActive checks the address that a client named. It fails with ErrForeign or
// ErrLowPort.
func NewActive(conf ActiveConfig, target netip.AddrPort) (*Active, error) {
	target = netip.AddrPortFrom(target.Addr().Unmap(), target.Port())
	if !conf.Foreign && target.Addr() != conf.Peer.Unmap() {
		return nil, ErrForeign
	}
	if target.Addr().IsUnspecified() || target.Addr().IsMulticast() || target.Port() == 0 {
		return nil, ErrForeign
	}
	if !conf.Privileged && target.Port() < 1024 {
		return nil, ErrLowPort
	}
	if conf.Wait == 0 {
		conf.Wait = WaitDefault
	}
	return &Active{local: conf.Local.Unmap(), target: target, wait: max(0, conf.Wait), with: conf.Congestion}, nil
}

// Open connects to the client.
func (a *Active) Open(ctx context.Context) (net.Conn, error) {
	dialing, stop := context.WithCancel(ctx)
	defer stop()
	if !a.begin(stop) {
		return nil, net.ErrClosed
	}
	d := net.Dialer{Timeout: a.wait, Control: congested(a.with)}
	if a.local.IsValid() && a.local.Is4() == a.target.Addr().Is4() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.local, 0))
	}
	c, err := d.DialContext(dialing, "tcp", a.target.String())
	switch {
	case err == nil:
		return c, nil
	case ended(ctx):
		return nil, ctx.Err()
	case dialing.Err() != nil:
		return nil, net.ErrClosed
	}
	return nil, fmt.Errorf("%w: %w", ErrUnreached, err)
}

// ended reports whether ctx has ended. The dialer has a timer of its own for ctx's
// deadline, which may be the first to notice that it has passed.
func ended(ctx context.Context) bool {
	if limit, ok := ctx.Deadline(); ok && !time.Now().Before(limit) {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

// begin uses the port up, unless that or Close has happened before.
func (a *Active) begin(stop context.CancelFunc) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.used || a.closed {
		return false
	}
	a.used, a.stop = true, stop
	return true
}

// Close ends an Open that waits. There is nothing else to give up.
func (a *Active) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.stop != nil {
		a.stop()
	}
	return nil
}
