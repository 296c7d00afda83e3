package edge

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
)

// ErrFixed says that something of a Config cannot change while a server runs.
var ErrFixed = errors.New("edge: that cannot change while the server runs")

// errDraining says that a server takes no other configuration any more.
var errDraining = errors.New("edge: the server is shutting down, and takes no other configuration")

// Apply puts another configuration in force, all of it at one moment, or nothing: after an
// error every port, every policy and every session is as it was. It may be called at any
// time between New and Shutdown, also while Serve runs.
//
// Sessions that run go on with what they began with: FS and Home, their listener's TLS,
// banner and ports, timeouts, commands. When the last of them has gone, the Retired of
// their Config is called. This holds for them too: Policies, as after ReplacePolicies;
// Limits for who comes next, whoever is in; the rates of Bandwidth, also of transfers that
// run, but for Transfer, which holds for those that begin from then on; Defence. Of the
// rates those alone are set that differ from the last Config's: what LimitServer and its
// like have changed stays otherwise.
//
// A listener that has the address of one before it, or its Socket, keeps that, and every
// connection that waits in it, also where the one begins sessions and the other hands on
// (HandOn). An address ending in :0 keeps its port. Listeners that are
// no more are closed, and their sessions go on. New ones are bound before anything else is
// changed; where a Listener has a Socket, that is the server's once Apply has returned
// without an error.
//
// What is new in Policies is the server's then, and the caller's after an error. A policy
// that is the same value as before stays, with its counters. While a candidate is on trial
// (Canary), a Config with other policies is an error.
//
// Log and Defence.Memory cannot change, nor can a policy's Options.Spool be taken away or
// given to it under the same name: the error is ErrFixed.
func (s *Server) Apply(ctx context.Context, conf Config) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.draining() {
		return errDraining
	}
	if s.pausing() {
		return errPaused
	}
	before := s.now.Load()
	if conf.Log == nil {
		conf.Log = s.log
	}
	slots := chained(conf.Policies)
	conf, err := conf.check()
	if err == nil {
		err = s.fixed(before, &conf)
	}
	if err != nil {
		return err
	}
	g := s.generation(conf, before)
	var list []*bound
	if s.listening {
		if list, err = s.open(ctx, g); err != nil {
			return err
		}
	}
	if err := s.chain.Replace(slots...); err != nil {
		s.mu.Lock()
		there := slices.Clone(s.listeners)
		s.mu.Unlock()
		closeNew(list, there)
		return fmt.Errorf("edge: %w", err)
	}
	s.install(before, g, list)
	return nil
}

// fixed refuses what cannot change.
func (s *Server) fixed(before *generation, conf *Config) error {
	if conf.Log != s.log {
		return fmt.Errorf("%w: Config.Log; give it another handler", ErrFixed)
	}
	if !alike(conf.Defence.Memory, before.conf.Defence.Memory) {
		return fmt.Errorf("%w: Config.Defence.Memory", ErrFixed)
	}
	for _, slot := range conf.Policies {
		if spooled, there := s.chain.Spooled(slot.Name); there && spooled != (slot.Options.Spool != "") {
			return fmt.Errorf("%w: whether the events of policy %q are kept (Options.Spool)", ErrFixed, slot.Name)
		}
	}
	return nil
}

// install puts a generation in force whose listeners are bound and whose policies are in
// the chain. Nothing can fail any more.
func (s *Server) install(before, g *generation, list []*bound) {
	s.gate.limit(g.conf.Limits)
	s.setRates(&before.conf, &g.conf)
	s.defence.configure(&g.conf.Defence)
	s.mu.Lock()
	g.before = s.last
	gone := slices.DeleteFunc(slices.Clone(s.listeners), func(b *bound) bool { return slices.Contains(list, b) })
	fresh := slices.DeleteFunc(slices.Clone(list), func(b *bound) bool { return slices.Contains(s.listeners, b) })
	s.listeners = list
	s.old = append(s.old, before)
	s.now.Store(g)
	s.bury(before)
	if s.draining() { // which has closed the others
		gone = append(gone, fresh...)
	} else if s.serving != nil {
		s.serve(fresh)
	}
	v := s.serving
	s.mu.Unlock()
	for _, b := range gone {
		_ = b.Close()
	}
	if v != nil {
		s.parking(v.ctx)
	}
	s.names.keep(g.conf.Listeners)
}

// setRates changes the rates in which two configurations differ.
func (s *Server) setRates(before, conf *Config) {
	was, is := &before.Bandwidth, &conf.Bandwidth
	if was.Server != is.Server {
		s.LimitServer(is.Server)
	}
	if was.User != is.User || was.Session != is.Session {
		now := s.tree.Snapshot()
		user, session := Rates(now.User), Rates(now.Session)
		if was.User != is.User {
			user = is.User
		}
		if was.Session != is.Session {
			session = is.Session
		}
		s.LimitDefaults(user, session)
	}
	s.setHosts(before, conf)
	s.tree.SetTransfer(throttle.Rates(is.Transfer))
	for _, l := range conf.Listeners {
		if r := is.Listeners[l.Name]; r != was.Listeners[l.Name] || !before.has(l.Name) {
			s.LimitListener(l.Name, r)
		}
	}
}
