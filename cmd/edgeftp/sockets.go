package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// socket is one of a listener's addresses.
type socket struct{ listener, address string }

// inherit takes the sockets that a service manager has passed on (sd_listen_fds(3)), each
// for the listener that has its name, or else its address. One that belongs to none is an
// error: it would wait for ever.
func (in *generation) inherit() error {
	files := activation.Files(true) // and nobody inherits them from here
	for i, f := range files {
		l, err := listening(f)
		if err != nil {
			closeFiles(files[i+1:])
			return fmt.Errorf("the service manager has passed %q, which is no listening TCP socket: %w\n"+
				"   = help: the socket unit needs ListenStream=ADDRESS:PORT, and no Accept=yes", f.Name(), err)
		}
		at, found := in.place(f.Name(), l.Addr())
		if !found {
			closeFiles(files[i+1:])
			return errors.Join(fmt.Errorf("the service manager has passed %q on %s, which is no listener's\n"+
				"   = help: give the socket unit FileDescriptorName=NAME of a listener, or the listener that address", f.Name(), l.Addr()), l.Close())
		}
		in.sockets[at] = l
		in.log.Info("socket inherited", "listener", at.listener, "address", l.Addr().String(), "name", f.Name())
	}
	return nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nothing was done with it
	}
}

// listening makes a listener of a file, and closes that.
func listening(f *os.File) (net.Listener, error) {
	if err := listens(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l, err := net.FileListener(f)
	err = errors.Join(err, f.Close())
	if _, ok := l.(*net.TCPListener); err == nil && !ok {
		err = errors.Join(fmt.Errorf("it is %s", l.Addr().Network()), l.Close())
	}
	return l, err
}

// place finds whose socket one with a name and an address is, among those that have none
// yet. A listener's name wins over an address.
func (in *generation) place(name string, addr net.Addr) (at socket, found bool) {
	var own, others []socket // that may be it, by name and by address
	known := false
	for i := range in.conf.Listeners {
		l := &in.conf.Listeners[i]
		if !l.TCP() {
			continue
		}
		known = known || l.Name == name
		for _, a := range l.Addresses {
			one, same := socket{l.Name, a}, is(a, addr)
			switch {
			case in.sockets[one] != nil:
			case l.Name == name && same:
				return one, true
			case l.Name == name:
				own = append(own, one)
			case same:
				others = append(others, one)
			}
		}
	}
	if known {
		others = own
	}
	if len(others) == 0 {
		return socket{}, false
	}
	return others[0], true
}

// is reports whether HOST:PORT of a configuration is what a socket is bound to.
func is(address string, bound net.Addr) bool {
	tcp, ok := bound.(*net.TCPAddr)
	host, port, err := net.SplitHostPort(address)
	if !ok || err != nil || port != strconv.Itoa(tcp.Port) {
		return false
	}
	to := tcp.AddrPort().Addr().Unmap()
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "":
		return to.IsUnspecified()
	case err != nil:
		return strings.EqualFold(host, "localhost") && to.IsLoopback()
	}
	return ip.Unmap() == to
}

// bind binds the listeners whose sockets are not there yet.
func (in *generation) bind(ctx context.Context) error {
	for i := range in.conf.Listeners {
		l := &in.conf.Listeners[i]
		for _, a := range l.Addresses {
			if l.UDP() && !strings.HasSuffix(a, ":0") { // else it is the port of TCP, which is not low
				if err := in.port(l, a).bind(ctx); err != nil && (in.succeeds == nil || !inUse(err)) {
					return unbound(fmt.Errorf("listener %s: UDP: %w", l.Name, err))
				}
			}
			if !l.TCP() || in.sockets[socket{l.Name, a}] != nil {
				continue
			}
			if err := in.bindTCP(ctx, l, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// bindTCP binds an address of TCP for the server.
func (in *generation) bindTCP(ctx context.Context, l *config.Listener, address string) error {
	var lc net.ListenConfig
	if l.Protocol == config.ProtocolHTTP {
		lc.SetMultipathTCP(false) // as edge.Server.Listen does
	}
	nl, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return unbound(fmt.Errorf("listener %s: %w", l.Name, err))
	}
	in.sockets[socket{l.Name, address}] = nl
	return nil
}

// bindChosen binds what has to be there before the server is told of its listeners: addresses
// of HTTP/3 whose port the kernel chooses.
func (in *generation) bindChosen(ctx context.Context) error {
	for i := range in.conf.Listeners {
		l := &in.conf.Listeners[i]
		if !l.HTTP3 {
			continue
		}
		for _, a := range l.Addresses {
			if _, err := in.numbered(ctx, l, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// numbered is an address of HTTP/3 with its port, which is the same of TCP and UDP. Where the
// kernel is to choose it, a socket of TCP has it from then on.
func (in *generation) numbered(ctx context.Context, l *config.Listener, address string) (string, error) {
	if !strings.HasSuffix(address, ":0") {
		return address, nil
	}
	at := socket{l.Name, address}
	if b := in.before; b != nil {
		all := b.listening()
		if i := slices.IndexFunc(all, func(s boundSocket) bool { return s.socket == at }); i >= 0 {
			return all[i].Addr().String(), nil
		}
	}
	if in.sockets[at] == nil {
		if err := in.choose(ctx, l, address); err != nil {
			return "", err
		}
	}
	return in.sockets[at].Addr().String(), nil
}

// choose binds an address whose port the kernel chooses, for TCP and for UDP. Somebody may
// have that of UDP: then it is to choose another one.
func (in *generation) choose(ctx context.Context, l *config.Listener, address string) error {
	const most = 20
	at, p := socket{l.Name, address}, in.port(l, address)
	for n := 1; ; n++ {
		if err := in.bindTCP(ctx, l, address); err != nil {
			return err
		}
		p.address = in.sockets[at].Addr().String()
		err := p.bind(ctx)
		if err == nil {
			return nil
		}
		if !inUse(err) || n == most {
			return unbound(fmt.Errorf("listener %s: UDP: %w", l.Name, err))
		}
		_ = in.sockets[at].Close() // nobody was let in
		delete(in.sockets, at)
	}
}

// unbound says what to do about a listener that cannot be bound.
func unbound(err error) error {
	help := "check the address"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		help = "another program listens there; stop it, or choose another address with --listen"
	case errors.Is(err, syscall.EACCES):
		help = "ports below 1024 need a privilege; choose a higher one, or a systemd socket unit, or CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		help = "this machine does not have that address"
	}
	return exitWith(exitFailed, fmt.Errorf("%w\n   = help: %s", err, help))
}

// closeSockets closes those that no server has taken, and does no harm to the others.
func (in *instance) closeSockets() {
	for _, l := range in.sockets {
		_ = l.Close() // twice, mostly
	}
}
