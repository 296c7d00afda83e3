package acme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"

	rfc8555 "github.com/mholt/acmez/v3/acme"
)

// door is a set of listeners that are open while somebody needs them.
type door struct {
	kind  string // of challenge
	port  string // to which authorities come
	addrs []string
	serve func(net.Listener) (stop func())

	mu    sync.Mutex
	users int
	stops []func()
}

// mostGuests is how many connections a listener has at once. Each is short.
const mostGuests = 128

// enter opens the door for the first who needs it.
func (d *door) enter(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users > 0 {
		d.users++
		return nil
	}
	open, err := d.listen(ctx)
	if err != nil {
		return err
	}
	for _, l := range open {
		d.stops = append(d.stops, d.serve(&hall{Listener: l}))
	}
	d.users = 1
	return nil
}

// listen listens on all addresses, or on none.
func (d *door) listen(ctx context.Context) (open []net.Listener, err error) {
	var config net.ListenConfig
	for _, addr := range d.addrs {
		l, err := config.Listen(ctx, "tcp", addr)
		if err != nil {
			for _, l := range open {
				_ = l.Close() // nobody was let in
			}
			return nil, &doorError{kind: d.kind, addr: addr, port: d.port, err: err}
		}
		open = append(open, l)
	}
	return open, nil
}

// Closed tries to listen on the addresses of HTTP and TLSALPN, and lets them go. For
// each of the two there is at most one error, which says what address cannot be had and
// why; [Advice] has what to do.
func (c *Challenges) Closed(ctx context.Context) []error {
	var errs []error
	for _, d := range []*door{httpDoor(c), alpnDoor(c)} {
		open, err := d.listen(ctx)
		if err != nil {
			errs = append(errs, err)
		}
		for _, l := range open {
			_ = l.Close() // nobody was let in
		}
	}
	return errs
}

func httpDoor(c *Challenges) *door {
	return &door{kind: rfc8555.ChallengeTypeHTTP01, port: "80", addrs: c.HTTP}
}

func alpnDoor(c *Challenges) *door {
	return &door{kind: rfc8555.ChallengeTypeTLSALPN01, port: "443", addrs: c.TLSALPN}
}

// leave closes the door behind the last one.
func (d *door) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users--; d.users > 0 {
		return
	}
	for _, stop := range d.stops {
		stop()
	}
	d.stops = nil
}

// doorError says that a challenge's address cannot be listened on.
type doorError struct {
	kind, addr, port string
	err              error
}

// Error implements error.
func (e *doorError) Error() string {
	why := e.err.Error()
	switch {
	case errors.Is(e.err, syscall.EADDRINUSE):
		why = "another program listens there"
	case errors.Is(e.err, syscall.EACCES):
		why = "this user may not listen there"
	case errors.Is(e.err, syscall.EADDRNOTAVAIL):
		why = "this machine has no such address"
	}
	return fmt.Sprintf("%s cannot be answered on %s: %s", e.kind, e.addr, why)
}

// Unwrap returns the operating system's error.
func (e *doorError) Unwrap() error { return e.err }

// hall is a listener that has mostGuests at once. Who comes then takes the place of the
// one who has been there for the longest time: authorities are quick, strangers are not.
type hall struct {
	net.Listener
	mu     sync.Mutex
	guests []*guest // the oldest first
}

// Accept implements net.Listener.
func (h *hall) Accept() (net.Conn, error) {
	conn, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g := &guest{Conn: conn, hall: h}
	h.mu.Lock()
	h.guests = append(h.guests, g)
	var out *guest
	if len(h.guests) > mostGuests {
		out = h.guests[0] // before the others move up
		h.guests = slices.Delete(h.guests, 0, 1)
	}
	h.mu.Unlock()
	if out != nil {
		_ = out.Conn.Close() // whoever serves it finds out
	}
	return g, nil
}

type guest struct {
	net.Conn
	hall *hall
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.hall.mu.Lock()
	g.hall.guests = slices.DeleteFunc(g.hall.guests, func(other *guest) bool { return other == g })
	g.hall.mu.Unlock()
	return g.Conn.Close()
}
