package pi

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/internal/charset"
	"github.com/edgeftp/edgeftp/edge/internal/throttle"
	"github.com/edgeftp/edgeftp/edge/lang"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Config is what the sessions of one listener share. It is not changed once a
// session uses it. Package edge makes it of its own Config, which is what an
// embedder fills in; some of its types are edge's alone.
type Config struct {
	Name  string       // the listener's name
	Table *Table       // the commands; required
	Chain *chain.Chain // the policies; required
	FS    vfs.FS       // what is served; required
	// Home chooses the filesystem of a login; nil serves FS to everybody.
	Home Home

	TLS        *tls.Config // the long-lived base configuration; nil: no TLS
	Ready      func() bool // there is a certificate; nil: there always is
	Implicit   bool        // the connection begins with TLS (RFC 4217 Appendix A's port 990)
	TLSControl bool        // no login in the clear
	TLSData    bool        // no data connection in the clear
	// NeedsTLS reports whether a name may log in over TLS alone, where others may in the
	// clear; nil: none. It runs in the session's owner and must not block.
	NeedsTLS func(user string) bool
	Binding  dtp.Binding // of protected data connections
	Hosts    []string    // the names that HOST may give (RFC 7151); empty: any
	// VHost is the name of the virtual host whose sessions these are; empty: of none.
	VHost string
	// Virtual are all hosts of the listener; nil: it has none.
	Virtual    *Virtual
	PerHost    int             // sessions of VHost that are logged in at once; 0 no limit
	Banner     string          // the text of the 220 reply
	Replies    Replies         // in place of the server's own
	Perms      policy.Perms    // of a login for which no policy named any
	Storage    *StorageTally   // counts what the storage could not do; nil: nobody does
	Operations *OperationTally // counts what the storage is asked; nil: nobody does
	Unknown    *atomic.Uint64  // counts commands that are not in the table, of which observers are not told; nil: nobody does
	Tally      *dtp.Tally      // of data ports and connections; nil: nobody counts
	Verifier   Verifier        // of passwords; required
	Census     Census          // of the users' sessions; required
	Standings  Standings       // of sessions at rest; nil: Rest does nothing
	Defence    Defence         // against those who guess; nil: none
	Buffers    *dtp.Buffers    // of transfers; required
	Memory     Room            // of transfers; nil: as much as they take
	Copy       bool            // never let the kernel move the bytes by itself (the model's use_sendfile off)
	NoDeflate  bool            // no MODE Z
	MaxRatio   int             // of an upload to its compressed form, as dtp.Deflate has it
	Runner     dtp.Runner      // in place of dtp.Transfer.Run; nil for that
	// Throttle holds the limits that transfers share, and what one has for which no
	// policy named any; nil is none.
	Throttle *throttle.Tree
	// Limiter adds a throttle of the embedder's to a transfer; it, or what it
	// returns, may be nil.
	Limiter func(who policy.Session, down bool) dtp.Limiter
	// Moved is told of a session whose client goes on from another address; nil: nobody is.
	Moved func(from, to netip.Addr)
	Drain <-chan struct{} // closed when no new command may begin
	// Farewell is why a session is dismissed, for its client, its log and observers; nil,
	// or empty, is for no reason that is told. It is called from the session's owner.
	Farewell func(id uint64) string
	Log      *slog.Logger // required
	// Panicked is told of each panic that was recovered, in the function that did it, with
	// the log that it belongs into; nil: LogPanic.
	Panicked   func(log *slog.Logger, p any)
	Commands   CommandLog       // what of commands is logged
	LogPrefix  *Prefix          // before the messages that are about a session; nil: none
	Zone       *time.Location   // of times in listings, MDTM and MFMT; nil is UTC
	Listing    Listing          // what LIST and its kin show, and may cost
	Helpers    *Helpers         // of listings; nil: none
	Charset    *charset.Charset // of what clients send and are sent; nil is UTF-8
	Languages  *lang.Set        // of replies (RFC 2640 §4); nil is English alone
	Binary     bool             // sessions begin with TYPE I, not with RFC 959's TYPE A
	Hashes     []Digest         // of HASH and the X commands, the first one the default; empty: all
	Turns      Turns            // of those; nil is no bound
	Passive    Passive          // the ports that clients connect to
	Active     Active           // the ports of clients
	Congestion string           // congestion control of data connections of TCP; empty: the kernel's choice
	Proxies    *dtp.Proxies     // what announces the sessions that a proxy brings; nil: there are none
	// Own reports whether control connections are accepted at a target, which may
	// be an address of the host by which the client has not come. Nil knows the
	// session's own address alone.
	Own func(local netip.Addr, target netip.AddrPort) bool

	Idle        time.Duration // between two lines of a logged-in client; 0 no limit
	LoginWithin time.Duration // from the connection to the login; 0 no limit
	Stall       time.Duration // without a byte on the data connection; 0 no limit
	// Least is below which rate a client ends its transfer, over each LeastWindow of
	// its own time, as dtp.Transfer.Least has it.
	Least       throttle.Rates
	LeastWindow time.Duration // 0 is dtp.LeastWindowDefault
	Attempts    int           // failed logins before the connection is closed; 0 no limit
	FailDelay   time.Duration // before the reply to a failed login
	PerUser     int           // sessions of one user at once; 0 no limit
}

// Home gives a login its filesystem (the model makes one for each login). It
// runs in a helper goroutine, after the password was verified, and may block until
// ctx ends. fs must not be nil without an error. release, unless nil, is called
// once when the login has ended, by the session's owner: it should be quick. An
// error refuses the login (530); its text is for the log.
type Home func(ctx context.Context, who policy.Session, id policy.Identity) (fs vfs.FS, release func(), err error)

// Replies replace what the server says of its own accord. A zero Reply leaves
// the server's own words; the code may be changed too.
type Replies struct {
	MaxSessions      wire.Reply // 421: Limits.Sessions is reached
	MaxSessionsPerIP wire.Reply // 421: Limits.SessionsPerIP is reached
	Idle             wire.Reply // 421: the idle or login limit has passed
	Stalled          wire.Reply // 421: a data connection stalled
	Draining         wire.Reply // 421: the server is shutting down
}

// or returns r, or by default another reply.
func or(r, def wire.Reply) wire.Reply {
	if r.IsZero() {
		return def
	}
	return r
}

// Passive says how passive ports are opened and told to clients.
type Passive struct {
	Ports dtp.PortRange // to choose from; empty: the kernel's choice
	// Advertise returns the text of the IPv4 address that the 227 reply tells a
	// client; empty, as from a nil function, tells the connection's own local
	// address. It must not block.
	Advertise func(local, client netip.Addr) string
	AnyPeer   bool          // accept data connections of other addresses than the client's
	Wait      time.Duration // for the client to connect; 0: dtp.WaitDefault, negative: no limit
	Backlog   int           // connections that may wait on a data port; 0: the system's default
	// Ephemeral is what ports are chosen from where Ports is empty; nil is the
	// kernel's choice, which is slow when there are many transfers (dtp.Ephemeral).
	Ephemeral *dtp.Ephemeral
	// Fresh opens a new port for each data connection. Otherwise a few of a session
	// that follow each other at once may have the same one (dtp.Spare).
	Fresh bool
	// Listen opens a port in place of dtp.Listen; nil for that. It runs in the
	// session's owner and must not wait for the network. Its errors are answered
	// with 425.
	Listen func(context.Context, dtp.PassiveConfig) (dtp.PassivePort, error)
}

// Active says which data ports of clients are connected to.
type Active struct {
	Off        bool // refuse PORT and EPRT
	Foreign    bool // permit other addresses than the client's (FXP; RFC 2577 §3)
	Privileged bool // permit ports below 1024
	// Unmask connects to the control connection's peer where a client names a
	// private address (RFC 1918) that is not its own: it sits behind NAT.
	Unmask bool
	Wait   time.Duration // for the connection; 0: dtp.WaitDefault, negative: the system's limit
	// Prepare makes a port in place of dtp.NewActive, and with it the checks of the
	// address; nil for that. It runs in the session's owner and must not wait for the
	// network: the port is opened by the next transfer. dtp.ErrForeign and
	// dtp.ErrLowPort are answered with 501.
	Prepare func(dtp.ActiveConfig, netip.AddrPort) (dtp.Port, error)
}

// Verifier checks passwords against stored hashes, at a bounded rate.
type Verifier interface {
	// Verify reports whether password matches the stored hash. An error says
	// that the hash cannot be used or that ctx ended.
	Verify(ctx context.Context, hash, password string) (bool, error)
	// VerifyNobody takes as long as Verify does, so that the name of a user who
	// does not exist costs what a wrong password costs.
	VerifyNobody(ctx context.Context, password string) error
}

// Turns bound the digests that are computed at a time.
type Turns interface {
	// Take waits for a turn of a user's. work ends with ctx, or with the turn's time,
	// of which the cause is ErrTurnOver; done gives the turn back. The error is
	// ErrNoTurn, or the cause of ctx.
	Take(ctx context.Context, user string) (work context.Context, done func(), err error)
}

// What a digest is refused with, and what ends it.
var (
	ErrNoTurn   = errors.New("too many digests are being computed")
	ErrTurnOver = errors.New("the digest took too long")
)

// Room is memory that the buffers of transfers come out of.
type Room interface {
	// Take reserves n bytes and reports whether they can be had.
	Take(n int64) bool
	// Give gives them back.
	Give(n int64)
}

// TurnTaker is a [Verifier] before which addresses take turns, so that the logins of
// one do not keep another waiting.
type TurnTaker interface {
	// Of returns the verifier of one login from an address.
	Of(who netip.Addr) Verifier
}

// Debtor is a [Verifier] that may know without the work that a password matches.
type Debtor interface {
	// Pay does the work that a login was spared, if it was: one that is refused in the
	// end takes as long as one whose password is wrong, else its time would tell which.
	Pay(ctx context.Context, password string) error
}

// verifier is that of one login from an address.
func (c *Config) verifier(who netip.Addr) Verifier {
	if t, ok := c.Verifier.(TurnTaker); ok {
		return t.Of(who)
	}
	return c.Verifier
}

// Census counts the sessions of each user.
type Census interface {
	// Enter counts one more session of user, unless there are most already.
	Enter(user string, most int) bool
	// Leave takes one away.
	Leave(user string)
}
