package pi

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/listing"
	"github.com/edgeftp/edgeftp/edge/lang"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// resting is what is kept of a session at rest in place of its state: what cannot be made
// again, of a client that is logged in and has done nothing out of the ordinary. It takes
// 160 bytes, and the state 1,152.
type resting struct {
	*standing
	home     vfs.Path
	cwd      vfs.Path
	fs       vfs.FS
	release  func()
	pace     *pace
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

// standing is what the logins of a user have brought, kept once where it is the same.
type standing struct {
	user string
	id   policy.Identity
	held int // by how many sessions at rest; 0 is kept by one alone
}

// Standings are what sessions at rest have in common. Make it with NewStandings; it is
// safe for concurrent use.
type Standings struct {
	mu     sync.Mutex
	byUser map[string]*standing
}

// NewStandings returns one of nobody.
func NewStandings() *Standings { return &Standings{byUser: map[string]*standing{}} }

// keep returns what a user's login has brought, that of another session where it is equal.
func (t *Standings) keep(user string, id *policy.Identity) *standing {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.byUser[user]
	if k != nil && !same(&k.id, id) {
		return &standing{user: user, id: *id}
	}
	if k == nil {
		k = &standing{user: user, id: *id}
		t.byUser[user] = k
	}
	k.held++
	return k
}

// leave is to be called by each who has kept it, once.
func (t *Standings) leave(k *standing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.held == 0 {
		return
	}
	if k.held--; k.held == 0 {
		delete(t.byUser, k.user)
	}
}

// same reports whether two logins have brought the same.
func same(a, b *policy.Identity) bool {
	perms := a.Perms == b.Perms || a.Perms != nil && b.Perms != nil && *a.Perms == *b.Perms
	return perms && a.Verdict == b.Verdict && a.Final == b.Final && a.Code == b.Code && a.Text == b.Text &&
		a.PasswordHash == b.PasswordHash && slices.Equal(a.Rules, b.Rules) && a.Home == b.Home && a.Group == b.Group &&
		a.Label == b.Label && a.Anonymous == b.Anonymous && a.Limits == b.Limits && a.Lenient == b.Lenient &&
		a.MaxSessions == b.MaxSessions && a.Expires.Equal(b.Expires) && a.MsgLogin == b.MsgLogin && a.MsgQuit == b.MsgQuit &&
		string(a.State) == string(b.State)
}

// Rest keeps a session that Step has left as Idle in as little memory as it can, until the
// next Step or Panic: nothing else may be called between, but what may be called from any
// goroutine.
func (s *Session) Rest() {
	if s.state == nil || s.conf.Standings == nil {
		return
	}
	peer, local, ok := s.ends()
	if !ok || !s.ordinary() || s.who.Peer != peer || s.who.Local != local {
		return
	}
	s.rest = &resting{standing: s.conf.Standings.keep(s.who.User, &s.rank.id), home: s.rank.home, cwd: s.cwd, fs: s.fs,
		release: s.release, pace: s.rank.pace, lang: s.link.lang, client: s.who.Client, guests: s.who.State,
		began: s.clock.began, line: s.clock.line.Sub(s.clock.began), requests: s.requests, strikes: int32(s.strikes), perms: s.rank.perms,
		facts: s.with.facts, ascii: s.with.ascii, active: s.who.Active}
	s.state = nil
}

// rise undoes Rest.
func (s *Session) rise() {
	r := s.rest
	if r == nil {
		return
	}
	peer, local, _ := s.ends()
	s.state = newState(s.conf, s.id, s.raw, local, peer)
	s.link.greeted, s.link.told, s.link.lang = true, true, r.lang
	s.clock = clock{began: r.began, line: r.began.Add(r.line)}
	s.with = params{ascii: r.ascii, facts: r.facts}
	s.left = memory{allo: -1}
	s.view = view{fs: r.fs, release: r.release, cwd: r.cwd}
	s.rank = identity{in: true, id: r.id, home: r.home, perms: r.perms, counted: true, pace: r.pace}
	s.requests, s.strikes = r.requests, int(r.strikes)
	who := &s.who
	who.User, who.Anon, who.Group, who.State, who.Root = r.user, r.id.Anonymous, r.id.Group, r.guests, string(r.home)
	who.Client, who.ASCII, who.Active = r.client, r.ascii, r.active
	s.conf.Standings.leave(r.standing)
	s.rest = nil
}

// ends returns the addresses of the control connection, if it is a TCP connection.
func (s *Session) ends() (peer, local netip.AddrPort, ok bool) {
	tcp, ok := s.raw.(*net.TCPConn)
	if !ok {
		return peer, local, false
	}
	at, ok1 := tcp.RemoteAddr().(*net.TCPAddr)
	by, ok2 := tcp.LocalAddr().(*net.TCPAddr)
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
	connected := l.raw == s.raw && l.conn == net.Conn(l.plain) && l.plain.within == writeTime && !l.plain.greets && !l.plain.spoken &&
		len(l.out) == 0 && l.reader.Idle() && l.tls == nil && l.greeted && l.told && !l.quiet && !l.closed
	login := s.rank.in && s.rank.counted && s.rank.attempts == 0 && string(s.rank.home) == who.Root && who.Group == s.rank.id.Group && who.Anon == s.rank.id.Anonymous
	named := who.ID == s.id && who.Listener == s.conf.Name && who.Host == "" && who.TLS == (policy.TLS{}) && !who.DataTLS && who.ASCII == s.with.ascii
	return connected && login && named && s.with == params{ascii: s.with.ascii, facts: s.with.facts} && s.left == memory{allo: -1} &&
		s.port.Port == nil && s.last == nil && s.port.until.IsZero() && len(s.held) == 0 && s.job == nil && s.row == nil && !s.lease.Held() && s.strikes == int(int32(s.strikes))
}
