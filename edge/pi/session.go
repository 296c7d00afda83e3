package pi

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/internal/listing"
	"github.com/edgeftp/edgeftp/edge/lang"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Session is one control connection. It has one owner at a time: the goroutine
// that is in Step.
type Session struct {
	base *Config // of the listener
	id   uint64
	raw  net.Conn // as it was accepted, for those who are not the owner
	// For others than the owner; see Seen.
	word atomic.Uint64
	seen atomic.Pointer[published]
	rest atomic.Pointer[resting] // in place of state, and until it rests again; see Rest

	*state // the owner's; nil at rest
}

// state is all of a session but what others than its owner may look at.
type state struct {
	conf *Config        // base, or that of the virtual host to which the session belongs
	link link           // the control connection
	who  policy.Session // what is known of it, for policies and events; see shown
	// copied is what these were shown last, nil before.
	copied *policy.Session
	rank   identity       // what the login gave
	with   params         // transfer parameters
	left   memory         // what a command left for a later one
	view                  // the files
	port   dataPort       // the prepared data connection, if any
	last   *dtp.Spare     // the socket of the last one; nil when the session is left
	held   []wire.Command // lines that wait for the running job
	job    *running       // nil between commands
	watch  *watch         // over it; nil until there was one, and while the session is at rest

	row      *Spec       // of the command that is carried out, nil between two
	lease    chain.Lease // that command's
	requests uint64      // questions and events so far
	asking   *asking     // nil until a policy is asked
	errand   *Errand     // that is performed; nil of a session whose commands come from its connection
	clock    clock
	strikes  int // commands that could not be understood: see strike
}

// link is the control connection.
type link struct {
	raw     net.Conn // as it was accepted
	plain   *prompt  // raw, for writing
	conn    net.Conn // plain, or TLS over it
	reader  wire.Reader
	out     []byte       // replies not yet written, and room for those to come while somebody is in Step
	tls     *dtp.Control // its handshake, for those of data connections; nil in the clear
	greeted bool
	told    bool            // observers were told of the connection
	quiet   bool            // it was not for FTP, or could not be yet: observers are told no more
	closed  bool            // no further command is carried out
	lang    *lang.Catalogue // of replies (RFC 2640 §4)
}

// prompt is a connection of which every write has to be done within some time,
// also one that TLS makes by itself inside a read (the answer to a KeyUpdate), for
// which an old deadline would be fatal. Between two writes there is no deadline,
// so that a session at rest holds no timer.
type prompt struct {
	net.Conn
	within time.Duration
	step   context.Context // of the Step that goes on: its end leaves a write hardly any time
	direct *direct         // see attempt; nil while the session is at rest
	greets bool            // a TLS handshake is under way
	spoken bool            // the server has sent its part of it
}

// Read is the connection's. A client that sends the last records of its handshake
// one by one, the later ones when the earlier are acknowledged, is not kept
// waiting for that (dtp.Acknowledge).
func (p *prompt) Read(b []byte) (int, error) {
	if p.greets && p.spoken {
		dtp.Acknowledge(p.Conn)
	}
	return p.Conn.Read(b)
}

func (p *prompt) Write(b []byte) (int, error) {
	if p.greets {
		p.spoken = true
	}
	done := p.attempt(b)
	if done == len(b) {
		return done, nil
	}
	n, err := p.wait(b[done:])
	return done + n, err
}

// wait writes what has to wait for the client. When the server must end, a client that
// does not read must not keep it.
func (p *prompt) wait(b []byte) (int, error) {
	_ = p.SetWriteDeadline(time.Now().Add(p.within))
	if p.step != nil {
		defer context.AfterFunc(p.step, p.hurry)()
	}
	n, err := p.Conn.Write(b)
	_ = p.SetWriteDeadline(time.Time{})
	return n, err
}

// hurry leaves a write that is under way hardly any time.
func (p *prompt) hurry() {
	const haste = 100 * time.Millisecond
	_ = p.SetWriteDeadline(time.Now().Add(haste))
}

// view is what the session sees of the files.
type view struct {
	fs      vfs.FS
	release func() // gives fs back, nil for the server's own
	cwd     vfs.Path
}

// identity is what the login gave.
type identity struct {
	in       bool
	id       policy.Identity
	home     vfs.Path
	perms    policy.Perms
	attempts int  // failed logins on this connection
	counted  bool // the census counts the session under its user
	pace     *pace
}

// params are the transfer parameters (RFC 959 §4.1.2) and what else commands
// set for those to come.
type params struct {
	ascii   bool
	protect bool // PROT P
	epsvAll bool // EPSV ALL was given (RFC 2428 §4)
	deflate bool // MODE Z
	level   int  // OPTS MODE Z LEVEL; 0 is the default
	facts   listing.Facts
	digest  Digest // OPTS HASH; empty is the listener's first
}

// memory is what a command left for a later one.
type memory struct {
	user   string   // USER
	rename vfs.Path // RNFR
	copy   vfs.Path // SITE CPFR
	rest   int64    // REST
	rang   span     // RANG
	allo   int64    // ALLO; -1 unknown
}

// clock holds the moments from which limits run.
type clock struct {
	began time.Time // of the connection, or of the last logout
	line  time.Time // of the last complete line
	awake time.Time // of Step
	armed time.Time // the connection's read deadline, of a read by the owner; zero is none that counts
	here  bool      // the line at hand had come with one before it, and needs no moment of its own
	late  bool      // line is that of one before the last
	done  time.Time // of the last command, as observers were told
}

// NewSession makes the session of an accepted control connection. The local
// and peer addresses are those that policies see and data ports are bound to.
func NewSession(conf *Config, id uint64, conn net.Conn, local, peer netip.AddrPort) *Session {
	s := &Session{base: conf, id: id, raw: conn, state: newState(conf, id, conn, local, peer)}
	now := time.Now()
	s.clock = clock{began: now, line: now}
	s.reset()
	s.seen.Store(&published{began: now.UnixNano()})
	return s
}

// newState is the beginning of a state.
func newState(conf *Config, id uint64, conn net.Conn, local, peer netip.AddrPort) *state {
	plain := &prompt{Conn: conn, within: writeTime}
	return &state{
		conf: conf,
		link: link{raw: conn, plain: plain, conn: plain, lang: conf.Languages.Default()},
		who: policy.Session{ID: id, Peer: unmap(peer), Local: unmap(local),
			Listener: conf.Name, VHost: conf.VHost, Root: string(vfs.Root), Memo: new(policy.Memo)},
	}
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// ID returns the session's number.
func (s *Session) ID() uint64 { return s.id }

// Listener returns the name of the listener that it has come by.
func (s *Session) Listener() string { return s.base.Name }

// Interrupt wakes an owner that waits for a command, so that it sees that the
// server is draining. It may be called from any goroutine.
func (s *Session) Interrupt() { _ = s.raw.SetReadDeadline(time.Unix(1, 0)) }

// Socket returns the control connection where it is nothing but a TCP connection, also one
// that a proxy has brought, so that the system can tell of its bytes while nobody is in
// Step; else nil.
func (s *Session) Socket() syscall.Conn {
	switch c := s.raw.(type) {
	case *net.TCPConn:
		return c
	case *dtp.Behind: // whose bytes from before were read when Step has found nothing to read
		return c.TCPConn
	}
	return nil
}

// proxies returns what the session's data connections come through; nil: nothing.
func (s *Session) proxies() *dtp.Proxies {
	p := s.conf.Proxies
	if b, ok := s.raw.(*dtp.Behind); ok && b.Announced() && p != nil && p.Data {
		return p
	}
	return nil
}

// here is the address that the session's data ports are bound to: its own, or of what a
// proxy has brought that which the proxy has come to, or any one where the client comes
// past the proxy.
func (s *Session) here() netip.Addr {
	b, ok := s.raw.(*dtp.Behind)
	switch {
	case !ok || !b.Announced():
		return s.who.Local.Addr()
	case s.proxies() != nil:
		return b.Here()
	case s.who.Peer.Addr().Is4():
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// Transferring reports whether a transfer runs. It may be called from any
// goroutine.
func (s *Session) Transferring() bool { return s.word.Load()&wordMoving != 0 }

// Inside reports whether somebody is logged in. It may be called from any goroutine.
func (s *Session) Inside() bool { return s.word.Load()&wordInside != 0 }

// Kill closes the control connection from any goroutine.
func (s *Session) Kill() { _ = s.raw.Close() }

// reset brings the transfer parameters and the login back to their beginning.
func (s *Session) reset() {
	s.with = params{ascii: !s.conf.Binary, facts: listing.UsualFacts(), protect: s.conf.Implicit && s.conf.TLS != nil || s.filezilla() || s.sealedBelow()}
	s.left = memory{allo: -1}
	s.view, s.asking = view{fs: s.conf.FS, cwd: vfs.Root}, nil
	s.rest.Store(nil)
	s.rank = identity{attempts: s.rank.attempts}
	s.who.User, s.who.Anon, s.who.Group, s.who.State, s.who.Root = "", false, "", nil, string(vfs.Root)
	s.who.ASCII, s.who.DataTLS, s.who.Active = s.with.ascii, s.with.protect, false
	s.clock.began = time.Now()
}

// meta begins a question or an event.
func (s *Session) meta() policy.Meta {
	s.requests++
	return policy.Meta{Session: s.shown(), Request: s.requests, Time: time.Now()}
}

// event queues an event for the observers.
func (s *Session) event(e policy.Event) {
	if s.observed(e.Kind) {
		s.tell(e)
		return
	}
	s.requests++ // it has its number all the same
}

// tell queues an event for observers of whom observed has said that they are there.
func (s *Session) tell(e policy.Event) {
	e.Meta = s.meta()
	s.observe(e)
}

// observed reports whether anybody observes a kind of event, so that one need not be
// made for nobody.
func (s *Session) observed(kind policy.EventKind) bool {
	if s.lease.Held() {
		return s.lease.Observed(kind)
	}
	return s.conf.Chain.Observed(s.who.ID, s.conf.VHost, kind)
}

// follow queues an event that belongs to a question, whose number it bears.
func (s *Session) follow(number uint64, e policy.Event) {
	if s.observed(e.Kind) {
		e.Meta = policy.Meta{Session: s.shown(), Request: number, Time: time.Now()}
		s.observe(e)
	}
}

func (s *Session) observe(e policy.Event) {
	if s.lease.Held() {
		s.lease.Observe(e)
		return
	}
	l := s.conf.Chain.LeaseOf(s.who.ID, s.conf.VHost)
	l.Observe(e)
	l.Release()
}

// protection returns what data connections are protected with, nil for none.
func (s *Session) protection() *dtp.Protection {
	if !s.with.protect || s.carrier() != nil {
		return nil
	}
	p := &dtp.Protection{Base: s.conf.TLS, Binding: s.conf.Binding, FileZilla: s.filezilla(),
		LenientClose: s.rank.id.Lenient.CloseNotify}
	if s.link.tls != nil {
		p.Control = *s.link.tls
	}
	if s.rank.id.Lenient.Resumption {
		p.Binding = dtp.BindPrefer
	}
	return p
}

// filezilla reports whether the control connection is of FileZilla's kind, whose
// data connections are protected without PROT (dtp.ProtocolFileZilla).
func (s *Session) filezilla() bool { return s.who.TLS.ALPN == dtp.ProtocolFileZilla }

// facts fills in what is known of the control connection's protection.
func tlsFacts(cs tls.ConnectionState) policy.TLS {
	const longest = 255 // RFC 1035 §2.3.4: what is longer names no host
	t := policy.TLS{Version: "1.2", Cipher: tls.CipherSuiteName(cs.CipherSuite),
		ServerName: cs.ServerName, ALPN: cs.NegotiatedProtocol, Resumed: cs.DidResume}
	if cs.Version == tls.VersionTLS13 {
		t.Version = "1.3"
	}
	if len(t.ServerName) > longest {
		t.ServerName = ""
	}
	if len(cs.VerifiedChains) > 0 {
		leaf := cs.PeerCertificates[0]
		sum := sha256.Sum256(leaf.Raw)
		t.ClientSubject, t.ClientSHA256 = leaf.Subject.String(), hex.EncodeToString(sum[:])
	}
	return t
}
