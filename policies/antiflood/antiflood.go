// Package antiflood is a policy against guessing and flooding: it counts failed
// logins and commands, refuses the logins of addresses that have failed too often
// (421, RFC 959 §4.2.1), lets the logins of wider networks and of guessed users
// through one at a time, and refuses commands that come too fast.
//
// A server of package edge defends itself against guessing before it asks any policy
// (edge.Config.Defence), and knows from where its users have logged in; there this
// policy is for the commands. Its counts of failures are for hosts that have no such
// defence, or where it is off.
//
// # Who is held responsible
//
// A ban is of one IPv4 address or of one IPv6 /64, which is what one client is
// given at least. The /24 or /48 around it, and a user whose password many guess,
// are never banned: beyond their limits their logins are let through at one in each
// Pause, for a user one in each Pause from each /24 or /48. So no guesser can lock a
// user out, unless from beside him. Loopback is an address like any other. A client
// without an address, on a connection that is no network's, is only held to the
// limit of commands.
//
// Only failures are counted, not successes taken off: whoever has one account could
// otherwise guess at all others. The refusals of this policy and failures of other
// policies are none. An attempt is counted when it has failed, so those that are
// made at one time are judged by what was known when they began.
//
// # What it keeps
//
// All is kept in the KV and vanishes by itself: a counter Window after its first
// failure, a ban after Ban, and a restart forgets neither. A limit holds within
// windows, each of which begins with its first failure or command, not in every
// stretch of that length. When the KV is full, what is in it goes on to hold, what
// would be new is not counted, and commands pass; a network beyond its limit makes
// new keys at its Pause alone, so that noise from one does not fill it.
//
// A policy cannot make events: Config.Banned is where a program can make
// ban_added of what it is told there. Nobody is told when a ban ends; it is Ban
// after it began.
package antiflood

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Config is what a [Policy] is made of. KV is required. A count of zero is the
// default beside it, below zero it is no limit; a duration of zero or less is the
// default.
type Config struct {
	// Name of the policy in events; empty is "antiflood".
	Name string
	// KV keeps the counters and bans.
	KV policy.KV

	// Failures within Window make a ban of an address (0: 10).
	Failures int
	// NetworkFailures within Window slow a /24 or /48 down (0: 100).
	NetworkFailures int
	// UserFailures within Window, wherever from, slow the logins of one user down
	// (0: 20).
	UserFailures int
	Window       time.Duration // 0: 10 minutes
	Ban          time.Duration // 0: 30 minutes
	Pause        time.Duration // between two logins of who is slowed down, 0: 5 seconds

	// SessionCommands in a second are taken of one session (0: 300), and
	// AddressCommands of one address (0: 1,000). More are answered with 450. QUIT
	// and ABOR are not counted.
	SessionCommands, AddressCommands int
	// FloodBan also bans an address that goes on to send, within that second,
	// four times what AddressCommands allows. Without it, only 421 says so.
	FloodBan bool

	// Banned, unless nil, is told of each new ban: of whom, until when, and why in a
	// few words. It is called while a question or event is dealt with and must not
	// block.
	Banned func(who netip.Prefix, until time.Time, why string)
}

// The defaults of Config.
const (
	DefaultFailures        = 10
	DefaultNetworkFailures = 100
	DefaultUserFailures    = 20
	DefaultWindow          = 10 * time.Minute
	DefaultBan             = 30 * time.Minute
	DefaultPause           = 5 * time.Second
	DefaultSessionCommands = 300
	DefaultAddressCommands = 1000
)

// The refusals. They are constant, so that the policy knows its own in events.
const (
	textBanned  = "Too many failed logins from your address; try again later."
	textNetwork = "Too many failed logins from your network; try again in a moment."
	textUser    = "Too many failed logins of this user; try again in a moment."
	textFast    = "Too many commands in one second; send them more slowly."
	textFlood   = "Far too many commands in one second."
)

// floodFactor is how far beyond its limit a client must go to be taken for one
// that does not care for replies.
const floodFactor = 4

// commandWindow is the second of the limits of commands.
const commandWindow = time.Second

// Policy counts, and refuses those who are beyond a limit. It is a [policy.Policy]
// that takes part in the stages auth, cmd and event, and is safe for concurrent use.
type Policy struct {
	config Config
}

// New returns the policy of config. It fails if there is no KV.
func New(config Config) (*Policy, error) {
	if config.KV == nil {
		return nil, errors.New("antiflood needs somewhere to keep its counters")
	}
	if config.Name == "" {
		config.Name = "antiflood"
	}
	for _, c := range []struct {
		n   *int
		def int
	}{{&config.Failures, DefaultFailures}, {&config.NetworkFailures, DefaultNetworkFailures}, {&config.UserFailures, DefaultUserFailures},
		{&config.SessionCommands, DefaultSessionCommands}, {&config.AddressCommands, DefaultAddressCommands}} {
		if *c.n == 0 {
			*c.n = c.def
		}
	}
	for _, c := range []struct {
		d   *time.Duration
		def time.Duration
	}{{&config.Window, DefaultWindow}, {&config.Ban, DefaultBan}, {&config.Pause, DefaultPause}} {
		if *c.d <= 0 {
			*c.d = c.def
		}
	}
	return &Policy{config: config}, nil
}

// Name implements [policy.Policy].
func (p *Policy) Name() string { return p.config.Name }

// Hooks implements [policy.Policy]. Without a limit of commands it takes no part
// in the stage cmd, which spares every command a question.
func (p *Policy) Hooks() policy.Hooks {
	h := policy.Hooks{Authenticator: p, Observer: p, Interest: policy.Interest{Events: []policy.EventKind{policy.EventLoginFailed}}}
	if p.config.SessionCommands > 0 || p.config.AddressCommands > 0 {
		h.Commander = p
	}
	return h
}

// Authenticate implements [policy.Authenticator]. It has no opinion on whoever is
// within the limits, and never allows. It never fails.
func (p *Policy) Authenticate(_ context.Context, login *policy.Login) (policy.Identity, error) {
	from, known := clientOf(login.Session.Peer)
	if !known {
		return policy.Identity{}, nil
	}
	if p.banned(from.address) {
		return refuse(421, textBanned), nil
	}
	if p.above(networkKey(from), p.config.NetworkFailures) && !p.turn(&login.Meta, "t/"+from.network.String()) {
		return refuse(530, textNetwork), nil
	}
	user := userKey(login.Session)
	if p.above(user, p.config.UserFailures) && !p.turn(&login.Meta, "t/"+user[2:]+"/"+from.network.String()) {
		return refuse(530, textUser), nil
	}
	return policy.Identity{}, nil
}

func refuse(code int, text string) policy.Identity {
	return policy.Identity{Verdict: policy.Deny, Code: code, Text: text}
}

// Observe implements [policy.Observer]: it counts failed logins. It fails if they
// cannot be counted.
func (p *Policy) Observe(_ context.Context, e *policy.Event) error {
	from, known := clientOf(e.Session.Peer)
	if e.Kind != policy.EventLoginFailed || e.Shadow || !known || !failure(e) {
		return nil
	}
	_, errN := p.count(networkKey(from), p.config.NetworkFailures, p.config.Window)
	_, errU := p.count(userKey(e.Session), p.config.UserFailures, p.config.Window)
	n, errA := p.count("a/"+from.address.String(), p.config.Failures, p.config.Window)
	if errA == nil && p.config.Failures > 0 && n >= int64(p.config.Failures) {
		errA = p.ban(from.address, e.Time, fmt.Sprintf("%d failed logins in %v", n, p.config.Window))
	}
	return errors.Join(errN, errU, errA)
}

// failure reports whether a login failed by the client's doing: it was neither
// refused here, nor did a policy fail.
func failure(e *policy.Event) bool {
	for _, text := range []string{textBanned, textNetwork, textUser} {
		if strings.HasSuffix(e.Text, text) {
			return false
		}
	}
	failed := (&policy.Denial{Policy: e.Policy, Failed: true, Cause: errNothing}).Error()
	return !strings.HasPrefix(e.Text, failed)
}

// errNothing is a cause without words.
var errNothing = errors.New("")

// count adds one to a counter that has a limit.
func (p *Policy) count(key string, limit int, window time.Duration) (int64, error) {
	if limit < 0 {
		return 0, nil
	}
	return p.config.KV.Incr(key, 1, window)
}

// above reports whether a counter has reached its limit.
func (p *Policy) above(key string, limit int) bool {
	if limit < 0 {
		return false
	}
	b, found := p.config.KV.Get(key)
	return found && number(b) >= int64(limit)
}

// turn reports whether this login is the one that is let through in this Pause. A
// KV that is full lets nobody through: whoever is asked for this is beyond a limit.
func (p *Policy) turn(m *policy.Meta, key string) bool {
	if m.Shadow {
		_, taken := p.config.KV.Get(key)
		return !taken
	}
	n, err := p.config.KV.Incr(key, 1, p.config.Pause)
	return err == nil && n == 1
}
