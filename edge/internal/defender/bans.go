package defender

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// By says who has banned.
type By string

// The two of them.
const (
	ByScore    By = "score"
	ByOperator By = "operator"
)

// Ban is one ban.
type Ban struct {
	Who          netip.Prefix
	Since, Until time.Time // by the wall clock as it stands now; Until is zero where there is no end
	Why          string
	Times        int // that it was banned, this one included
	By           By
}

// Why an operator's ban is not made.
var (
	ErrAllowed = errors.New("the address is on the allow list")
	ErrFull    = fmt.Errorf("there are %d bans by the operator already", maxOrders)
	ErrPrefix  = errors.New("that is no prefix of addresses, or no time")
)

// maxWhy is the longest reason that is kept, in bytes.
const maxWhy = 200

func (d *Defender) banOf(now time.Time, at time.Duration, k key, h *host) Ban {
	return Ban{Who: k.hostPrefix(), Since: now.Add(h.since - at), Until: now.Add(h.until - at), Times: int(h.times), By: ByScore,
		Why: fmt.Sprintf("a score of %d within %v, at last for a %v", h.score, d.conf.Within, h.why)}
}

func (o *order) ban(now time.Time, at time.Duration, who netip.Prefix) Ban {
	b := Ban{Who: who, Since: now.Add(o.since - at), Why: o.why, Times: o.times, By: ByOperator}
	if !o.ever {
		b.Until = now.Add(o.until - at)
	}
	return b
}

// Bans returns the bans that hold, the latest first.
func (d *Defender) Bans(now time.Time) []Ban {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.tick(now)
	var out []Ban
	for p, o := range d.orders.by {
		if o.ever || at < o.until {
			out = append(out, o.ban(now, at, p))
		}
	}
	d.hosts.each(pinned, func(k key, h *host) bool {
		if h.banned && at < h.until {
			out = append(out, d.banOf(now, at, k, h))
		}
		return true
	})
	slices.SortFunc(out, func(a, b Ban) int {
		return cmp.Or(b.Since.Compare(a.Since), a.Who.Addr().Compare(b.Who.Addr()), a.Who.Bits()-b.Who.Bits())
	})
	return out
}

// Order bans by the operator's word, as wide as he likes; a long of 0 has no end. A
// ban of the same prefix is replaced. What is on the allow list stays free also
// where the ban is wider.
func (d *Defender) Order(now time.Time, who netip.Prefix, long time.Duration, why string) (Ban, error) {
	who, ok := Clean(who)
	if !ok || long < 0 {
		return Ban{}, ErrPrefix
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.tick(now)
	if d.allows(who) {
		return Ban{}, ErrAllowed
	}
	old := d.orders.by[who]
	if old == nil && len(d.orders.by) >= maxOrders {
		return Ban{}, ErrFull
	}
	long = min(long, mostAge) // which is 25 years: more does not outlive a restart, and the sum has to be a time
	o := &order{since: at, until: at + long, ever: long == 0, times: 1, why: line(why)}
	if old != nil {
		o.times = old.times + 1
	}
	d.orders.set(who, o)
	return o.ban(now, at, who), nil
}

// allows reports whether the whole of a prefix is on the allow list.
func (d *Defender) allows(who netip.Prefix) bool {
	found := false
	d.lists.longest(who.Addr(), func(p netip.Prefix, allow bool) bool {
		if p.Bits() > who.Bits() {
			return false // a part of it
		}
		found = allow
		return true
	})
	return found
}

// line makes one short line of a text.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), maxWhy)], "")
}

// Unban ends the bans of exactly this prefix, and forgets what has led to them. It
// returns one of them, if there was any.
func (d *Defender) Unban(now time.Time, who netip.Prefix) (ban Ban, found bool) {
	who, ok := Clean(who)
	if !ok {
		return Ban{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.tick(now)
	if o := d.orders.by[who]; o != nil {
		ban, found = o.ban(now, at, who), o.ever || at < o.until
		d.orders.delete(who)
	}
	if k, ok := keyOf(who); ok {
		if h := d.hosts.find(k); h != nil && h.banned && at < h.until {
			ban, found = d.banOf(now, at, k, h), true
			d.hosts.delete(k)
		}
	}
	return ban, found
}

// Expire returns the bans that have ended since it was called last, and when the
// next one will: zero for none.
func (d *Defender) Expire(now time.Time) (ended []Ban, next time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.tick(now)
	first, any := time.Duration(0), false
	soon := func(until time.Duration) {
		if !any || until < first {
			first, any = until, true
		}
	}
	for p, o := range d.orders.by {
		switch {
		case o.ever:
		case at < o.until:
			soon(o.until)
		default:
			ended = append(ended, o.ban(now, at, p))
			d.orders.delete(p)
		}
	}
	var over []key
	d.hosts.each(pinned, func(k key, h *host) bool {
		if at < h.until {
			soon(h.until)
		} else {
			over = append(over, k)
		}
		return true
	})
	for _, k := range over {
		h := d.hosts.find(k)
		h.banned = false
		ended = append(ended, d.banOf(now, at, k, h))
		d.hosts.settle(k, at)
	}
	if any {
		next = now.Add(first - at)
	}
	return ended, next
}

// Status is what a Defender knows.
type Status struct {
	Counts
	Bans      int // that hold
	Addresses int // that are known, with those banned
	Networks  int // that logins have failed from
	Users     int // that logins have failed of
	Highest   []Score
	Slowed    []Slowed // networks whose logins go one at a time
	Guessed   []Guessed
}

// Score is what an address has now.
type Score struct {
	Who    netip.Prefix
	Points int
	Why    Offence // the latest
}

// Slowed is a network, and Guessed a user, with so many failed logins.
type Slowed struct {
	Who    netip.Prefix
	Failed int
}

// Guessed is a user. Name may be cut.
type Guessed struct {
	Name   string
	Failed int
}

// Status returns what is known, of each kind the worst ones up to most.
func (d *Defender) Status(now time.Time, most int) Status {
	st := d.status(now)
	st.Highest = worst(st.Highest, most, func(s Score) int { return s.Points })
	st.Slowed = worst(st.Slowed, most, func(s Slowed) int { return s.Failed })
	st.Guessed = worst(st.Guessed, most, func(s Guessed) int { return s.Failed })
	return st
}

func (d *Defender) status(now time.Time) Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.tick(now)
	st := Status{Counts: d.count, Addresses: d.hosts.len(), Networks: d.nets.len(), Users: d.users.len()}
	for _, o := range d.orders.by {
		if o.ever || at < o.until {
			st.Bans++
		}
	}
	d.hosts.each(gone+1, func(k key, h *host) bool {
		if h.banned && at < h.until {
			st.Bans++
		} else if n := h.points.sum(at, d.conf.Within); n > 0 {
			st.Highest = append(st.Highest, Score{k.hostPrefix(), n, h.why})
		}
		return true
	})
	d.nets.each(2, func(k key, s *slowed) bool {
		if n := s.failed.sum(at, d.conf.Within); n >= d.ofNetwork() {
			st.Slowed = append(st.Slowed, Slowed{k.networkPrefix(), n})
		}
		return true
	})
	d.users.each(2, func(_ name, g *guessed) bool {
		if n := g.failed.sum(at, d.conf.Within); n >= d.ofUser() {
			st.Guessed = append(st.Guessed, Guessed{g.spelt, n})
		}
		return true
	})
	return st
}

func worst[T any](in []T, most int, of func(T) int) []T {
	slices.SortStableFunc(in, func(a, b T) int { return of(b) - of(a) })
	return slices.Clone(in[:min(len(in), most)])
}
