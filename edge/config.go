package edge

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"runtime/debug"
	"slices"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/lang"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// Config is what a Server is made from. The zero value of each field works
// unless it says otherwise.
type Config struct {
	FS vfs.FS // what is served; required
	// Home gives a login a filesystem of its own; nil serves FS to everybody.
	Home pi.Home
	// NeedsTLS reports whether a name may log in over TLS alone, also where the listener
	// leaves that to the client; nil: none. USER is then refused in the clear, before
	// anybody sends a password. Names that do not exist should be answered like those that
	// need it, or the answer tells which do. It must not block.
	NeedsTLS  func(user string) bool
	Listeners []Listener     // at least one
	Hosts     []Host         // virtual hosts, beside what FS and Home serve; usually none
	Policies  []Slot         // in the order in which they are asked
	Perms     policy.Perms   // of a login for which no policy named any; 0: policy.PermReadOnly
	Limits    Limits         // how many sessions there may be
	Timeouts  Timeouts       // how long things may take
	Logins    Logins         // what failed logins cost
	Defence   Defence        // who is banned or slowed down for what went wrong; on by default
	Bandwidth Bandwidth      // how fast bytes may move
	Transfer  Transfer       // how bytes are moved
	Listing   pi.Listing     // what LIST and its kin show, and may cost
	Commands  *pi.Table      // nil: pi.Standard
	Replies   pi.Replies     // what limits and timeouts say
	Languages *lang.Set      // of replies (RFC 2640 §4); nil: English, and those of lang.BuiltIn
	Zone      *time.Location // of the times in listings, MDTM and MFMT; nil: UTC, as RFC 3659 §2.3 has it
	Log       *slog.Logger   // nil: slog.Default
	// LogPrefix is a template that stands before the messages about a session;
	// pi.ParsePrefix says what it may hold. Empty: none.
	LogPrefix string
	// LogCommands says what of commands is logged at the level debug; the zero value is
	// nothing.
	LogCommands pi.CommandLog
	// PolicyChanged is told of each trial that has ended (Server.Canary), after the
	// observers were; nil tells nobody. It may use the server, but not shut it down.
	PolicyChanged func(PolicyChange)
	// Retired is called once when another Config is in force (Server.Apply) and the last
	// session that began with this one has ended: what FS, Home or TLS stand on may be
	// given up. A server that shuts down does not call it. Nil: nothing is.
	Retired func()
}

// Slot is a policy under the name by which it can be swapped.
type Slot struct {
	Name    string        // unique; it need not be the policy's own
	Policy  policy.Policy // required
	Options Options       // how the server treats it
}

// Require says how much TLS a listener asks for: a set of the two values below.
// The zero value leaves it to the client.
type Require uint8

// What may be required.
const (
	TLSControl  Require = 1 << iota            // no login in the clear
	TLSData                                    // no data connection in the clear
	TLSOptional Require = 0                    // the client decides
	TLSRequired         = TLSControl | TLSData // neither
)

// Listener is one address that connections are accepted on: control connections, unless
// HandOn is there.
type Listener struct {
	Name string // in events and logs; Address by default
	// Address is host:port for net.Listen("tcp"); empty where only ServeConn
	// brings connections.
	Address string
	// Socket, where it is there, listens already, and is used in the place of Address:
	// one that a service manager has passed on, say, or that was bound with rights that
	// the process has given up. It is the server's once Listen has returned without an
	// error, and the caller's before.
	Socket net.Listener
	// TLS is the configuration of control and data connections, nil for none. It
	// is kept for the life of the server, as it holds the keys of session tickets,
	// and must not be changed but by its own methods. ALPN and the wrapping of
	// tickets are the server's; dtp.Foreign names the exception. What
	// GetCertificate returns may change at any time: data connections go on with the
	// certificate of their control connection. The name that a client has given by
	// HOST stands in ClientHelloInfo.ServerName where its handshake names none; an
	// address has no brackets there.
	TLS *tls.Config
	// Ready reports whether TLS has a certificate to present. While it returns false,
	// AUTH answers 431 (RFC 2228 §5.1), and what is implicit is closed before the
	// server has said a word, but for handshakes of another protocol (dtp.Foreign),
	// by which the first certificate may be had. It is asked for each client and must
	// not block. Nil: there always is one.
	Ready    func() bool
	Implicit bool    // connections begin with TLS
	Require  Require // what is refused in the clear
	// Binding says how data connections prove that they belong to their control
	// connection.
	Binding dtp.Binding
	// Hosts are the names that HOST may give (RFC 7151); empty: any.
	Hosts []string
	// Host is the virtual host of whoever comes by this listener and names no other, by
	// Host.Name; empty: of none, that is of Config.FS and the policies without hosts.
	Host string
	// StrictHosts refuses TLS handshakes for a name that no host of the listener has, nor
	// Hosts. HOST of such a name is refused wherever there are virtual hosts.
	StrictHosts bool
	Banner      string     // the text of the 220 reply; "edgeftp ready." by default
	Encoding    Encoding   // of names and replies; UTF-8 by default
	Passive     pi.Passive // PASV and EPSV
	// Advertise says which address clients are told for PASV, where it is not the
	// connection's own. Passive.Advertise, if set, takes its place.
	Advertise Advertise
	Active    pi.Active // PORT and EPRT
	// Congestion is the congestion control of the listener's TCP connections, such as
	// "bbr", data connections among them; empty is the kernel's choice. Where the kernel
	// does not let the process have it (dtp.ReadAlgorithms), Listen and Apply fail.
	Congestion string
	// Proxies are what connections come through that bring the client's address with them;
	// nil: they come as they are. Package proxied reads the PROXY protocol. Everything goes
	// by the announced address then: limits, Defence, policies, logs, what data
	// connections are compared with; and Advertise by the address that the client has
	// connected to. An announcement comes before TLS.
	Proxies  *dtp.Proxies
	Zone     *time.Location // nil: Config.Zone
	Commands *pi.Table      // nil: Config.Commands
	// HandOn, where it is there, gets what the listener accepts, and no session begins with
	// it: whoever has the connections speaks another protocol on them, and serves what is
	// asked for by sessions of Server.Visit, for which the listener has what sessions begin
	// with. What is done for a connection before it is a session's is done before it is
	// handed on: Proxies, Defence, Hold, Limits; but who is turned away hears nothing. It
	// counts until it is closed, which has to be done, and apart from the sessions, of which
	// its visits are some. A panic of HandOn closes it. HandOn must not block: the listener
	// accepts nothing meanwhile. TLS and Implicit must not be there, as TLS is the business
	// of who has the connections; Ready, Banner, Binding, Passive, Active and Advertise say
	// nothing here.
	HandOn func(net.Conn)
}

// Limits bound what clients may take. Zero is the default that each field names;
// a negative number is no limit.
type Limits struct {
	// Sessions and SessionsPerIP hold for the connections that are handed on
	// (Listener.HandOn) as well, which are counted apart from sessions.
	Sessions        int // at once, in all; 5000
	SessionsPerIP   int // at once, of one IPv4 address or IPv6 /64; 20
	SessionsPerUser int // at once, of one user; no limit
	// Memory is how many bytes the process may use: from nine tenths of it on no
	// session begins, and a transfer whose buffers do not fit is refused. By default
	// it is the limit of the runtime (GOMEMLIMIT, debug.SetMemoryLimit), and without
	// one there is none.
	Memory int64
	// Descriptors is how many files and connections the sessions may have open, eight
	// for each, and one for each connection that is handed on: those that cannot have
	// theirs do not begin. By default there is no limit.
	Descriptors int
}

// Timeouts bound how long things may take. Zero is the default that each field
// names; a negative duration is no limit.
type Timeouts struct {
	Idle  time.Duration // between two lines of a client; 5 minutes
	Login time.Duration // from the connection to the login; 30 seconds
	Stall time.Duration // without a byte on a data connection; 1 minute
	// Awake is for how long a session keeps its goroutine after a command. Then it is
	// parked, where that is possible: its connection is a *net.TCPConn of a listener of
	// Serve's, and the system is Linux. A parked session takes a tenth of the memory, and
	// its next command some microseconds more. 250 ms; negative never parks.
	Awake time.Duration
}

// Logins say what failed logins cost.
type Logins struct {
	Attempts  int           // failures that close the connection; 0: 3, negative: no limit
	FailDelay time.Duration // before the reply to a failure; 0: 3 s, negative: none
	Parallel  int           // passwords verified at once; 0: one for each processor
	// Remember is for how long a password that has matched its stored hash matches it
	// again without the work, in memory and as long as the hash is the same; 0: 1
	// minute, negative: never. Passwords that do not match cost the same each time.
	Remember time.Duration
}

// Transfer says how bytes are moved.
type Transfer struct {
	Binary bool // sessions begin with TYPE I, not with the TYPE A of RFC 959 §3.1.1
	Nagle  bool // leave Nagle's algorithm on, on control connections (the model's tcp_no_delay off)
	// Copy keeps the kernel from moving plain files by itself, by sendfile and
	// splice (the model's use_sendfile off).
	Copy bool
	// Buffer is the size, in bytes, of the buffer of a transfer that the kernel
	// cannot do by itself: 4 KiB to 4 MiB; 0 is 256 KiB (the model's
	// ac_in_buffer_size and ac_out_buffer_size).
	Buffer    int
	NoDeflate bool // refuse MODE Z
	MaxRatio  int  // of an upload in MODE Z to what came over the wire, as dtp.Deflate has it
	// Limiter adds a throttle of the embedder's own to each transfer, beside
	// Config.Bandwidth; it, or what it returns, may be nil.
	Limiter func(who policy.Session, down bool) dtp.Limiter
	// Run moves the bytes in place of dtp.Transfer.Run, or around it (the model's
	// replaceable DTPHandler); nil for that.
	Run dtp.Runner
	// Hashes are the digests that HASH and the X commands offer, the first one by
	// default; empty: pi.Digests.
	Hashes []pi.Digest
	// HashParallel is how many of them are computed at once, of one user all but one;
	// the others wait, for half a minute at most. 0: one for each processor, negative:
	// no limit.
	HashParallel int
	HashTime     time.Duration // that one may take; 0: 5 minutes, negative: no limit
	// Least is the lowest rate at which a client may take or send, in each LeastWindow
	// of the time for which it was waited for: what throttles and policies make it wait
	// does not count. A slower one is told 426. Zero or less: none.
	Least       Rates
	LeastWindow time.Duration // 0: dtp.LeastWindowDefault
}

// check completes and validates c.
func (c Config) check() (Config, error) {
	if c.FS == nil {
		return c, errors.New("edge: Config.FS is missing: say what is to be served")
	}
	if len(c.Listeners) == 0 {
		return c, errors.New("edge: Config.Listeners is empty: say where to listen")
	}
	if c.Perms == 0 {
		c.Perms = policy.PermReadOnly
	}
	if c.Commands == nil {
		c.Commands = pi.Standard()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.Limits.Sessions = byDefault(c.Limits.Sessions, 5000)
	c.Limits.SessionsPerIP = byDefault(c.Limits.SessionsPerIP, 20)
	if c.Limits.Memory == 0 {
		if most := debug.SetMemoryLimit(-1); most < math.MaxInt64 {
			c.Limits.Memory = most
		}
	}
	c.Limits.Memory, c.Limits.Descriptors = max(0, c.Limits.Memory), max(0, c.Limits.Descriptors)
	c.Timeouts.Idle = byDefault(c.Timeouts.Idle, 5*time.Minute)
	c.Timeouts.Login = byDefault(c.Timeouts.Login, 30*time.Second)
	c.Timeouts.Awake = byDefault(c.Timeouts.Awake, awakeDefault)
	c.Timeouts.Stall = byDefault(c.Timeouts.Stall, time.Minute)
	c.Logins.Attempts = byDefault(c.Logins.Attempts, 3)
	c.Logins.FailDelay = byDefault(c.Logins.FailDelay, 3*time.Second)
	c.Logins.Remember = byDefault(c.Logins.Remember, time.Minute)
	if err := c.Defence.check(); err != nil {
		return c, err
	}
	c.Transfer.HashTime = byDefault(c.Transfer.HashTime, 5*time.Minute)
	if n := c.Transfer.Buffer; n != 0 && (n < 4<<10 || n > 4<<20) {
		return c, fmt.Errorf("edge: Config.Transfer.Buffer is %d: 4 KiB to 4 MiB are possible", n)
	}
	if c.Languages == nil {
		cats, err := lang.BuiltIn()
		if err != nil {
			return c, fmt.Errorf("edge: %w", err)
		}
		if c.Languages, err = lang.NewSet("en", cats...); err != nil {
			return c, fmt.Errorf("edge: %w", err)
		}
	}
	if _, err := pi.ParsePrefix(c.LogPrefix); err != nil {
		return c, fmt.Errorf("edge: Config.LogPrefix: %w", err)
	}
	c.Listeners = slices.Clone(c.Listeners) // the caller's are not filled in
	for i := range c.Listeners {
		if err := c.Listeners[i].check(); err != nil {
			return c, err
		}
	}
	return c, c.checkHosts()
}

// byDefault returns v, or def where v is zero, or zero (no limit) where v is
// negative.
func byDefault[T int | time.Duration](v, def T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return 0
	}
	return v
}

func (l *Listener) check() error {
	if l.Name == "" {
		l.Name = l.Address
	}
	if l.Name == "" && l.Socket != nil {
		l.Name = l.Socket.Addr().String()
	}
	if l.Banner == "" {
		l.Banner = "edgeftp ready."
	}
	if _, err := l.Encoding.charset(); err != nil {
		return fmt.Errorf("edge: listener %s: Encoding: %w", l.Name, err)
	}
	if err := l.Advertise.check(); err != nil {
		return fmt.Errorf("edge: listener %s: Advertise: %w", l.Name, err)
	}
	if l.Proxies != nil {
		if err := l.Proxies.Check(); err != nil {
			return fmt.Errorf("edge: listener %s: %w", l.Name, err)
		}
	}
	if l.HandOn != nil && (l.TLS != nil || l.Implicit) {
		return fmt.Errorf("edge: listener %s hands its connections on, and has TLS: that is the business of who gets them", l.Name)
	}
	if l.TLS == nil && (l.Implicit || l.Require != TLSOptional) {
		return fmt.Errorf("edge: listener %s asks for TLS but has no TLS configuration", l.Name)
	}
	return nil
}
