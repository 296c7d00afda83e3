package dtp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// ActiveConfig says which data ports a client may name (PORT, EPRT).
type ActiveConfig struct {
	Local      netip.Addr // the control connection's own address, bound to
	Peer       netip.Addr // the client's address
	Foreign    bool       // permit other addresses (FXP); a bounce attack's tool (RFC 2577 §3)
	Privileged bool       // permit ports below 1024
	Wait       time.Duration
}

// Active is a data port of the client's, connected to when the transfer begins
// (RFC 959 §3.2).
type Active struct {
	local  netip.Addr
	target netip.AddrPort
	wait   time.Duration
}

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
	if conf.Wait <= 0 {
		conf.Wait = WaitDefault
	}
	return &Active{local: conf.Local.Unmap(), target: target, wait: conf.Wait}, nil
}

// Open connects to the client.
func (a *Active) Open(ctx context.Context) (net.Conn, error) {
	d := net.Dialer{Timeout: a.wait}
	if a.local.IsValid() && a.local.Is4() == a.target.Addr().Is4() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.local, 0))
	}
	c, err := d.DialContext(ctx, "tcp", a.target.String())
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %w", ErrUnreached, err)
	}
	return c, nil
}

// Close does nothing: an active port holds nothing until it is opened.
func (a *Active) Close() error { return nil }
