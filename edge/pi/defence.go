package pi

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Defence is told what clients do wrong before they are logged in, and says what
// becomes of it. Attempt and Failed run in helper goroutines and may wait until ctx
// ends; the others must not wait.
type Defence interface {
	// Attempt waits for a login's turn, before the password is looked at. A reply
	// that is not zero is the client's answer instead: the session ends with it.
	Attempt(ctx context.Context, peer netip.Addr, user string) wire.Reply
	// Failed notes a login that was refused with code, 0 for the usual one, and waits
	// before it is answered: delay, or longer. It reports whether the session is to end
	// with the answer.
	Failed(ctx context.Context, peer netip.Addr, user string, code int, delay time.Duration) (banned bool)
	// Welcome reports whether a login that went well still counts: its address may have
	// been banned while it waited. One that does not is a failed login like another.
	Welcome(peer netip.Addr) bool
	// Entered notes a login that went well; of a user that is nobody in particular
	// with an empty name.
	Entered(peer netip.Addr, user string)
	// Offence notes what is no login.
	Offence(peer netip.Addr, what Offence)
}

// Offence is something that clients do wrong before they are logged in.
type Offence uint8

// The offences.
const (
	OffenceSenseless Offence = iota + 1 // so many commands that make no sense that the session was ended
	OffenceLongLine                     // a line beyond every bound, which ended the session
	OffenceForeign                      // a request of another protocol
	OffenceTLS                          // a handshake that failed
	OffenceSilent                       // no login within Config.LoginWithin
)

// ErrBusy is wrapped by the errors of a Verifier for which too many passwords wait.
var ErrBusy = errors.New("too many passwords wait to be verified")

// undefended is the Defence of a configuration without one.
type undefended struct{}

func (undefended) Attempt(context.Context, netip.Addr, string) wire.Reply { return wire.Reply{} }
func (undefended) Welcome(netip.Addr) bool                                { return true }
func (undefended) Entered(netip.Addr, string)                             {}
func (undefended) Offence(netip.Addr, Offence)                            {}

func (undefended) Failed(ctx context.Context, _ netip.Addr, _ string, _ int, delay time.Duration) bool {
	if delay <= 0 {
		return false
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

func (c *Config) defence() Defence {
	if c.Defence == nil {
		return undefended{}
	}
	return c.Defence
}

// failed has a login that failed cost what it must. A policy's failure is not held
// against the client.
func (c *Config) failed(ctx context.Context, who policy.Session, d *policy.Denial) (banned bool) {
	if d.Failed {
		return undefended{}.Failed(ctx, who.Peer.Addr(), c.person(who.User), d.Code, c.FailDelay)
	}
	return c.defence().Failed(ctx, who.Peer.Addr(), c.person(who.User), d.Code, c.FailDelay)
}

// offend notes what a client has done wrong. What somebody does who is logged in is
// not the Defence's business.
func (s *Session) offend(what Offence) {
	if !s.rank.in {
		s.conf.defence().Offence(s.who.Peer.Addr(), what)
	}
}

// unheard ends a session whose login nobody has looked at.
func (s *Session) unheard(r wire.Reply) Outcome {
	e := policy.Event{Kind: policy.EventLoginFailed, Text: "not looked at: " + r.Lines[0]}
	s.log().Warn("login failed", "event", e.Kind.String(), "reason", e.Text)
	s.event(e)
	s.who.User = ""
	return Outcome{Reply: r, Close: true}
}

// busy is the answer where passwords cannot be verified in time (RFC 959 §5.4).
func busy() wire.Reply {
	return LimitPasswords.Refuses(wire.Say(wire.CodeNotAvailable, "Too many are logging in at the moment; try again in a while."))
}
