package edge

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/internal/secret"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Server is an FTP server. It is made by New, and used once: Listen, Serve,
// Shutdown.
type Server struct {
	conf   Config
	chain  *chain.Chain
	gate   gate
	drain  chan struct{} // closed by Shutdown
	ending sync.Once

	mu        sync.Mutex
	listeners []bound
	sessions  map[uint64]*pi.Session
	last      uint64
	running   sync.WaitGroup     // sessions
	abort     context.CancelFunc // ends Serve's sessions at once
}

// bound is a listener that listens.
type bound struct {
	net.Listener
	conf *pi.Config
}

// New makes a server. It takes the policies over: Shutdown closes those that can
// be closed, and so does New when it fails.
func New(conf Config) (*Server, error) {
	slots := make([]chain.Slot, len(conf.Policies))
	for i, p := range conf.Policies {
		slots[i] = chain.Slot(p)
	}
	conf, err := conf.check()
	if err != nil {
		closePolicies(slots)
		return nil, err
	}
	c, err := chain.New(chain.Config{Clean: clean, Log: conf.Log}, slots...)
	if err != nil {
		closePolicies(slots)
		return nil, fmt.Errorf("edge: %w", err)
	}
	return &Server{conf: conf, chain: c, drain: make(chan struct{}),
		gate:     gate{limits: conf.Limits, byIP: map[netip.Prefix]int{}},
		sessions: map[uint64]*pi.Session{}}, nil
}

func closePolicies(slots []chain.Slot) {
	for _, s := range slots {
		if c, ok := s.Policy.(io.Closer); ok {
			_ = c.Close()
		}
	}
}

func clean(path string) (string, error) {
	p, err := vfs.Clean(vfs.Root, path)
	return string(p), err
}

// Listen binds every listener, or none: after an error nothing is left open.
func (s *Server) Listen(ctx context.Context) error {
	var lc net.ListenConfig
	shared := s.shared()
	for _, l := range s.conf.Listeners {
		nl, err := lc.Listen(ctx, "tcp", l.Address)
		if err != nil {
			s.closeListeners()
			return fmt.Errorf("edge: listener %s: %w", l.Name, err)
		}
		conf := shared
		conf.Name, conf.Banner, conf.Implicit = l.Name, l.Banner, l.Implicit
		conf.TLS, conf.Binding, conf.Passive, conf.Active = l.TLS, l.Binding, l.Passive, l.Active
		conf.TLSControl, conf.TLSData = l.Require != TLSOptional, l.Require == TLSRequired
		s.mu.Lock()
		s.listeners = append(s.listeners, bound{nl, &conf})
		s.mu.Unlock()
	}
	return nil
}

// shared is what the listeners have in common.
func (s *Server) shared() pi.Config {
	c := s.conf
	return pi.Config{Table: c.Commands, Chain: s.chain, FS: c.FS, Perms: c.Perms, Zone: c.Zone, Log: c.Log,
		Verifier: secret.NewVerifier(c.Logins.Parallel), Census: &census{byUser: map[string]int{}},
		Buffers: new(dtp.Buffers), Drain: s.drain, Idle: c.Timeouts.Idle, LoginWithin: c.Timeouts.Login,
		Stall: c.Timeouts.Stall, Attempts: c.Logins.Attempts, FailDelay: c.Logins.FailDelay}
}

// Addresses returns what the listeners are bound to, in the order of the
// configuration; empty before Listen.
func (s *Server) Addresses() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		out[i] = l.Addr()
	}
	return out
}

// Serve accepts control connections until Shutdown was called, and returns nil
// when the last session has ended. When ctx ends, everything is ended at once.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { s.beginDrain() })
	defer stop()
	s.mu.Lock()
	listeners := s.listeners
	s.abort = cancel
	s.mu.Unlock()
	var accepting sync.WaitGroup
	for _, l := range listeners {
		accepting.Go(func() { s.accept(ctx, l) })
	}
	accepting.Wait()
	s.running.Wait()
	s.chain.Close()
	return nil
}

// Shutdown lets no new session begin and ends idle ones with 421; running
// transfers go on until ctx ends and are then aborted with 426. It returns when
// every session has ended: ctx's error if some had to be aborted, else nil.
// Serve returns thereafter. A server that never served closes its policies here.
func (s *Server) Shutdown(ctx context.Context) error {
	s.beginDrain()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		s.mu.Lock()
		abort := s.abort
		s.mu.Unlock()
		if abort != nil {
			abort()
		}
		<-done
	}
	s.chain.Close()
	return err
}

func (s *Server) beginDrain() {
	s.ending.Do(func() {
		close(s.drain)
		s.closeListeners()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, sess := range s.sessions {
			sess.Interrupt()
		}
	})
}

func (s *Server) draining() bool {
	select {
	case <-s.drain:
		return true
	default:
		return false
	}
}

func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		_ = l.Close()
	}
}

// Swap puts p in the place of the policy called name, and returns the slot's new
// generation number. Running transfers keep the policies they began with, for at
// most 30 seconds. After an error nothing has changed and p is the caller's.
func (s *Server) Swap(name string, p policy.Policy) (uint64, error) { return s.chain.Swap(name, p) }
