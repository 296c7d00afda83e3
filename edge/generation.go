package edge

import (
	"context"
	"fmt"
	"net"
	"reflect"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/secret"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// generation is what one Config stands for: all that a session begins with. Once it is in
// force it does not change, but for what it counts.
type generation struct {
	conf     Config
	shared   pi.Config // of the sessions, but for what a listener says
	verifier *secret.Verifier
	number   uint64 // from 1
	since    time.Time
	doors    map[*bound]door // of the listeners that listen

	// Server.mu guards these.
	before uint64 // the last session of an earlier generation
	open   int    // sessions
	handed int    // connections that were handed on
}

// generation makes the one of a checked configuration. What the one before it has, and
// what is as it was, they share: no password is forgotten, and nobody's turn is lost.
func (s *Server) generation(conf Config, before *generation) *generation {
	g := &generation{conf: conf, number: 1, since: time.Now()}
	if before != nil {
		g.number = before.number + 1
	}
	g.verifier = conf.verifier(before)
	g.shared = s.sharedConfig(&conf, verifier{g.verifier})
	if before == nil {
		return g
	}
	was, is := &before.conf.Transfer, &conf.Transfer
	g.shared.Census, g.shared.Standings, g.shared.Helpers = before.shared.Census, before.shared.Standings, before.shared.Helpers
	if was.Buffer == is.Buffer {
		g.shared.Buffers = before.shared.Buffers
	}
	if was.HashParallel == is.HashParallel && was.HashTime == is.HashTime {
		g.shared.Turns = before.shared.Turns
	}
	return g
}

// verifier makes the verifier of passwords, or takes the one before where nothing about it
// has changed.
func (c *Config) verifier(before *generation) *secret.Verifier {
	if before != nil && c.Limits.Memory == before.conf.Limits.Memory && c.Logins.Parallel == before.conf.Logins.Parallel &&
		c.Logins.Remember == before.conf.Logins.Remember {
		return before.verifier
	}
	v := secret.NewVerifier(c.Logins.Parallel)
	v.Remember(c.Logins.Remember)
	if most := c.Limits.Memory; most > 0 {
		v.Within(most)
	}
	return v
}

// again is g without doors and before any session.
func (g *generation) again() *generation {
	return &generation{conf: g.conf, shared: g.shared, verifier: g.verifier, number: g.number, since: g.since}
}

// open gives a generation its doors: the listeners that listen already, by their socket or
// their address, and the others, which are bound. It returns them in the order of the
// configuration. After an error what it has bound is closed again, and no socket that the
// server was given.
func (s *Server) open(ctx context.Context, g *generation) (list []*bound, err error) {
	s.mu.Lock()
	there := slices.Clone(s.listeners)
	s.mu.Unlock()
	all := g.conf.Listeners
	doors := s.now.Load().match(all, there)
	defer func() {
		if err != nil {
			closeNew(doors, there)
		}
	}()
	g.doors = map[*bound]door{}
	for i, l := range all {
		if doors[i] == nil {
			if doors[i], err = l.bind(ctx); err != nil {
				return nil, fmt.Errorf("edge: listener %s: %w", l.Name, err)
			}
		}
		if doors[i] == nil {
			continue
		}
		list = append(list, doors[i])
		if err = doors[i].congest(l.Congestion); err != nil {
			return nil, fmt.Errorf("edge: listener %s: %w", l.Name, err)
		}
		conf, err := s.session(ctx, g, l)
		if err != nil {
			return nil, err
		}
		g.doors[doors[i]] = door{conf, l.HandOn}
	}
	return list, nil
}

// match says which of the listeners that are there stand for those of a configuration: the
// same socket, else the same address, and if there are several of that, the same name.
func (g *generation) match(all []Listener, there []*bound) []*bound {
	out := make([]*bound, len(all))
	take := func(fits func(l *Listener, b *bound) bool) {
		for i := range all {
			if out[i] != nil {
				continue
			}
			j := slices.IndexFunc(there, func(b *bound) bool { return !slices.Contains(out, b) && fits(&all[i], b) })
			if j >= 0 {
				out[i] = there[j]
			}
		}
	}
	take(func(l *Listener, b *bound) bool { return l.Socket != nil && alike(l.Socket, b.Listener) })
	stays := func(l *Listener, b *bound) bool { return l.Socket == nil && l.Address != "" && l.Address == b.address }
	take(func(l *Listener, b *bound) bool { return stays(l, b) && l.Name == g.doors[b].conf.Name })
	take(stays)
	return out
}

// bind makes a listener listen, or takes the socket that does; nil is one without an
// address.
func (l *Listener) bind(ctx context.Context) (*bound, error) {
	if l.Socket != nil {
		return &bound{Listener: l.Socket, address: l.Address, given: true}, nil
	}
	if l.Address == "" {
		return nil, nil
	}
	var lc net.ListenConfig
	if l.HandOn != nil {
		lc.SetMultipathTCP(false) // whoever has the connections may want the kernel to send files
	}
	nl, err := lc.Listen(ctx, "tcp", l.Address)
	if err != nil {
		return nil, err
	}
	return &bound{Listener: nl, address: l.Address}, nil
}

// closeNew closes those that were bound for a generation which is not to be.
func closeNew(list, there []*bound) {
	for _, b := range list {
		if b != nil && !b.given && !slices.Contains(there, b) {
			_ = b.Close()
		}
	}
}

// closedOf counts a session that has ended off its generation. When it was the last of an
// earlier one, that is over. The caller holds mu.
func (s *Server) closedOf(id uint64) {
	g := s.now.Load()
	for i := len(s.old) - 1; id <= g.before; i-- {
		g = s.old[i]
	}
	g.open--
	s.bury(g)
}

// bury gives a generation up that is neither in force nor any session's, nor any
// connection's that was handed on. The caller holds mu.
func (s *Server) bury(g *generation) {
	if g.open > 0 || g.handed > 0 || g == s.now.Load() {
		return
	}
	retired := g.conf.Retired
	s.old = slices.DeleteFunc(s.old, func(o *generation) bool { return o == g })
	s.dropListeners(g)
	if retired != nil {
		go s.guard(retired)
	}
}

// dropListeners forgets the rates of listeners that were a generation's and are nobody's
// any more. The caller holds mu.
func (s *Server) dropListeners(g *generation) {
	living := append(slices.Clone(s.old), s.now.Load())
	s.dropHosts(g, living)
	for _, l := range g.conf.Listeners {
		if !slices.ContainsFunc(living, func(o *generation) bool { return o.conf.has(l.Name) }) {
			s.tree.DropListener(l.Name)
		}
	}
}

// has reports whether there is a listener of that name.
func (c *Config) has(name string) bool {
	return slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.Name == name })
}

// alike reports whether two interfaces hold one value.
func alike(a, b any) bool {
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && (t == nil || t.Comparable() && a == b)
}
