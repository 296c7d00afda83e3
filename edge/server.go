package edge

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/internal/idle"
	"github.com/edgeftp/edgeftp/edge/internal/throttle"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Server is an FTP server. It is made by New, and used once: Listen, Serve,
// Shutdown. Apply gives it another configuration at any time.
type Server struct {
	now   atomic.Pointer[generation] // what sessions begin with
	log   *slog.Logger
	tree  *throttle.Tree
	names names // to be told in 227 replies
	chain *chain.Chain
	gate  gate
	// defence is asked before the gate.
	defence   *defence
	ephemeral *dtp.Ephemeral // read before anybody shuts the process off from /proc
	drain     chan struct{}  // closed by Shutdown
	ending    sync.Once
	over      chan struct{} // closed when sessions are left behind
	leaves    sync.Once

	unannounced unannounced

	panics atomic.Uint64
	held   atomic.Bool  // see Hold
	awake  atomic.Int64 // sessions that have a goroutine
	left   leavings
	asked  pi.OperationTally // what the storage was
	live   live              // see Sessions

	applying sync.Mutex // one change of the configuration at a time

	mu        sync.Mutex
	listeners []*bound // in the order of the configuration
	listening bool     // Listen has bound them
	serving   *serving // nil before Serve
	paused    standstill
	sessions  map[uint64]*pi.Session
	lot       *idle.Lot // of the parked ones; nil: none are
	last      uint64
	tallies   []tally
	old       []*generation                 // those before that sessions have begun with, the oldest first
	running   sync.WaitGroup                // sessions, connections in the lobby, and those that were handed on
	lobby     map[net.Conn]struct{}         // those that wait for what their proxy says
	handed    map[*handed]struct{}          // those that were handed on and are open
	aborts    map[uint64]context.CancelFunc // see abortable
}

// bound is a listener that listens. What sessions that it brings begin with is in the
// generation.
type bound struct {
	net.Listener
	address string // as the configuration has it
	given   bool   // it was Listener.Socket
	usual   string // congestion control that it had before congest
}

// congest gives what is accepted from now on a congestion control; empty: the usual one.
func (b *bound) congest(name string) error {
	socket, ok := b.Listener.(syscall.Conn)
	switch {
	case name == "" && b.usual == "":
		return nil
	case !ok:
		return fmt.Errorf("%w: the listener is no TCP socket", dtp.ErrCongestion)
	case b.usual == "":
		b.usual = dtp.CongestionOf(socket)
	}
	return dtp.SetCongestion(socket, cmp.Or(name, b.usual))
}

// New makes a server. It takes the policies over: Shutdown closes those that can
// be closed, and so does New when it fails.
func New(conf Config) (*Server, error) {
	slots := chained(conf.Policies)
	conf, err := conf.check()
	if err != nil {
		closePolicies(slots)
		return nil, err
	}
	s := &Server{log: conf.Log, drain: make(chan struct{}), over: make(chan struct{}),
		gate:     gate{limits: conf.Limits},
		sessions: map[uint64]*pi.Session{}, aborts: map[uint64]context.CancelFunc{}, lobby: map[net.Conn]struct{}{}, handed: map[*handed]struct{}{}}
	s.gate.memory = s.memory(conf.Limits.Memory)
	s.chain, err = chain.New(chain.Config{Clean: clean, Log: conf.Log, Notify: s.changed, Panicked: s.Panicked}, slots...)
	if err != nil {
		closePolicies(slots)
		return nil, fmt.Errorf("edge: %w", err)
	}
	s.tree = conf.Bandwidth.tree()
	conf.limitHosts(s.tree)
	s.ephemeral = dtp.ReadEphemeral()
	s.defence = newDefence(conf.Defence, conf.Log, s.Tell, s.guard)
	s.now.Store(s.generation(conf, nil))
	return s, nil
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

// Listen binds every listener that has an address or a socket, or none: after an error
// nothing is left open, but sockets that the server was given.
func (s *Server) Listen(ctx context.Context) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	g := s.now.Load().again()
	list, err := s.open(ctx, g)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now.Load()
	g.before, g.open = now.before, now.open
	s.listeners, s.listening = list, true
	s.now.Store(g)
	return nil
}

// session is the configuration of one listener's sessions.
func (s *Server) session(ctx context.Context, g *generation, l Listener) (*pi.Config, error) {
	conf := g.shared
	conf.Name, conf.Banner, conf.Implicit, conf.Hosts = l.Name, l.Banner, l.Implicit, l.Hosts
	conf.TLS, conf.Ready, conf.Binding, conf.Passive, conf.Active = l.TLS, l.Ready, l.Binding, l.Passive, l.Active
	conf.Proxies, conf.Congestion = l.Proxies, l.Congestion
	conf.TLSControl, conf.TLSData = l.Require&TLSControl != 0, l.Require&TLSData != 0
	conf.Charset, _ = l.Encoding.charset() // check has made it
	counts := s.countersOf(&l)
	conf.Own, conf.Tally, conf.Unknown, conf.Storage = s.listensAt, &counts.data, &counts.unknown, &counts.storage
	if l.Commands != nil {
		conf.Table = l.Commands
	}
	if l.Zone != nil {
		conf.Zone = l.Zone
	}
	if conf.Passive.Ephemeral == nil {
		conf.Passive.Ephemeral = s.ephemeral
	}
	if conf.Passive.Advertise == nil && !l.Advertise.isZero() {
		told, err := s.names.resolve(ctx, l.Advertise)
		if err != nil {
			return nil, fmt.Errorf("edge: listener %s: %w", l.Name, err)
		}
		conf.Passive.Advertise = told
	}
	return g.conf.hosted(&conf, &l)
}

// sharedConfig is what the listeners have in common.
func (s *Server) sharedConfig(c *Config, verifier verifier) pi.Config {
	conf := pi.Config{Table: c.Commands, Chain: s.chain, FS: c.FS, Home: c.Home, NeedsTLS: c.NeedsTLS, Perms: c.Perms, Zone: c.Zone, Log: c.Log,
		Replies: c.Replies, Languages: c.Languages, Listing: c.Listing, Helpers: pi.NewHelpers(), Verifier: verifier, Memory: s.gate.memory, Census: &census{byUser: map[string]int{}},
		Buffers: dtp.NewBuffers(c.Transfer.Buffer), Copy: c.Transfer.Copy, NoDeflate: c.Transfer.NoDeflate,
		MaxRatio: c.Transfer.MaxRatio, Runner: c.Transfer.Run, Limiter: c.Transfer.Limiter,
		Throttle: s.tree, Drain: s.drain, Idle: c.Timeouts.Idle, LoginWithin: c.Timeouts.Login,
		Stall: c.Timeouts.Stall, Attempts: c.Logins.Attempts, FailDelay: c.Logins.FailDelay,
		Defence: s.defence, PerUser: max(0, c.Limits.SessionsPerUser), Binary: c.Transfer.Binary, Hashes: c.Transfer.Hashes,
		Turns: newTurns(c.Transfer.HashParallel, c.Transfer.HashTime),
		Least: throttle.Rates(c.Transfer.Least), LeastWindow: c.Transfer.LeastWindow}
	conf.Commands, conf.Operations = c.LogCommands, &s.asked
	conf.Farewell, conf.Moved = s.farewell, s.gate.move
	conf.Panicked, conf.Standings = s.panicked, &standings{byUser: map[string]*standing{}}
	if c.LogPrefix != "" {
		conf.LogPrefix, _ = pi.ParsePrefix(c.LogPrefix) // check has read it
	}
	return conf
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

// listensAt reports whether a target is one of the listeners, as far as can be told
// without asking the host for its addresses: by the address that a listener is bound
// to, or, where that is all of them, a loopback one or that of a control connection.
func (s *Server) listensAt(local netip.Addr, target netip.AddrPort) bool {
	for _, a := range s.Addresses() {
		at := dtp.AddrPort(a)
		to := at.Addr().Unmap()
		if at.Port() == target.Port() && (to == target.Addr() || to.IsUnspecified() && (target.Addr().IsLoopback() || target.Addr() == local)) {
			return true
		}
	}
	return false
}

// Tell tells the observers of something that has happened outside of any session,
// such as a certificate that was renewed. The event's session is empty (number 0);
// its time is filled in.
func (s *Server) Tell(e policy.Event) {
	e.Meta = policy.Meta{Session: &policy.Session{}, Time: time.Now()}
	l := s.chain.Lease(0)
	l.Observe(e)
	l.Release()
}

// Bandwidth returns the limits that are in force.
func (s *Server) Bandwidth() BandwidthStatus {
	in := s.tree.Snapshot()
	listeners, hosts := splitHosts(bandwidthLimits(in.Listeners))
	return BandwidthStatus{Server: Rates(in.Server), User: Rates(in.User), Session: Rates(in.Session),
		Listeners: listeners, Hosts: hosts, Users: bandwidthLimits(in.Users)}
}

// LimitServer changes the server's rates. Transfers that run follow at once, here
// and in the functions below.
func (s *Server) LimitServer(r Rates) { s.tree.Server().Set(throttle.Rates(r)) }

// LimitListener changes the rates of one listener.
func (s *Server) LimitListener(name string, r Rates) { s.tree.SetListener(name, throttle.Rates(r)) }

// LimitLogins changes what the logins of a user have brought, for the sessions that he
// has: new ones bring their own. What LimitUser has set stays in force.
func (s *Server) LimitLogins(name string, r Rates) { s.tree.Bring(s.person(name), throttle.Rates(r)) }

// LimitUser sets the rates of one user, "user@host" of one of a virtual host's, over what logins bring, until FreeUser. Zero
// rates lift the limit.
func (s *Server) LimitUser(name string, r Rates) { s.tree.SetUser(s.person(name), throttle.Rates(r)) }

// FreeUser takes LimitUser back: what the latest login brought holds again.
func (s *Server) FreeUser(name string) { s.tree.ClearUser(s.person(name)) }

// LimitDefaults changes the rates of users and sessions that bring none of their own.
func (s *Server) LimitDefaults(user, session Rates) {
	s.tree.SetDefaults(throttle.Rates(user), throttle.Rates(session))
}
