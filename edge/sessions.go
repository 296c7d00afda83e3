package edge

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/edgeftp/edgeftp/edge/internal/throttle"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// kickGrace is how long a session may take that was told to end, and to tell its client.
const kickGrace = 700 * time.Millisecond

// live is what the server keeps for those who look at its sessions and end them.
type live struct {
	reasons map[uint64]string // for which sessions were ended; under Server.mu

	mu      sync.Mutex
	samples map[string]reading // by transfer, as of when somebody looked last
}

// What Kick, Abort and their kin are asked about may have ended.
var (
	ErrNoSession  = errors.New("edge: there is no such session")
	ErrNoTransfer = errors.New("edge: there is no such transfer")
	// ErrUnlimited says that what runs moves no bytes to or from a client.
	ErrUnlimited = errors.New("edge: what runs there can have no limit")
)

// SessionStatus describes one session.
type SessionStatus struct {
	ID          uint64          // as sess=12 in logs
	User        string          // who is logged in, or is about to be; empty: nobody
	LoggedIn    bool            // User is
	Anonymous   bool            // as nobody in particular
	Listener    string          // its name
	Peer, Local netip.AddrPort  // the ends of the control connection, as policies see them
	Since       time.Time       // when it connected, or logged out last
	Quiet       time.Duration   // since its last command, to the second
	Protocol    string          // what carries it if it is not FTP over TCP: "ftpq/1", "http/1.1", "h2", "h3"; else empty
	TLS         string          // the version on the control connection, such as "1.3"; empty in the clear
	Cipher      string          // its cipher suite
	Resumed     bool            // its TLS session was that of an earlier connection
	VHost       string          // the virtual host that it belongs to; empty: none
	Host        string          // that the client named, by HOST or in the handshake
	Client      string          // the client program, by its own words
	Dir         string          // the working directory, as it was known last; empty if it is not
	Parked      bool            // it is at rest
	Command     string          // that takes longer than a moment; empty: none
	Limit       Rates           // of the session, by LimitSession
	Limited     bool            // Limit holds
	Transfer    *TransferStatus // that runs for longer than a moment; nil: none
}

// TransferStatus describes a transfer, or a digest, that runs for longer than a moment.
type TransferStatus struct {
	ID      string        // SESSION-REQUEST, as "(ref 12-9)" of replies
	Session uint64        // its number
	Command string        // its verb, such as "STOR"
	Path    string        // in the session's tree
	Up      bool          // from the client
	Data    bool          // it has a data connection, or waits for one; a digest has none
	Bytes   int64         // that have moved, on the wire less what TLS adds
	Size    int64         // how many there are, -1 if that is not known
	Since   time.Time     // when it began
	Took    time.Duration // since bytes could move
	// Rate is in bytes per second, since Sessions or Transfers was called last but for
	// half a second at least; when nobody has asked yet, it is Average.
	Rate    int64
	Average int64  // bytes per second since it began
	Limit   int64  // the narrowest limit that it is under, in bytes per second; 0 is none
	TLS     string // version on the data connection; empty in the clear, or before its handshake
	Resumed bool   // that is the control connection's session
}

// Sessions describes all sessions, by number. It may be called at any time, also often: of
// ten thousand sessions it takes a few milliseconds, and nobody waits for it.
func (s *Server) Sessions() []SessionStatus {
	all := s.everyone()
	limits := s.tree.SetSessions()
	now := time.Now()
	out := make([]SessionStatus, 0, len(all))
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	sampled := make(map[string]reading, len(s.live.samples))
	for _, sess := range all {
		st := status(sess, now)
		if r, ok := limits[st.ID]; ok {
			st.Limit, st.Limited = Rates(r), true
		}
		if t := st.Transfer; t != nil {
			sampled[t.ID] = s.live.sample(t, now)
		}
		out = append(out, st)
	}
	s.live.samples = sampled
	return out
}

// Session describes one session.
func (s *Server) Session(id uint64) (SessionStatus, error) {
	all := s.Sessions()
	i, ok := slices.BinarySearchFunc(all, id, func(st SessionStatus, id uint64) int { return cmp.Compare(st.ID, id) })
	if !ok {
		return SessionStatus{}, ErrNoSession
	}
	return all[i], nil
}

// Kick ends a session: a transfer that runs with 426 and then the session with 421, with
// the reason, if there is one, in its words. A client that does not listen, and a
// session in the middle of a TLS handshake, lose the connection within a second. Other
// sessions are not touched. The reason is for the client and the log: control characters
// become spaces.
func (s *Server) Kick(id uint64, reason string) error {
	sess := s.sessionOf(id)
	if sess == nil {
		return ErrNoSession
	}
	s.kick(sess, reason)
	return nil
}

// KickUser ends the sessions of a user, "user@host" of one of a virtual host's, and those that are about to become his: who is
// logging in at this moment, with what held before, is looked after for some seconds. It
// returns how many sessions were ended at once.
func (s *Server) KickUser(name, reason string) int {
	person := s.person(name)
	is := func(v pi.Seen) bool { return v.User != "" && v.Person() == person }
	kicked := 0
	var strangers []*pi.Session
	for _, sess := range s.everyone() {
		switch v := sess.Seen(); {
		case is(v):
			s.kick(sess, reason)
			kicked++
		case !v.In:
			strangers = append(strangers, sess)
		}
	}
	for _, later := range []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second} {
		if len(strangers) > 0 {
			time.AfterFunc(later, func() { s.guard(func() { s.kickThose(strangers, reason, is) }) })
		}
	}
	return kicked
}

// KickNetwork ends the sessions from a network, and returns how many they were.
func (s *Server) KickNetwork(who netip.Prefix, reason string) int {
	who = netip.PrefixFrom(who.Addr().Unmap(), who.Bits()).Masked()
	return s.kickThose(s.everyone(), reason, func(v pi.Seen) bool { return who.Contains(v.Peer.Addr()) })
}

func (s *Server) kickThose(all []*pi.Session, reason string, is func(pi.Seen) bool) (kicked int) {
	for _, sess := range all {
		if is(sess.Seen()) {
			s.kick(sess, reason)
			kicked++
		}
	}
	return kicked
}

// kick ends a session, and closes the connection of one that has not ended after a while.
func (s *Server) kick(sess *pi.Session, reason string) {
	if !s.sendOff(sess, reason) {
		return
	}
	time.AfterFunc(kickGrace, func() {
		s.guard(func() {
			if s.sessionOf(sess.ID()) == sess {
				s.kill(sess)
			}
		})
	})
}

// sendOff tells a session to end, and reports whether there still is one.
func (s *Server) sendOff(sess *pi.Session, reason string) bool {
	id := sess.ID()
	s.mu.Lock()
	if s.sessions[id] != sess {
		s.mu.Unlock()
		return false
	}
	if _, twice := s.live.reasons[id]; !twice {
		if s.live.reasons == nil {
			s.live.reasons = map[uint64]string{}
		}
		s.live.reasons[id] = plain(reason)
	}
	lot := s.lot
	s.mu.Unlock()
	sess.Dismiss()
	if lot != nil {
		lot.Wake(id)
	}
	return true
}

// farewell is pi.Config.Farewell.
func (s *Server) farewell(id uint64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live.reasons[id]
}

// plain is a reason in one line.
func plain(reason string) string {
	const most = 200
	reason = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(strings.TrimSpace(reason), "?"))
	return strings.ToValidUTF8(reason[:min(len(reason), most)], "")
}

// Transfers describes what runs, by session.
func (s *Server) Transfers() []TransferStatus {
	out := []TransferStatus{}
	for _, st := range s.Sessions() {
		if st.Transfer != nil {
			out = append(out, *st.Transfer)
		}
	}
	return out
}

// Abort ends a transfer, or a digest, with 426; the session goes on. One that is about to
// end by itself may do so: its client hears 226 then.
func (s *Server) Abort(transfer string) error {
	t := s.task(transfer)
	if t == nil {
		return ErrNoTransfer
	}
	t.Abort()
	s.log.Info("the operator has ended a transfer", "transfer", transfer, "op", t.Command, "path", t.Path)
	return nil
}

// LimitSession sets the rates of a session, over what the defaults say, for what runs and
// for what is to come, until FreeSession. Zero rates lift the limit.
func (s *Server) LimitSession(id uint64, r Rates) error {
	s.mu.Lock()
	defer s.mu.Unlock() // so that the session does not end behind its back
	if s.sessions[id] == nil {
		return ErrNoSession
	}
	s.tree.SetSession(id, throttle.Rates(r))
	return nil
}

// FreeSession takes LimitSession back.
func (s *Server) FreeSession(id uint64) error {
	if s.sessionOf(id) == nil {
		return ErrNoSession
	}
	s.tree.ClearSession(id)
	return nil
}

// LimitTransfer sets the rate of one transfer, which is under its other limits as well.
// Zero rates lift it.
func (s *Server) LimitTransfer(transfer string, r Rates) error {
	switch t := s.task(transfer); {
	case t == nil:
		return ErrNoTransfer
	case !t.Limit(throttle.Rates(r)):
		return ErrUnlimited
	}
	return nil
}

// task finds a transfer by its number.
func (s *Server) task(transfer string) *pi.Task {
	first, second, _ := strings.Cut(transfer, "-")
	id, err1 := strconv.ParseUint(first, 10, 64)
	number, err2 := strconv.ParseUint(second, 10, 64)
	sess := s.sessionOf(id)
	if err1 != nil || err2 != nil || sess == nil {
		return nil
	}
	if t := sess.Seen().Task; t != nil && t.Counts && t.Number == number {
		return t
	}
	return nil
}

// sessionOf finds a session by its number, nil if there is none.
func (s *Server) sessionOf(id uint64) *pi.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// everyone is all sessions, by number.
func (s *Server) everyone() []*pi.Session {
	s.mu.Lock()
	all := make([]*pi.Session, 0, len(s.sessions))
	for _, sess := range s.sessions {
		all = append(all, sess)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *pi.Session) int { return cmp.Compare(a.ID(), b.ID()) })
	return all
}

// status describes a session.
func status(sess *pi.Session, now time.Time) SessionStatus {
	v := sess.Seen()
	st := SessionStatus{ID: sess.ID(), User: v.User, LoggedIn: v.In, Anonymous: v.Anonymous, Listener: sess.Listener(), Peer: v.Peer, Local: v.Local,
		Since: v.Since, TLS: v.TLS.Version, Cipher: v.TLS.Cipher, Resumed: v.TLS.Resumed, VHost: v.VHost, Host: cmp.Or(v.Host, v.TLS.ServerName),
		Client: v.Client, Protocol: v.Protocol, Dir: v.Dir, Parked: v.Parked}
	from := v.Line
	if from.IsZero() {
		from = v.Since
	}
	if !from.IsZero() {
		st.Quiet = max(0, now.Sub(from)).Truncate(time.Second)
	}
	if t := v.Task; t != nil {
		st.Command = t.Command
		if t.Counts {
			st.Transfer = transferStatus(st.ID, t)
		}
	}
	return st
}

func transferStatus(session uint64, t *pi.Task) *TransferStatus {
	st := &TransferStatus{ID: fmt.Sprintf("%d-%d", session, t.Number), Session: session, Command: t.Command, Path: t.Path, Up: t.Up, Data: t.Data,
		Bytes: t.Bytes(), Size: t.Size, Since: t.Since, Took: t.Elapsed(), Limit: t.Rate()}
	st.TLS, st.Resumed = t.TLS()
	st.Average = perSecond(st.Bytes, st.Took)
	return st
}

func perSecond(n int64, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64(float64(n) / d.Seconds())
}

// reading is how far a transfer was when somebody asked.
type reading struct {
	at, before       time.Time // of the last one, and of the one before
	bytes, bytesThen int64
}

// sample fills in a transfer's rate, and returns the reading to go on with. Whoever asks in
// quick succession is told of half a second at least. The caller holds the lock.
func (l *live) sample(t *TransferStatus, now time.Time) reading {
	const shortest, longest = 500 * time.Millisecond, 5 * time.Second
	t.Rate = t.Average
	last, known := l.samples[t.ID]
	if !known || now.Sub(last.at) > longest {
		return reading{at: now, bytes: t.Bytes}
	}
	if now.Sub(last.at) >= shortest {
		t.Rate = perSecond(t.Bytes-last.bytes, now.Sub(last.at))
		return reading{at: now, bytes: t.Bytes, before: last.at, bytesThen: last.bytes}
	}
	if !last.before.IsZero() {
		t.Rate = perSecond(t.Bytes-last.bytesThen, now.Sub(last.before))
	}
	return last
}
