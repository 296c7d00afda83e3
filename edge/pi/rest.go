package pi

import (
	"net"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/internal/listing"
	"github.com/edgeftp/edgeftp/edge/lang"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// resting is what is kept of a session at rest in place of its state: what cannot be made
// again, of a client that is logged in and has done nothing out of the ordinary. It takes
// 160 bytes, and the state 1,152.
type resting struct {
	*Standing
	home     vfs.Path
	cwd      vfs.Path
	fs       vfs.FS
	release  func()
	pace     *pace
	sealed   *sealed // nil in the clear
	lang     *lang.Catalogue
	client   string
	guests   map[string][]byte // who.State
	began    time.Time
	line     time.Duration // after began
	requests uint64
	strikes  int32
	perms    policy.Perms
	facts    listing.Facts
	ascii    bool
	active   bool
}

// sealed is what there is besides under TLS. Package tls itself keeps 7 KiB of a connection:
// two buffers of the handshake (3.4), the keys (1.7), its Conn and our Config (1.4).
type sealed struct {
	plain   *prompt
	conn    net.Conn
	control *dtp.Control
	facts   policy.TLS
	protect bool
}

// Standing is what a user's login has brought. It is not changed once it is kept.
type Standing struct {
	User     string          // who has logged in
	Identity policy.Identity // as the policies gave it
}

// Standings keep what logins have brought for sessions at rest, once where it is the same.
type Standings interface {
	// Keep returns what a user's login has brought, that of another session where it is
	// equal.
	Keep(user string, id *policy.Identity) *Standing
	// Leave is called by each who has kept it, once.
	Leave(s *Standing)
}

// Rest keeps a session that Step has left as Idle in as little memory as it can, until the
// next Step or Panic: nothing else may be called between, but what may be called from any
// goroutine.
func (s *Session) Rest() {
	if s.state == nil {
		return
	}
	s.note(wordParked, wordParked)
	if s.conf.Standings == nil {
		return
	}
	peer, local, ok := s.ends()
	if !ok || !s.ordinary() || s.who.Peer != peer || s.who.Local != local {
		return
	}
	r := &resting{Standing: s.conf.Standings.Keep(s.who.User, &s.rank.id), home: s.rank.home, cwd: s.cwd, fs: s.fs,
		release: s.release, pace: s.rank.pace, lang: s.link.lang, client: s.who.Client, guests: s.who.State,
		began: s.clock.began, line: s.clock.line.Sub(s.clock.began), requests: s.requests, strikes: int32(s.strikes), perms: s.rank.perms,
		facts: s.with.facts, ascii: s.with.ascii, active: s.who.Active}
	if s.link.tls != nil {
		r.sealed = &sealed{plain: s.link.plain, conn: s.link.conn, control: s.link.tls, facts: s.who.TLS, protect: s.with.protect}
	}
	s.rest.Store(r)
	s.seen.Store(nil)
	s.state = nil
}

// rise undoes Rest.
func (s *Session) rise() {
	s.note(wordParked, 0)
	if s.state != nil {
		return
	}
	r := s.rest.Load()
	peer, local, _ := s.ends()
	s.state = newState(s.base, s.id, s.raw, local, peer)
	s.link.greeted, s.link.told, s.link.lang = true, true, r.lang
	s.clock = clock{began: r.began, line: r.began.Add(r.line)}
	s.with = params{ascii: r.ascii, facts: r.facts}
	s.left = memory{allo: -1}
	s.view = view{fs: r.fs, release: r.release, cwd: r.cwd}
	s.rank = identity{in: true, id: r.Identity, home: r.home, perms: r.perms, counted: true, pace: r.pace}
	s.requests, s.strikes = r.requests, int(r.strikes)
	who := &s.who
	who.User, who.Anon, who.Group, who.State, who.Root = r.User, r.Identity.Anonymous, r.Identity.Group, r.guests, string(r.home)
	who.Client, who.ASCII, who.Active = r.client, r.ascii, r.active
	if t := r.sealed; t != nil {
		s.link.plain, s.link.conn, s.link.tls = t.plain, t.conn, t.control
		who.TLS, who.DataTLS, s.with.protect = t.facts, t.protect, t.protect
	}
	s.conf = s.unnamed() // see ordinary
	who.VHost = s.conf.VHost
	s.conf.Standings.Leave(r.Standing)
}

// ends returns the addresses of the control connection, if it is a TCP connection.
func (s *Session) ends() (peer, local netip.AddrPort, ok bool) {
	if dtp.TCP(s.raw) == nil {
		return peer, local, false
	}
	at, ok1 := s.raw.RemoteAddr().(*net.TCPAddr)
	by, ok2 := s.raw.LocalAddr().(*net.TCPAddr)
	if !ok1 || !ok2 {
		return peer, local, false
	}
	return unmap(at.AddrPort()), unmap(by.AddrPort()), true
}

// ordinary reports whether what resting has room for is all that there is. What policies
// have written out of the session (Memo), and what is made for their questions (asking),
// is made again.
func (s *Session) ordinary() bool {
	l, who := &s.link, &s.who
	clear := l.conn == net.Conn(l.plain) && who.TLS == (policy.TLS{}) && !s.with.protect && !l.plain.spoken
	connected := l.raw == s.raw && (l.tls != nil || clear) && l.plain.within == writeTime && !l.plain.greets && l.plain.step == nil && l.plain.direct == nil &&
		len(l.out) == 0 && l.reader.Idle() && l.greeted && l.told && !l.quiet && !l.closed
	login := s.rank.in && s.rank.counted && s.rank.attempts == 0 && string(s.rank.home) == who.Root && who.Group == s.rank.id.Group && who.Anon == s.rank.id.Anonymous
	named := who.ID == s.id && who.Listener == s.conf.Name && who.Host == "" && who.VHost == s.conf.VHost && s.conf == s.unnamed() && who.Protocol == "" && who.DataTLS == s.with.protect && who.ASCII == s.with.ascii
	return connected && login && named && s.with == params{ascii: s.with.ascii, facts: s.with.facts, protect: s.with.protect} && s.left == memory{allo: -1} &&
		s.port.Port == nil && s.last == nil && s.port.until.IsZero() && !s.port.to.IsValid() && len(s.held) == 0 && s.job == nil && s.errand == nil && s.row == nil && s.lease == (chain.Lease{}) && s.strikes == int(int32(s.strikes))
}
