package acme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
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
	var config net.ListenConfig
	var open []net.Listener
	for _, addr := range d.addrs {
		l, err := config.Listen(ctx, "tcp", addr)
		if err != nil {
			for _, l := range open {
				_ = l.Close() // nobody was let in
			}
			return &doorError{kind: d.kind, addr: addr, port: d.port, err: err}
		}
		open = append(open, l)
	}
	for _, l := range open {
		d.stops = append(d.stops, d.serve(newHall(l)))
	}
	d.users = 1
	return nil
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

// hall is a listener that has mostGuests at once; the others wait outside.
type hall struct {
	net.Listener
	seats chan struct{}
	once  sync.Once
	shut  chan struct{}
}

func newHall(l net.Listener) *hall {
	return &hall{Listener: l, seats: make(chan struct{}, mostGuests), shut: make(chan struct{})}
}

// Accept implements net.Listener.
func (h *hall) Accept() (net.Conn, error) {
	select {
	case h.seats <- struct{}{}:
	case <-h.shut:
		return nil, net.ErrClosed
	}
	conn, err := h.Listener.Accept()
	if err != nil {
		<-h.seats
		return nil, err
	}
	return &guest{Conn: conn, hall: h}, nil
}

// Close implements net.Listener.
func (h *hall) Close() error {
	h.once.Do(func() { close(h.shut) })
	return h.Listener.Close()
}

type guest struct {
	net.Conn
	hall *hall
	once sync.Once
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.once.Do(func() { <-g.hall.seats })
	return g.Conn.Close()
}
