package edge

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/defender"
	"github.com/edgeftp/edgeftp/edge/pi"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

const (
	saveBans = time.Second      // until a ban is saved
	saveRest = 30 * time.Second // until other changes are
	mostHeld = 500              // answers that are delayed beyond Logins.FailDelay at once
)

// defence is the Defender at work: it waits, tells of bans, and keeps them.
type defence struct {
	d      *defender.Defender
	off    atomic.Bool // it does nothing, whatever it knows
	loaded atomic.Bool // memory was loaded, and may be saved to
	memory DefenceMemory
	banned func(Ban, []byte) // Defence.Banned
	log    *slog.Logger
	tell   func(policy.Event)
	guard  func(fn func()) bool // calls fn, and tells of its panic
	held   atomic.Int64

	mu       sync.Mutex
	expiry   alarm
	saver    alarm
	closed   bool
	unstored bool       // the last Save failed
	saving   sync.Mutex // held while Save runs
}

// alarm is a timer that can be set forward.
type alarm struct {
	timer *time.Timer
	at    time.Time // zero: it is not set
}

var _ pi.Defence = (*defence)(nil)

// newDefence makes the defence and loads what it has known before.
func newDefence(conf Defence, log *slog.Logger, tell func(policy.Event), guard func(func()) bool) *defence {
	s := &defence{memory: conf.Memory, banned: conf.Banned, log: log, tell: tell, guard: guard, d: defender.New(conf.defender(), time.Now())}
	s.off.Store(conf.Off)
	if !conf.Off {
		s.recall()
	}
	return s
}

func (d *Defence) defender() defender.Config {
	return defender.Config{Allow: d.Allow, Deny: d.Deny, Score: d.Score, Within: d.Within, Ban: d.Ban, MostBan: d.MostBan}
}

// recall loads what was known before, the first time that the defence is on.
func (s *defence) recall() {
	if s.memory == nil || s.loaded.Swap(true) {
		return
	}
	blob, err := s.memory.Load()
	if err == nil && len(blob) > 0 {
		err = s.d.Restore(blob, time.Now())
	}
	if err != nil {
		s.log.Error("the bans of earlier are lost; the defence begins anew", "error", err)
	}
	s.expire()
}

// configure puts another configuration in force, for who is there too. One that is turned
// off keeps what it knows, and goes on with that when it is turned on again.
func (s *defence) configure(conf *Defence) {
	if !conf.Off {
		s.recall()
	}
	s.d.Configure(conf.defender())
	s.off.Store(conf.Off)
}

// admit judges a connection that was accepted.
func (s *defence) admit(peer netip.Addr) bool {
	return s.off.Load() || s.d.Admit(time.Now(), peer) == defender.Welcome
}

// unwelcome is what the banned are told, and those in Config.Defence.Deny.
func unwelcome() wire.Reply {
	return pi.LimitBan.Refuses(wire.Say(wire.CodeNotAvailable, "Connections from your address are not accepted at present."))
}

// crowding notes a connection beyond Limits.SessionsPerIP.
func (s *defence) crowding(peer netip.Addr) { s.note(peer, defender.Crowding) }

// Offence implements pi.Defence.
func (s *defence) Offence(peer netip.Addr, what pi.Offence) {
	kinds := [...]defender.Offence{pi.OffenceSenseless: defender.Senseless, pi.OffenceLongLine: defender.LongLine,
		pi.OffenceForeign: defender.Foreign, pi.OffenceTLS: defender.BadTLS, pi.OffenceSilent: defender.Silent}
	s.note(peer, kinds[what])
}

func (s *defence) note(peer netip.Addr, what defender.Offence) {
	if s.off.Load() {
		return
	}
	if b, made := s.d.Note(time.Now(), peer, what); made {
		s.added(b)
		return
	}
	s.save(saveRest)
}

// Attempt implements pi.Defence.
func (s *defence) Attempt(ctx context.Context, peer netip.Addr, user string) wire.Reply {
	if s.off.Load() {
		return wire.Reply{}
	}
	switch turn := s.d.Attempt(time.Now(), peer, user); {
	case turn.Banned:
		return unwelcome()
	case turn.Slowed:
		return pi.LimitLogins.Refuses(wire.Say(wire.CodeNotAvailable, "Too many logins have failed here lately; try again in a moment."))
	default:
		pause(ctx, turn.Wait)
	}
	return wire.Reply{}
}

// Failed implements pi.Defence.
func (s *defence) Failed(ctx context.Context, peer netip.Addr, user string, code int, delay time.Duration) (banned bool) {
	if s.off.Load() {
		pause(ctx, delay)
		return false
	}
	what := defender.FailedLogin
	if code == int(wire.CodeNotAvailable) {
		what = defender.Unwelcome
	}
	long, b, banned := s.d.Failed(time.Now(), peer, user, what, delay)
	if banned {
		s.added(b)
	} else {
		s.save(saveRest)
	}
	if long > delay {
		// Who is held costs a session. Beyond this many the guessers have to be shown
		// out as fast as anybody else.
		if s.held.Add(1) > mostHeld {
			long = delay
		}
		defer s.held.Add(-1)
	}
	pause(ctx, long)
	return banned
}

// Welcomes reports whether a client of this address may connect now, as far as the defence
// knows: for who accepts connections in the server's place. It may be called at any time.
func (s *Server) Welcomes(peer netip.Addr) bool { return s.defence.admit(peer.Unmap()) }

// Welcome implements pi.Defence.
func (s *defence) Welcome(peer netip.Addr) bool { return s.admit(peer) }

// Entered implements pi.Defence.
func (s *defence) Entered(peer netip.Addr, user string) {
	if !s.off.Load() {
		s.d.Entered(time.Now(), peer, user)
		s.save(saveRest)
	}
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// added tells of a ban.
func (s *defence) added(b defender.Ban) {
	s.noted(b)
	s.tell(policy.Event{Kind: policy.EventBanAdded, Text: described(b)})
	if b.By == defender.ByScore {
		s.report(b)
	}
}

// noted has a ban in the log, ended in time and kept.
func (s *defence) noted(b defender.Ban) {
	s.log.Warn("banned", "event", policy.EventBanAdded.String(), "address", b.Who.String(), "until", end(b), "by", string(b.By), "reason", b.Why)
	s.comeBack(b.Until)
	s.save(saveBans)
}

// report tells Defence.Banned of a ban by score.
func (s *defence) report(b defender.Ban) {
	if s.banned == nil {
		return
	}
	if r := s.d.Report(time.Now(), b.Who); r != nil {
		s.banned(banned(b), r)
	}
}

// heed takes over what another server has reported, and reports it in its turn.
func (s *defence) heed(report []byte) error {
	news, err := s.d.Learn(report, time.Now())
	for _, b := range news {
		s.noted(b)
		s.report(b)
	}
	return err
}

// comeBack has expire called at a ban's end, if it has one. They are looked through a
// second apart at least, as there may be many.
func (s *defence) comeBack(until time.Time) {
	if !until.IsZero() {
		s.set(&s.expiry, max(time.Second, time.Until(until)), s.expire)
	}
}

func (s *defence) lifted(who netip.Prefix) bool {
	b, found := s.d.Unban(time.Now(), who)
	if found {
		s.over(b, "lifted")
		s.save(saveBans)
	}
	return found
}

// over tells of the end of a ban.
func (s *defence) over(b defender.Ban, how string) {
	s.log.Info("no longer banned", "event", policy.EventBanExpired.String(), "address", b.Who.String(), "how", how)
	s.tell(policy.Event{Kind: policy.EventBanExpired, Text: described(b)})
}

// end is when a ban ends.
func end(b defender.Ban) string {
	if b.Until.IsZero() {
		return "lifted"
	}
	return b.Until.UTC().Format(time.RFC3339)
}

func described(b defender.Ban) string {
	text := b.Who.String() + " until " + end(b)
	if b.Why != "" {
		text += ": " + b.Why
	}
	return text
}

// expire tells of the bans that have ended, and comes back for the next one.
func (s *defence) expire() {
	ended, next := s.d.Expire(time.Now())
	for _, b := range ended {
		s.over(b, "expired")
	}
	s.comeBack(next)
}

// save sees to it that what is known now is kept within some time.
func (s *defence) save(within time.Duration) {
	if s.memory != nil {
		s.set(&s.saver, within, s.store)
	}
}

// set lets an alarm go off in d, unless it is to go off before.
func (s *defence) set(a *alarm, d time.Duration, do func()) {
	at := time.Now().Add(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed || !a.at.IsZero() && !at.Before(a.at):
		return
	case a.timer != nil:
		a.timer.Stop()
	}
	a.at = at
	a.timer = time.AfterFunc(d, func() {
		s.mu.Lock()
		if a.at == at {
			a.at = time.Time{}
		}
		closed := s.closed
		s.mu.Unlock()
		if !closed {
			s.guard(do)
		}
	})
}

// store keeps what is known.
func (s *defence) store() {
	s.saving.Lock()
	defer s.saving.Unlock()
	err := s.memory.Save(s.d.Snapshot(time.Now()))
	if err != nil {
		if !s.unstored {
			s.log.Error("bans cannot be kept: a restart will forget them", "error", err)
		}
		s.save(saveRest)
	}
	s.unstored = err != nil
}

// close keeps what is known at the end. It may be called again.
func (s *defence) close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	for _, a := range []*alarm{&s.expiry, &s.saver} {
		if a.timer != nil {
			a.timer.Stop()
		}
	}
	s.mu.Unlock()
	if first && s.loaded.Load() && s.memory != nil {
		s.store()
	}
}

// reopen has what is known kept again, after close.
func (s *defence) reopen() {
	s.mu.Lock()
	if !s.closed {
		s.mu.Unlock()
		return
	}
	s.closed, s.expiry.at, s.saver.at = false, time.Time{}, time.Time{}
	s.mu.Unlock()
	s.expire()
	s.save(0)
}
