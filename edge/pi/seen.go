package pi

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/throttle"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// What others than the owner know of a session. The owner has no locks: it says what it
// does in one word, and publishes what takes more to say when a login or TLS has changed
// something, and while a command takes longer than a moment. What a session at rest has
// kept tells the rest; it stays to be seen until the next rest.

// The word: when the last line came, in seconds (Unix), in the lower half; above it flags.
// Which command is under way is not in it: to write the word with each would cost NOOP a
// fifteenth, and most are over at once.
const (
	wordLine   = 1<<32 - 1
	wordMoving = 1 << 32 // a transfer runs, or other work that counts bytes
	wordParked = 1 << 33 // nobody is in Step
	wordLeave  = 1 << 34 // Dismiss was called
	wordInside = 1 << 35 // somebody is logged in
)

// The reasons for which an operator ends work.
var (
	errStopped   = errors.New("the operator has ended the transfer")
	errDismissed = errors.New("the operator has ended the session")
)

// published is what the owner has made known last, and what is not changed any more.
type published struct {
	who   *policy.Session // nil before anything is known
	began int64           // Unix, in nanoseconds
	in    bool            // logged in
	work  *Task           // nil unless a command takes longer than a moment
}

// Task is a command that takes longer than a moment: a transfer, or what is done
// without a data connection. All of it may be used from any goroutine, also when the
// work has ended: then nothing of it changes any more.
type Task struct {
	Number  uint64    // of its question, as in "(ref 12-9)" of a reply
	Command string    // its verb, such as "STOR"
	Since   time.Time // when it began
	Path    string    // what it is about; may be empty
	Dir     string    // the session's working directory
	Counts  bool      // bytes: it is a transfer, or a digest
	Data    bool      // it has a data connection, or waits for one
	Up      bool      // from the client
	Size    int64     // how many bytes it is about, as far as that is known; -1 if it is not

	meter  Meter
	node   *throttle.Node
	chain  *throttle.Limiter
	cancel func(cause error)
}

// Bytes returns how many bytes have moved so far.
func (w *Task) Bytes() int64 {
	if w.meter == nil {
		return 0
	}
	return w.meter.Bytes()
}

// Elapsed returns for how long bytes could move: since the data connection was opened,
// or since the beginning where there is none.
func (w *Task) Elapsed() time.Duration {
	if p, ok := w.meter.(*dtp.Progress); ok {
		return p.Elapsed()
	}
	return time.Since(w.Since)
}

// TLS returns the version of the data connection's TLS, such as "1.3", and whether it
// resumed the control connection's session. It is empty in the clear and before the
// handshake.
func (w *Task) TLS() (version string, resumed bool) {
	if p, ok := w.meter.(*dtp.Progress); ok {
		return p.TLS()
	}
	return "", false
}

// Rate returns the narrowest limit that the transfer is under, in bytes per second; 0 is
// none.
func (w *Task) Rate() int64 { return w.chain.Rate() }

// Limit puts a limit of its own on a transfer, or lifts it where the rates are zero, and
// reports whether the work can be limited. It holds at once.
func (w *Task) Limit(r throttle.Rates) bool {
	if w.node == nil {
		return false
	}
	w.node.Set(r)
	return true
}

// Abort ends the work: a transfer is answered with 426, and the session goes on. What is
// over by then, or cannot be undone, is not changed.
func (w *Task) Abort() { w.cancel(errStopped) }

// Seen is what others than its owner know of a session at one moment. Unless it is at
// rest some of it may be a little older than the rest of it.
type Seen struct {
	Peer, Local netip.AddrPort // the ends of the control connection
	Since       time.Time      // of the connection, or of the last logout
	Line        time.Time      // of the last complete line, to the second; zero before the first
	Parked      bool           // nothing happens, and no goroutine waits for it
	In          bool           // logged in
	User        string         // who is logged in, or is about to be
	Anonymous   bool           // the login is one of nobody in particular
	Group       string         // that the login has named
	VHost       string         // the virtual host to which it belongs; empty: none
	Host        string         // that the client named by HOST
	Client      string         // program, by its own words
	TLS         policy.TLS     // of the control connection
	Protocol    string         // what carries it if it is not FTP over TCP; else empty
	Dir         string         // the working directory, as it was known last; may be empty
	Task        *Task          // nil unless a command takes longer than a moment
}

// Person is the user as all hosts know him: PersonOf of one of a virtual host's.
func (v *Seen) Person() string {
	if v.VHost == "" {
		return v.User
	}
	return PersonOf(v.VHost, v.User)
}

// Seen tells what is known of the session. It may be called from any goroutine, and does
// not wait.
func (s *Session) Seen() Seen {
	p := s.seen.Load() // before rest: Rest stores that first
	r := s.rest.Load()
	word := s.word.Load()
	v := Seen{Parked: word&wordParked != 0}
	if sec := word & wordLine; sec != 0 {
		v.Line = time.Unix(int64(sec), 0)
	}
	v.Peer, v.Local = addresses(s.raw)
	switch {
	case p != nil:
		v.published(p, r)
	case r != nil:
		v.resting(r)
		v.VHost = s.base.named(v.TLS.ServerName).VHost // see ordinary
	}
	return v
}

// published fills in what the owner has made known; r may be nil, or of an earlier rest.
func (v *Seen) published(p *published, r *resting) {
	v.Since, v.In, v.Task = time.Unix(0, p.began), p.in, p.work
	if r != nil && p.in {
		v.Dir = string(r.cwd)
	}
	if p.work != nil {
		v.Dir = p.work.Dir
	}
	if p.who == nil {
		return
	}
	if p.in || p.work != nil { // of a login that has failed the name stays behind
		v.User, v.Anonymous, v.Group = p.who.User, p.who.Anon, p.who.Group
	}
	v.Peer, v.Local, v.Host, v.VHost, v.Client, v.TLS, v.Protocol = p.who.Peer, p.who.Local, p.who.Host, p.who.VHost, p.who.Client, p.who.TLS, p.who.Protocol
}

// resting fills in what a session has kept at rest.
func (v *Seen) resting(r *resting) {
	v.Since, v.In, v.User, v.Dir = r.began, true, r.User, string(r.cwd)
	v.Anonymous, v.Group, v.Client = r.Identity.Anonymous, r.Identity.Group, r.client
	if r.sealed != nil {
		v.TLS = r.sealed.facts
	}
}

// addresses are those of a connection that has such.
func addresses(conn net.Conn) (peer, local netip.AddrPort) {
	return dtp.AddrPort(conn.RemoteAddr()), dtp.AddrPort(conn.LocalAddr())
}

// note changes some bits of the word. The owner writes it, and Dismiss one bit of it.
func (s *Session) note(mask, bits uint64) {
	for {
		old := s.word.Load()
		if now := old&^mask | bits; now == old || s.word.CompareAndSwap(old, now) {
			return
		}
	}
}

// busy notes when the last line came.
func (s *Session) busy() {
	if now := uint64(s.clock.line.Unix()) & wordLine; s.word.Load()&wordLine != now {
		s.note(wordLine, now)
	}
}

// publish makes known what has changed.
func (s *Session) publish() {
	s.seen.Store(&published{who: s.shown(), began: s.clock.began.UnixNano(), in: s.rank.in})
}

// expose makes the work known that is under way: it goes on for longer than a moment.
func (s *Session) expose() {
	j, c := s.job, s.job.cargo
	w := &Task{Command: j.row.verb(), Since: j.began, Path: c.path, Dir: string(s.cwd), Number: c.number, Counts: j.Progress != nil,
		Data: c.data, Up: c.up, Size: c.size, meter: j.Progress, node: c.node, chain: c.chain, cancel: j.cancel}
	if w.Path == "" {
		w.Path = j.Subject
	}
	if c.measure {
		w.Size = max(-1, s.sizeOf(vfs.Path(w.Path))-c.from)
	}
	if p := s.rank.pace; p != nil && p.transfer == c.node {
		p.transfer = nil // somebody may limit it from now on
	}
	s.seen.Store(&published{who: s.shown(), began: s.clock.began.UnixNano(), in: s.rank.in, work: w})
}

// cover takes back what expose has made known, if it has.
func (s *Session) cover() {
	if p := s.seen.Load(); p != nil && p.work != nil {
		s.seen.Store(&published{who: p.who, began: p.began, in: p.in})
	}
}

// verb is the row's, of no command nothing.
func (r *Spec) verb() string {
	if r == nil {
		return ""
	}
	return r.Verb
}

// cargo is what is known of a job that has a data connection, or counts bytes.
type cargo struct {
	number  uint64 // of its question
	path    string // empty: the job's subject
	size    int64  // -1 if it is not known
	from    int64  // where it begins in the file
	measure bool   // the size is the file's, less from
	data    bool
	up      bool
	node    *throttle.Node // the transfer's own limit; nil: it can have none
	chain   *throttle.Limiter
}

// Dismiss ends the session, from any goroutine: a transfer or other work with 426, and
// the session with 421, in the words of Config.Farewell. The caller wakes up one that is
// parked, and is patient: a client that does not listen, or code that does not come
// back, has to be dealt with otherwise (Kill).
func (s *Session) Dismiss() {
	s.note(0, wordLeave)
	if p := s.seen.Load(); p != nil && p.work != nil {
		p.work.cancel(errDismissed)
	}
	s.Interrupt()
}

// Dismissed reports whether Dismiss was called. It may be called from any goroutine, also while
// the session is at rest.
func (s *Session) Dismissed() bool { return s.word.Load()&wordLeave != 0 }

// farewell ends a session that was dismissed.
func (s *Session) farewell() {
	why := ""
	if s.conf.Farewell != nil {
		why = s.conf.Farewell(s.id)
	}
	r := wire.Say(wire.CodeNotAvailable, "The operator has ended this session.")
	if why != "" {
		r = wire.Say(wire.CodeNotAvailable, "The operator has ended this session: %s", why)
	}
	s.inform("the operator has ended the session", slog.String("reason", why))
	s.say(r)
	s.link.closed = true
}
