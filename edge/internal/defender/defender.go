// Package defender keeps the score of those who misbehave before they are logged
// in (RFC 2577 §5): it bans addresses, slows networks and guesses at one user, and
// never locks out whoever owns an account.
//
// It knows the clock only by the times it is given. They should be those of
// time.Now: what it compares is their monotonic part, so that a wall clock that
// jumps neither ends a ban nor prolongs it. It starts no goroutine and its memory is
// bounded; every call but Status and Snapshot takes the same short time.
package defender

import (
	"net/netip"
	"sync"
	"time"
)

// Config is what a Defender is made of. All of it must be filled in.
type Config struct {
	Allow, Deny []netip.Prefix // the most specific one wins, of two alike Deny
	Score       int            // that makes a ban, 1 to MaxScore
	Within      time.Duration  // for which points count
	Ban         time.Duration  // the first one
	MostBan     time.Duration  // that further ones do not grow beyond
}

// MaxScore is the highest Config.Score.
const MaxScore = 50_000

// The bounds of what is kept.
const (
	maxHosts    = 50_000
	maxNetworks = 10_000
	maxUsers    = 10_000
	maxTurns    = 20_000
	maxOwners   = 20_000
	maxOrders   = 1_000 // bans by the operator
	// maxCrowd is how many hosts of one network are kept: an IPv4 /24 has no more;
	// an IPv6 /48 has 65,536, of which one attacker could fill the table with bans.
	maxCrowd = 256
)

// Offence is something that is held against a host.
type Offence uint8

// The offences. What each costs is in Points.
const (
	FailedLogin Offence = iota + 1
	Unwelcome           // a policy has answered a login with 421
	Senseless           // commands before the login that ended the session
	LongLine            // a line beyond every bound
	Foreign             // another protocol's request
	BadTLS              // a handshake that failed
	Silent              // a connection that used up the login limit
	Crowding            // a connection beyond Limits.SessionsPerIP
)

// Points is what an offence costs.
func (o Offence) Points() int {
	switch o {
	case FailedLogin:
		return 10
	case Unwelcome:
		return 25
	case Senseless, LongLine:
		return 20
	case Foreign, Silent:
		return 5
	}
	return 1
}

// forgiven reports whether an offence is not held against a host where somebody has
// lately logged in: what any page can have its readers' browsers do, so that a stranger
// could have them banned, and more connections than a client that works may have.
func (o Offence) forgiven() bool {
	return o == Foreign || o == BadTLS || o == Silent || o == Crowding
}

// String returns what was done, for a log and for the operator.
func (o Offence) String() string {
	names := [...]string{"nothing", "failed login", "login that a policy turned away", "senseless commands", "over-long line",
		"request of another protocol", "failed TLS handshake", "no login in time", "too many connections"}
	if int(o) >= len(names) {
		return "unknown"
	}
	return names[o]
}

// Defender is safe for concurrent use.
type Defender struct {
	conf  Config
	lists *list[bool] // true: Allow

	mu     sync.Mutex
	base   time.Time // tick epoch
	hosts  *table[key, host]
	crowds map[key]int // hosts that are kept of each network
	nets   *table[key, slowed]
	users  *table[name, guessed]
	turns  *table[turnKey, time.Duration]
	owners *table[name, owner]
	orders *list[*order]
	count  Counts
}

// Counts are what a Defender has done since it was made.
type Counts struct {
	Banned     uint64 // bans by score
	TurnedAway uint64 // connections of who was banned
	Denied     uint64 // connections of who is in Config.Deny
	Waited     uint64 // logins that had to wait for their turn
	Refused    uint64 // logins whose turn was too far away
	Unrecorded uint64 // offences for which there was no room
}

// host is what is kept of an address.
type host struct {
	points       window
	since, until time.Duration // of the latest ban
	login        time.Duration // of the latest login, where entered
	times        uint16        // bans, the latest one included
	score        uint16        // that made the ban
	why          Offence       // the latest
	banned       bool          // until Expire has found its end
	entered      bool
}

// order is a ban by the operator.
type order struct {
	since, until time.Duration
	ever         bool // no end
	times        int
	why          string
}

// New returns a Defender that knows nobody.
func New(conf Config, now time.Time) *Defender {
	d := &Defender{conf: conf, base: now, lists: conf.lists(), orders: newList[*order](), crowds: map[key]int{}}
	d.hosts = newTable[key](maxHosts, d.hostRank)
	d.hosts.dropped = func(k key) {
		if n := k.network(); d.crowds[n] > 1 {
			d.crowds[n]--
		} else {
			delete(d.crowds, n)
		}
	}
	d.nets = newTable[key](maxNetworks, d.slowedRank)
	d.users = newTable[name](maxUsers, d.guessedRank)
	d.turns = newTable[turnKey](maxTurns, turnRank)
	d.owners = newTable[name](maxOwners, ownerRank)
	return d
}

// lists are Allow and Deny, by what is in them.
func (c *Config) lists() *list[bool] {
	l := newList[bool]()
	for _, p := range c.Allow {
		if p, ok := Clean(p); ok {
			l.set(p, true)
		}
	}
	for _, p := range c.Deny {
		if p, ok := Clean(p); ok {
			l.set(p, false)
		}
	}
	return l
}

// Configure gives it another configuration. Bans that hold stay, for as long as they were
// made for, but nobody on the new Allow is held up by one. Points stay; those that were
// counted for another Within than the new one are gone sooner or later than by either.
func (d *Defender) Configure(conf Config) {
	lists := conf.lists()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.conf, d.lists = conf, lists
}

// epoch is the first tick: what came over a restart lies before it, and no tick is
// below zero.
const epoch = 50 * 365 * 24 * time.Hour

// tick is the time since the Defender was made, by the monotonic clock where the
// times have one.
func (d *Defender) tick(now time.Time) time.Duration { return max(0, epoch+now.Sub(d.base)) }

// hostRank keeps bans, then those who were banned, then high scores, then low
// ones, of which a login that went well is the lowest.
func (d *Defender) hostRank(h *host, at time.Duration) uint8 {
	switch score := h.points.sum(at, d.conf.Within); {
	case h.banned && at < h.until:
		return pinned
	case h.times > 0 && at < h.until+d.conf.MostBan:
		return 5
	case 2*score >= d.conf.Score:
		return 4
	case 4*score >= d.conf.Score:
		return 3
	case h.recent(at):
		return 2
	case score > 0:
		return 1
	}
	return gone
}

// recent reports whether somebody has logged in from the host in the last days.
func (h *host) recent(at time.Duration) bool { return h.entered && at < h.login+ownerFor }

// Admission says what is to be done with a connection.
type Admission uint8

// The three of them.
const (
	Welcome Admission = iota
	Banned
	Denied
)

// Admit judges a connection that was accepted.
func (d *Defender) Admit(now time.Time, a netip.Addr) Admission {
	a = a.Unmap().WithZone("")
	k, ok := hostOf(a)
	if !ok {
		return Welcome
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch verdict := d.judge(d.tick(now), k, a); verdict {
	case Banned:
		d.count.TurnedAway++
		return verdict
	case Denied:
		d.count.Denied++
		return verdict
	default:
		return Welcome
	}
}

// trusted is Admission for who is in Config.Allow.
const trusted Admission = Denied + 1

func (d *Defender) judge(at time.Duration, k key, a netip.Addr) Admission {
	verdict := Welcome
	d.lists.longest(a, func(_ netip.Prefix, allow bool) bool {
		verdict = Denied
		if allow {
			verdict = trusted
		}
		return true
	})
	if verdict != Welcome {
		return verdict
	}
	if h := d.hosts.find(k); h != nil && h.banned && at < h.until {
		return Banned
	}
	d.orders.longest(a, func(_ netip.Prefix, o *order) bool {
		if o.ever || at < o.until {
			verdict = Banned
		}
		return verdict == Banned
	})
	return verdict
}

// Note holds an offence against an address, and returns the ban that it has made.
func (d *Defender) Note(now time.Time, a netip.Addr, what Offence) (Ban, bool) {
	a = a.Unmap().WithZone("")
	k, ok := hostOf(a)
	if !ok {
		return Ban{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.tick(now)
	if d.judge(at, k, a) != Welcome {
		return Ban{}, false
	}
	return d.note(now, at, k, what)
}

func (d *Defender) note(now time.Time, at time.Duration, k key, what Offence) (Ban, bool) {
	h := d.host(k, at)
	if h == nil || what.forgiven() && h.recent(at) {
		return Ban{}, false
	}
	defer d.hosts.settle(k, at)
	h.points.add(at, d.conf.Within, what.Points())
	h.why = what
	score := h.points.sum(at, d.conf.Within)
	if score < d.conf.Score {
		return Ban{}, false
	}
	if h.times > 0 && at >= h.until+d.conf.MostBan {
		h.times = 0
	}
	long := d.conf.Ban
	for range h.times {
		if long = min(2*long, d.conf.MostBan); long == d.conf.MostBan {
			break
		}
	}
	h.since, h.until, h.banned = at, at+long, true
	h.times = uint16(min(int(h.times)+1, 1<<15))
	h.score = uint16(min(score, 1<<16-1))
	h.points = window{}
	d.count.Banned++
	return d.banOf(now, at, k, h), true
}

// host returns what is kept of a host, nil where there is no room for more.
func (d *Defender) host(k key, at time.Duration) *host {
	h := d.hosts.find(k)
	if h != nil {
		return h
	}
	n := k.network()
	if d.crowds[n] >= maxCrowd {
		d.hosts.tidy(at) // hold would, and nobody may come who calls it
	}
	if d.crowds[n] < maxCrowd {
		h = d.hosts.hold(k, at)
	}
	if h == nil {
		d.count.Unrecorded++
		return nil
	}
	d.crowds[n]++
	return h
}
