package edge

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/defender"
)

// Defence says how the server defends itself against those who guess passwords or
// speak nonsense before they are logged in. The zero value is the defence in force,
// with the defaults that each field names. Loopback is an address like any other.
//
// Points are held against an address (an IPv4 address, or the IPv6 /64 that one
// client has at least): 10 for a failed login, whether there is such a user or not; 25
// for a login that a policy answers with 421, by which it says that it has seen enough;
// 20 for senseless commands that end the session, and for a line beyond every bound; 5
// for a request of another protocol, and for a connection that has used up
// Timeouts.Login; 1 for a TLS handshake that failed, unless there was no certificate
// for it, and for a connection beyond Limits.SessionsPerIP. The last four are not held
// against an address from which somebody has logged in within 14 days: any page on the web
// can have its readers' browsers do that. A login that goes well costs nothing and takes
// nothing off.
//
// Whoever reaches Score is banned: his connections are answered 421 (RFC 959 §5.4) and
// closed before anything else is done for them; where TLS is implicit they are just
// closed. Sessions that are logged in go on. An answer to a failed login is delayed
// longer with each three failures, from Logins.FailDelay up to 15 s.
//
// The /24 or /48 around an address, and a user, are never banned. Beyond ten times, or
// twice, as many failed logins as make a ban, their logins are looked at one at a time,
// of a user one at a time from each /24 or /48. Not slowed are a user's logins from a
// /24 or /48 where he has logged in within 14 days, and addresses from which somebody
// has, by guesses of their neighbours or made elsewhere.
type Defence struct {
	// Off turns all of this off, the lists and the operator's bans too.
	Off bool
	// Allow holds who is never banned or slowed, though limited like all others, and
	// asked for a password; Deny who is turned away at once. Of several prefixes that
	// hold an address the longest counts, of two alike Deny.
	Allow, Deny []netip.Prefix
	Score       int           // that makes a ban; 0: 150, which is 15 failed logins; at most 50,000
	Within      time.Duration // for which points count, and up to an eighth longer; 0: 30 minutes
	// Ban is how long the first ban lasts; 0: 15 minutes. One that follows within
	// MostBan of the end of the last is twice as long as that, but not longer than
	// MostBan; 0: 24 hours.
	Ban, MostBan time.Duration
	// Memory keeps bans and scores across restarts; nil keeps them in this process.
	Memory DefenceMemory
	// Banned is told of each ban by score as it is made, with what Heed of another server, on the
	// same addresses, takes: at most 200 bytes. It must not block. Nil: nobody is. Apply does not
	// change it.
	Banned func(b Ban, report []byte)
}

// DefenceMemory keeps what the defence knows: bans, scores, and from where users have
// logged in (as digests of their names). It is at most 1 MiB, and as confidential as a
// log is. One goroutine at a time calls it, none of which serves a client.
type DefenceMemory interface {
	// Load returns what Save was given last, nil if nothing. After an error, and when
	// it is damaged, the defence begins anew and the log says so.
	Load() ([]byte, error)
	// Save keeps it in the place of what was. It is called within a second of a ban,
	// within half a minute of other changes, and at the end. An error is logged, and
	// tried again.
	Save([]byte) error
}

// Ban is a ban that holds.
type Ban struct {
	Who          netip.Prefix // by score, an IPv4 /32 or an IPv6 /64
	Since, Until time.Time    // by the wall clock as it stands; Until is zero where there is no end
	Why          string       // in one line
	Times        int          // that it was banned, this one included
	By           string       // "score" or "operator"
}

// DefenceStatus tells what the defence knows and has done. Numbers without another word
// count from New.
type DefenceStatus struct {
	Off        bool   // the defence is
	Bans       int    // that hold
	Banned     uint64 // bans by score
	TurnedAway uint64 // connections and logins of who is banned
	Denied     uint64 // connections of who is in Defence.Deny
	Waited     uint64 // logins that had to wait for their turn
	Refused    uint64 // logins that were refused with 421 as too many were waiting
	Unrecorded uint64 // offences for which there was no room: see Addresses
	// Addresses is how many are known, banned or not, at most 50,000. The lowest scores
	// go first when it is full; bans are never pushed out by others.
	Addresses int
	Networks  int           // /24 and /48 that logins have failed from, at most 10,000
	Users     int           // that logins have failed of, at most 10,000
	Held      int           // failed logins whose answer is being delayed beyond Logins.FailDelay
	Highest   []Score       // the highest, at most 20, without the banned
	Slowed    []SlowedPlace // networks whose logins go one at a time, at most 20
	Guessed   []SlowedUser  // users whose logins go one at a time, at most 20
}

// Score is what is held against an address now.
type Score struct {
	Who    netip.Prefix // an IPv4 /32 or an IPv6 /64
	Points int          // within Defence.Within
	Why    string       // the latest offence
}

// SlowedPlace is a network with many failed logins.
type SlowedPlace struct {
	Who    netip.Prefix // an IPv4 /24 or an IPv6 /48
	Failed int          // logins, within Defence.Within
}

// SlowedUser is a user, or the name of none, with many failed logins.
type SlowedUser struct {
	User   string // cut at 64 bytes; "user@host" of one of a virtual host's
	Failed int    // logins, within Defence.Within
}

// Bans returns the bans that hold, the latest first.
func (s *Server) Bans() []Ban {
	if s.defence.off.Load() {
		return nil
	}
	var out []Ban
	for _, b := range s.defence.d.Bans(time.Now()) {
		out = append(out, banned(b))
	}
	return out
}

// Ban turns connections from a prefix away for d, by the operator's word; 0 has no
// end. The prefix may be as wide as the operator likes, and what Defence.Allow holds of
// it stays free. A ban of the same prefix is replaced. Sessions that are logged in go
// on. The error says that the defence is off, that all of the prefix is in
// Defence.Allow, or that there are 1,000 such bans.
func (s *Server) Ban(who netip.Prefix, d time.Duration, why string) (Ban, error) {
	if s.defence.off.Load() {
		return Ban{}, fmt.Errorf("edge: %v cannot be banned: Config.Defence is off", who)
	}
	b, err := s.defence.d.Order(time.Now(), who, d, why)
	if err != nil {
		return Ban{}, fmt.Errorf("edge: %v cannot be banned: %w", who, err)
	}
	s.defence.added(b)
	return banned(b), nil
}

// Unban ends the ban of exactly this prefix and forgets what has led to it. It reports
// whether there was one. Observers are told that it has expired.
func (s *Server) Unban(who netip.Prefix) bool {
	return !s.defence.off.Load() && s.defence.lifted(who)
}

// Heed bans whom another server has banned, by its report (Defence.Banned): for as long as that one has, unless
// the ban here is as long. The log tells of it; observers are told by the other server. A report that cannot
// be read is an error. A defence that is off heeds nobody.
func (s *Server) Heed(report []byte) error {
	if s.defence.off.Load() {
		return nil
	}
	if err := s.defence.heed(report); err != nil {
		return fmt.Errorf("edge: what another server reports: %w", err)
	}
	return nil
}

// Defence returns what the defence knows now. It looks through all of it: call it as
// somebody looks, not for each client.
func (s *Server) Defence() DefenceStatus {
	if s.defence.off.Load() {
		return DefenceStatus{Off: true}
	}
	in := s.defence.d.Status(time.Now(), 20)
	st := DefenceStatus{Bans: in.Bans, Banned: in.Banned, TurnedAway: in.TurnedAway, Denied: in.Denied, Waited: in.Waited,
		Refused: in.Refused, Unrecorded: in.Unrecorded, Addresses: in.Addresses, Networks: in.Networks, Users: in.Users,
		Held: int(s.defence.held.Load())}
	for _, x := range in.Highest {
		st.Highest = append(st.Highest, Score{x.Who, x.Points, x.Why.String()})
	}
	for _, x := range in.Slowed {
		st.Slowed = append(st.Slowed, SlowedPlace(x))
	}
	for _, x := range in.Guessed {
		st.Guessed = append(st.Guessed, SlowedUser{named(x.Name), x.Failed})
	}
	return st
}

func banned(b defender.Ban) Ban {
	return Ban{Who: b.Who, Since: b.Since, Until: b.Until, Why: b.Why, Times: b.Times, By: string(b.By)}
}

// check completes and validates d.
func (d *Defence) check() error {
	d.Score = cmp.Or(d.Score, 150)
	d.Within = cmp.Or(d.Within, 30*time.Minute)
	d.MostBan = cmp.Or(d.MostBan, 24*time.Hour)
	d.Ban = cmp.Or(d.Ban, min(15*time.Minute, d.MostBan))
	const longest = 10 * 365 * 24 * time.Hour
	switch {
	case d.Score < 1 || d.Score > defender.MaxScore:
		return fmt.Errorf("edge: Config.Defence.Score is %d: 1 to %d are possible, and Off turns the defence off", d.Score, defender.MaxScore)
	case d.Within < time.Second || d.Ban < time.Second || d.MostBan < d.Ban || d.Within > longest || d.MostBan > longest:
		return fmt.Errorf("edge: Config.Defence has Within %v, Ban %v and MostBan %v: each is a second to ten years, and MostBan no less than Ban",
			d.Within, d.Ban, d.MostBan)
	}
	for _, list := range [][]netip.Prefix{d.Allow, d.Deny} {
		for _, p := range list {
			if _, ok := defender.Clean(p); !ok {
				return fmt.Errorf("edge: Config.Defence.Allow and Deny need prefixes of addresses; %v is none", p)
			}
		}
	}
	return nil
}
