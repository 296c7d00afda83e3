package dtp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
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

// check refuses spans that would lead out of the range.
func (r PortRange) check() error {
	for _, s := range r {
		if s.First == 0 || s.Last < s.First {
			return fmt.Errorf("passive ports %d-%d are no range", s.First, s.Last)
		}
	}
	return nil
}

// binder binds one port. Port 0 is the kernel's choice.
type binder func(port uint16) (*net.TCPListener, error)

// choose binds a port of the range at random, and no other.
func (r PortRange) choose(local netip.Addr, try binder) (*net.TCPListener, error) {
	const direct = 4 // tries before ports are looked through without a new socket for each
	n := r.Len()
	start := rand.IntN(n) // seeded by the system: ChaCha8, not predictable
	for i := 0; i < n; i++ {
		if i >= direct {
			if i += skip(local, n-i, func(k int) uint16 { return r.at((start + i + k) % n) }); i >= n {
				break
			}
		}
		l, err := try(r.at((start + i) % n))
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) && !forbidden(err) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: all %d configured ports are taken", ErrNoPort, n)
}

// forbidden reports whether a port is not to be had by this process.
func forbidden(err error) bool {
	return errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM)
}

// listen binds a port and listens on it.
func listen(ctx context.Context, conf *PassiveConfig) (l *net.TCPListener, fixed bool, err error) {
	lc := net.ListenConfig{}
	lc.SetMultipathTCP(false) // sendfile(2) and splice(2) are TCP's, and one socket(2) less where the sandbox refuses it
	inherit(&lc)
	try := func(port uint16) (*net.TCPListener, error) {
		l, err := lc.Listen(ctx, "tcp", netip.AddrPortFrom(conf.Local, port).String())
		if err != nil {
			return nil, err
		}
		return l.(*net.TCPListener), nil
	}
	if len(conf.Ports) == 0 {
		return conf.Ephemeral.choose(try)
	}
	l, err = conf.Ports.choose(conf.Local, try)
	return l, true, err
}
