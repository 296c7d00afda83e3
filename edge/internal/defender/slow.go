package defender

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Whoever is beyond a limit logs in one at a time.
const (
	firstPause = 2 * time.Second  // between two of them; it doubles with the excess
	mostPause  = 30 * time.Second // and grows no further
	mostWait   = 10 * time.Second // for a turn; later ones are refused
	// mostDelay is how far the delay of a failed login's answer grows. A client that
	// waits for an answer at all waits as long.
	mostDelay = 15 * time.Second
	// ownerFor is how long a login that went well keeps others' guesses away.
	ownerFor = 14 * 24 * time.Hour
	homes    = 8 // networks that are known of one user
)

// slowed is what is kept of a network.
type slowed struct {
	failed window
	next   time.Duration // when the next login's turn is
}

// guessed is what is kept of a user whose password somebody did not know.
type guessed struct {
	failed window
	spelt  string // the beginning of what was given
}

// turnKey is of the logins of one user from one network.
type turnKey struct {
	user name
	net  key
}

// owner is where a user has logged in from.
type owner struct {
	n    int
	home [homes]home
}

type home struct {
	net  key
	last time.Duration
}

// failures is how many failed logins make a ban. Networks may have ten times as
// many before they are slowed, users twice as many.
func (d *Defender) failures() int {
	p := FailedLogin.Points()
	return (d.conf.Score + p - 1) / p
}

func (d *Defender) ofNetwork() int { return 10 * d.failures() }
func (d *Defender) ofUser() int    { return 2 * d.failures() }

func (d *Defender) slowedRank(s *slowed, at time.Duration) uint8 {
	return failedRank(s.failed.sum(at, d.conf.Within), d.ofNetwork())
}

func (d *Defender) guessedRank(g *guessed, at time.Duration) uint8 {
	return failedRank(g.failed.sum(at, d.conf.Within), d.ofUser())
}

func failedRank(n, limit int) uint8 {
	switch {
	case n == 0:
		return gone
	case n >= limit:
		return 4
	case 2*n >= limit:
		return 3
	case 4*n >= limit:
		return 2
	}
	return 1
}

func turnRank(next *time.Duration, at time.Duration) uint8 {
	if at >= *next {
		return gone
	}
	return 1
}

func ownerRank(o *owner, at time.Duration) uint8 {
	for _, h := range o.home[:o.n] {
		if at < h.last+ownerFor {
			return 1
		}
	}
	return gone
}

// Turn says when a login may be looked at.
type Turn struct {
	Wait   time.Duration // before it
	Banned bool          // not at all: its address has been banned meanwhile
	Slowed bool          // not at all: too many others are waiting
}

// Attempt asks for the turn of a login. Whether there is such a user makes no
// difference.
func (d *Defender) Attempt(now time.Time, a netip.Addr, user string) Turn {
	a = a.Unmap().WithZone("")
	k, ok := hostOf(a)
	if !ok {
		return Turn{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.tick(now)
	switch d.judge(at, k, a) {
	case trusted:
		return Turn{}
	case Banned, Denied:
		d.count.TurnedAway++
		return Turn{Banned: true}
	}
	who := nameOf(user)
	wait, ok := d.networkTurn(at, k, who)
	if ok {
		var more time.Duration
		more, ok = d.userTurn(at, k.network(), who)
		wait = max(wait, more)
	}
	switch {
	case !ok:
		d.count.Refused++
		return Turn{Slowed: true}
	case wait > 0:
		d.count.Waited++
	}
	return Turn{Wait: wait}
}

// networkTurn is for a host in a network from which too many have guessed, unless
// somebody has logged in from that very host, or the user from that network: his
// address may have changed, and the guessers could keep him waiting for ever. They gain
// no more than the guesses that one host has before it is banned; where a network has so
// many hosts that not all are kept, they would gain more, and he has to wait.
func (d *Defender) networkTurn(at time.Duration, k key, user name) (time.Duration, bool) {
	net := d.nets.find(k.network())
	if net == nil {
		return 0, true
	}
	n := net.failed.sum(at, d.conf.Within)
	h := d.hosts.find(k)
	if n < d.ofNetwork() || h != nil && h.recent(at) {
		return 0, true
	}
	if kept := h != nil || d.crowds[k.network()] < maxCrowd; kept && d.owns(user, k.network(), at) {
		return 0, true
	}
	return inTurn(&net.next, at, n/d.ofNetwork())
}

// userTurn is for a user at whose password too many have guessed. Each network has
// its own turns: who tries from one does not keep the user waiting in another, and
// from where the user has logged in nobody waits at all.
func (d *Defender) userTurn(at time.Duration, net key, user name) (time.Duration, bool) {
	g := d.users.find(user)
	if g == nil || d.owns(user, net, at) {
		return 0, true
	}
	n := g.failed.sum(at, d.conf.Within)
	if n < d.ofUser() {
		return 0, true
	}
	k := turnKey{user, net}
	next := d.turns.hold(k, at)
	defer d.turns.settle(k, at)
	return inTurn(next, at, n/d.ofUser())
}

// inTurn takes the next turn, if it is not too far away.
func inTurn(next *time.Duration, at time.Duration, excess int) (time.Duration, bool) {
	pause := grown(firstPause, mostPause, excess)
	wait := max(0, *next-at)
	if wait > mostWait {
		return 0, false
	}
	*next = at + wait + pause
	return wait, true
}

// grown doubles d with each doubling of times, up to most.
func grown(d, most time.Duration, times int) time.Duration {
	for ; times > 1 && d < most; times /= 2 {
		d *= 2
	}
	return min(d, most)
}

func (d *Defender) owns(user name, net key, at time.Duration) bool {
	o := d.owners.find(user)
	return o != nil && slices.ContainsFunc(o.home[:o.n], func(h home) bool { return h.net == net && at < h.last+ownerFor })
}

// Failed holds a failed login against an address, its network and the user, whether
// there is such a user or not. It returns how long the answer is to be delayed where
// it is usually delayed by delay, and the ban that this login has made.
func (d *Defender) Failed(now time.Time, a netip.Addr, user string, what Offence, delay time.Duration) (time.Duration, Ban, bool) {
	a = a.Unmap().WithZone("")
	k, ok := hostOf(a)
	if !ok {
		return delay, Ban{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.tick(now)
	if d.judge(at, k, a) != Welcome {
		return delay, Ban{}, false
	}
	excess := max(d.networkFailed(at, k.network()), d.userFailed(at, k.network(), user))
	ban, banned := d.note(now, at, k, what)
	if h := d.hosts.find(k); h != nil { // the first three are forgiven, as fingers slip
		score := h.points.sum(at, d.conf.Within)
		excess = max(excess, (score-1)/(3*FailedLogin.Points()))
	}
	return max(delay, min(delay<<min(excess, 8), mostDelay)), ban, banned
}

// networkFailed counts a failure, and returns how far the network is beyond its
// limit.
func (d *Defender) networkFailed(at time.Duration, net key) int {
	s := d.nets.hold(net, at)
	defer d.nets.settle(net, at)
	s.failed.add(at, d.conf.Within, 1)
	return s.failed.sum(at, d.conf.Within) / d.ofNetwork()
}

// spelt is the beginning of a user's name, behind that of his virtual host, which ends
// with a NUL.
func spelt(user string) string {
	const most = 64
	begins := strings.IndexByte(user, 0) + 1
	return strings.Clone(user[:min(len(user), begins+most)])
}

func (d *Defender) userFailed(at time.Duration, net key, user string) int {
	k := nameOf(user)
	g := d.users.hold(k, at)
	defer d.users.settle(k, at)
	if g.spelt == "" {
		g.spelt = spelt(user)
	}
	g.failed.add(at, d.conf.Within, 1)
	if d.owns(k, net, at) {
		return 0
	}
	return g.failed.sum(at, d.conf.Within) / d.ofUser()
}

// Entered notes that a user has logged in. It takes no points off: who has one
// account could guess at all others. user is empty for one that is nobody in
// particular.
func (d *Defender) Entered(now time.Time, a netip.Addr, user string) {
	k, ok := hostOf(a.Unmap().WithZone(""))
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.tick(now)
	if user == "" {
		return
	}
	if h := d.host(k, at); h != nil {
		h.login, h.entered = at, true
		d.hosts.settle(k, at)
	}
	n := nameOf(user)
	o := d.owners.hold(n, at)
	o.enter(home{k.network(), at})
	d.owners.settle(n, at)
}

// enter notes a home in the place of itself, or of the oldest one.
func (o *owner) enter(h home) {
	oldest := 0
	for i := range o.home[:o.n] {
		if o.home[i].net == h.net {
			o.home[i].last = max(o.home[i].last, h.last)
			return
		}
		if o.home[i].last < o.home[oldest].last {
			oldest = i
		}
	}
	if o.n < homes {
		oldest = o.n
		o.n++
	}
	o.home[oldest] = h
}
