package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ErrDenied says that a connection would go where it may not.
var ErrDenied = errors.New("the address is not allowed")

// maxAddresses is how many addresses of a name are tried.
const maxAddresses = 4

// Dialer makes connections. Its zero value makes them to public addresses alone.
type Dialer struct {
	// Resolve looks names up; nil stands for the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// May reports whether a connection may be made to addr, which host is or leads to; nil
	// stands for Public. host is in lower case, an address without brackets.
	May func(host string, port uint16, addr netip.Addr) bool
}

// DialContext connects to a host and port. The error is [ErrDenied] where May refuses the
// address, or one of those that the host leads to: an honest name has none among several.
func (d *Dialer) DialContext(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	addrs, err := d.addresses(ctx, strings.ToLower(host), uint16(port))
	if err != nil {
		return nil, err
	}
	var errs []error
	var dial net.Dialer
	for _, a := range addrs {
		conn, err := dial.DialContext(ctx, network, netip.AddrPortFrom(a, uint16(port)).String())
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// addresses returns where a connection to a host may go.
func (d *Dialer) addresses(ctx context.Context, host string, port uint16) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if !d.may(host, port, addr) {
			return nil, fmt.Errorf("%w: %s", ErrDenied, host)
		}
		return []netip.Addr{addr}, nil
	}
	resolve := d.Resolve
	if resolve == nil {
		resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	addrs, err := resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	for _, a := range addrs {
		if !d.may(host, port, a) {
			return nil, fmt.Errorf("%w: %s resolves to %v", ErrDenied, host, a)
		}
	}
	return addrs[:min(len(addrs), maxAddresses)], nil
}

func (d *Dialer) may(host string, port uint16, addr netip.Addr) bool {
	if d.May == nil {
		return Public(addr)
	}
	return d.May(host, port, addr)
}
