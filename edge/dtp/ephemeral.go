package dtp

import (
	"math/rand/v2"
	"net"
	"sync/atomic"
)

// Ephemeral is the ports that the system gives out by itself, to choose from where no
// range is configured. Its methods may be called from any goroutine; those of nil leave
// the choice to the kernel.
//
// The kernel's own choice, bind(2) of port 0, is no good for many transfers: it looks
// through half of its range, or all of it, for a port of which nothing is in TIME_WAIT,
// and with some thousand that are that takes up to a millisecond; with 28,000 of them,
// 470 downloads a second, it finds none. A single port is bound in 2 microseconds,
// whatever is in TIME_WAIT on it.
type Ephemeral struct {
	ports  PortRange
	barred atomic.Bool // a single port must not be bound by this process
}

// ephemeralTries is how many ports are tried before the choice is the kernel's.
const ephemeralTries = 8

// ReadEphemeral asks the system for its range. It is to be called before the process is
// confined. It returns nil where the range cannot be read, or is no such thing.
func ReadEphemeral() *Ephemeral {
	ports := systemPorts()
	if len(ports) == 0 {
		return nil
	}
	return &Ephemeral{ports: ports}
}

// Part returns n of the ports in a row, from a random one on, for a process that is
// allowed a few only; all of them if there are no more in a row.
func (e *Ephemeral) Part(n int) *Ephemeral {
	if e == nil || n < 1 {
		return nil
	}
	var r PortRange
	for _, s := range e.ports {
		if int(s.Last)-int(s.First)+1 >= n {
			r = append(r, PortSpan{s.First, s.Last - uint16(n-1)}) // where it may begin
		}
	}
	if len(r) == 0 {
		return &Ephemeral{ports: e.ports}
	}
	first := r.random()
	return &Ephemeral{ports: PortRange{{first, first + uint16(n-1)}}}
}

// Ports returns the ports; the kernel may choose others still, when many are taken.
func (e *Ephemeral) Ports() PortRange {
	if e == nil {
		return nil
	}
	return e.ports
}

// random is one port of a range that has some.
func (r PortRange) random() uint16 {
	return r.at(rand.IntN(r.Len())) // seeded by the system: ChaCha8, not predictable
}

// choose binds a port at random, or the kernel's choice, and tells whether the socket
// keeps it also when it does not listen.
func (e *Ephemeral) choose(try binder) (l *net.TCPListener, fixed bool, err error) {
	for n := 0; e != nil && n < ephemeralTries && !e.barred.Load(); n++ {
		l, err = try(e.ports.random())
		if err == nil {
			return l, true, nil
		}
		if forbidden(err) {
			e.barred.Store(true)
		}
	}
	l, err = try(0)
	return l, false, err
}
