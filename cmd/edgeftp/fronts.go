package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
)

// fronts are what clients of a generation come to that is no FTP over TCP: HTTP, whose
// connections the server hands on, and QUIC.
type fronts struct {
	tls   map[string]*tls.Config // by listener
	sites map[string]*site       // likewise
	ports map[string]*udpPort    // by portKey
	sides map[socket]*side
}

func newFronts() *fronts {
	return &fronts{tls: map[string]*tls.Config{}, sites: map[string]*site{}, ports: map[string]*udpPort{}, sides: map[socket]*side{}}
}

// portKey names the UDP port of an address: two listeners share it, unless the kernel is to
// choose.
func portKey(l *config.Listener, address string) string {
	if strings.HasSuffix(address, ":0") {
		return l.Name + " " + address
	}
	return address
}

// port is the UDP port of a listener's address, that of the generation before if it has it.
func (in *generation) port(l *config.Listener, address string) *udpPort {
	key := portKey(l, address)
	if in.fronts.ports[key] == nil {
		p := &udpPort{address: address}
		if b := in.before; b != nil && b.fronts.ports[key] != nil {
			p = b.fronts.ports[key]
		}
		in.fronts.ports[key] = p
	}
	return in.fronts.ports[key]
}

// side is what the server accepts FTP over QUIC from.
func (in *generation) side(l *config.Listener, address string) *side {
	at := socket{l.Name, address}
	if in.fronts.sides[at] == nil {
		s := newSide(in.port(l, address))
		if b := in.before; b != nil && b.fronts.sides[at] != nil {
			s = b.fronts.sides[at]
		}
		in.fronts.sides[at] = s
	}
	return in.fronts.sides[at]
}

// openFronts opens sites, and binds ports of UDP. Nobody is let in there yet. After an error
// closeFronts has to be called.
func (in *generation) openFronts(ctx context.Context) error {
	for i := range in.conf.Listeners {
		l := &in.conf.Listeners[i]
		numbers, err := in.openPorts(ctx, l)
		if err != nil {
			return err
		}
		if l.Protocol != config.ProtocolHTTP {
			continue
		}
		s, err := in.openSite(l, numbers)
		if err != nil {
			return fmt.Errorf("listener %s: %w", l.Name, err)
		}
		in.fronts.sites[l.Name] = s
	}
	return nil
}

// openPorts binds the ports of UDP of a listener, and returns their numbers.
func (in *generation) openPorts(ctx context.Context, l *config.Listener) (numbers []string, err error) {
	if !l.UDP() {
		return nil, nil
	}
	for _, a := range l.Addresses {
		p, at := in.port(l, a), a
		if l.HTTP3 {
			if at, err = in.numbered(ctx, l, a); err != nil {
				return nil, err
			}
		}
		if at != a && p.socket == nil {
			p.address = at
		}
		if err := in.openPort(ctx, l, p); err != nil {
			return nil, err
		}
		_, number, _ := net.SplitHostPort(at) // the configuration has read it
		numbers = append(numbers, number)
	}
	return numbers, nil
}

// openPort binds a UDP port, on which clients wait. One that is the predecessor's still
// comes later.
func (in *generation) openPort(ctx context.Context, l *config.Listener, p *udpPort) error {
	if p.limits == nil {
		p.limits = l.QUIC
	}
	err := p.bind(ctx)
	if inUse(err) && in.succeeds != nil && in.before == nil {
		p.late = true
		return nil
	}
	if err != nil {
		return unbound(fmt.Errorf("listener %s: UDP: %w", l.Name, err))
	}
	return nil
}

// showFronts lets clients of QUIC in, and nobody any more by what the generation before alone
// has.
func (in *generation) showFronts(before *generation) {
	f := in.fronts
	faces := map[*udpPort]*face{}
	of := func(l *config.Listener, a string) *face {
		p := f.ports[portKey(l, a)]
		if faces[p] == nil {
			faces[p] = new(face)
		}
		return faces[p]
	}
	for i := range in.conf.Listeners {
		l := &in.conf.Listeners[i]
		for _, a := range l.Addresses {
			switch {
			case l.HTTP3:
				face := of(l, a)
				face.site, face.http = f.sites[l.Name], f.tls[l.Name]
			case l.Protocol == config.ProtocolQUIC:
				face := of(l, a)
				face.side, face.ftp = f.sides[socket{l.Name, a}], f.tls[l.Name]
			}
		}
		if l.Protocol == config.ProtocolQUIC && (before == nil || !before.has(l.Name, config.ProtocolQUIC)) {
			in.log.Warn("FTP over QUIC is experimental: the next version may speak it otherwise", "listener", l.Name)
		}
	}
	for p, face := range faces {
		p.face.Store(face)
		switch begun := p.begun; {
		case begun:
		case p.late:
			in.work.all.Go(func() { in.guard(func() { in.inherits(in.work.working, p) }) })
		default:
			if err := p.open(in.instance); err != nil {
				in.log.Error("QUIC cannot be served", "address", p.address, "error", err)
			}
		}
		p.begun = true
	}
	if before != nil {
		before.dropFronts(in.work.ctx, in, &in.work.all)
	}
}

// has reports whether the generation has a listener of that name and protocol.
func (in *generation) has(name, protocol string) bool {
	for i := range in.conf.Listeners {
		if l := &in.conf.Listeners[i]; l.Name == name && l.Protocol == protocol {
			return true
		}
	}
	return false
}

// inheritEvery is how often it is tried whether the predecessor has left a UDP port.
const inheritEvery = 20 * time.Millisecond

// inherits binds a UDP port as soon as the predecessor has left it.
func (in *instance) inherits(ctx context.Context, p *udpPort) {
	tick := time.NewTicker(inheritEvery)
	defer tick.Stop()
	for {
		err := p.bind(ctx)
		if err == nil {
			err = p.open(in)
		}
		switch {
		case err == nil:
			in.log.Info("QUIC is served", "address", p.address)
			return
		case !inUse(err):
			in.log.Error("a UDP port of the server before cannot be had: nothing is served there", "address", p.address, "error", err)
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// dropFronts closes what after does not have; nil is nobody. What goes on there does so
// until ctx ends, and is waited for in all.
func (in *generation) dropFronts(ctx context.Context, after *generation, all *sync.WaitGroup) {
	kept := newFronts()
	if after != nil {
		kept = after.fronts
	}
	for name, s := range in.fronts.sites {
		if kept.sites[name] != s {
			all.Go(func() { in.guard(func() { s.close(ctx) }) })
		}
	}
	for key, p := range in.fronts.ports {
		if kept.ports[key] != p {
			all.Go(func() { in.guard(func() { p.close(ctx) }) })
		}
	}
}

// endFronts ends all, as soon as nothing goes on there, or when ctx ends.
func (in *generation) endFronts(ctx context.Context) {
	var all sync.WaitGroup
	in.dropFronts(ctx, nil, &all)
	all.Wait()
}

// yieldWait is for how long the connections of QUIC go on in a process that was replaced:
// until they have ended its successor cannot have their port.
const yieldWait = 3 * time.Second

// yieldFronts leaves all to the successor. Connections of TCP go on to the end of what is
// asked for on them, and those of QUIC for a moment.
func (in *generation) yieldFronts() {
	moment, end := context.WithTimeout(in.work.ctx, yieldWait)
	defer end()
	var all sync.WaitGroup
	for _, p := range in.fronts.ports {
		all.Go(func() { in.guard(func() { p.close(moment) }) })
	}
	for _, s := range in.fronts.sites {
		all.Go(func() { in.guard(func() { s.close(in.work.ctx) }) })
	}
	all.Wait()
}

// closeFronts closes at once what only this generation has.
func (in *generation) closeFronts() {
	ended, end := context.WithCancel(context.Background())
	end()
	var all sync.WaitGroup
	in.dropFronts(ended, in.before, &all)
	all.Wait()
}
