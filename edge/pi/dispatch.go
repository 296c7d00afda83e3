package pi

import (
	"context"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Commands that make no sense end the connection when there are maxStrikes of
// them. Before the login each counts for loudStrike, but a command that only came
// too early, so that whoever asks for them one by one gets an answer to each.
const (
	maxStrikes = 100
	loudStrike = 10
)

// dispatch carries one command out: look-up, argument, state, sequence and
// permission are checked here, for every command alike, in the model's order.
func (s *Session) dispatch(ctx context.Context, c wire.Command) {
	spec, cmd, ok := s.find(c)
	if !ok {
		s.unknown(cmd)
		return
	}
	defer s.atRest()
	s.busy()
	if id := &s.rank.id; s.rank.in && !id.Expires.IsZero() && time.Now().After(id.Expires) {
		s.say(wire.Say(wire.CodeNotAvailable, "This login has expired."))
		s.link.closed = true
		return
	}
	err := spec.Grammar.arity(cmd)
	if err == nil {
		err = s.may(spec)
	}
	var args Args
	if err == nil {
		args, err = spec.Grammar.parse(cmd, s.cwd, s.rank.home)
	}
	if err != nil {
		r := s.answer(err)
		s.say(r)
		s.strikeFor(r)
		return
	}
	if s.job == nil && !s.lease.Held() { // Beside a running job the lease is the job's
		s.lease = s.conf.Chain.LeaseOf(s.who.ID, s.conf.VHost)
	}
	beside := s.row // of a running command, while this one is answered
	s.row = spec
	var out Outcome
	if err := s.permitted(spec, c, cmd); err != nil {
		out = s.Fail(err)
	} else {
		out = spec.Handler(s, args)
	}
	s.strikeFor(out.Reply)
	s.apply(ctx, out, report{row: spec, args: args})
	s.row = beside
}

// may checks what does not depend on the argument.
func (s *Session) may(spec *Spec) error {
	if spec.State == LoggedIn && !s.rank.in {
		return wire.Say(wire.CodeNotLoggedIn, "Log in with USER and PASS first.")
	}
	if spec.Login && s.conf.TLSControl && !s.who.TLS.Enabled() {
		return wire.Say(wire.CodeUnavailable, "Logging in needs TLS here: send AUTH TLS first.")
	}
	if spec.Needs != MemoryNone && !s.left.has(spec.Needs) {
		return wire.Say(wire.CodeBadSequence, "%s must come first.", s.conf.Table.leaver(spec.Needs))
	}
	return nil
}

func (m *memory) has(what Memory) bool {
	switch what {
	case MemoryUser:
		return m.user != ""
	case MemoryRename:
		return m.rename != ""
	case MemoryCopy:
		return m.copy != ""
	}
	return true
}

// apply does what a handler or a job's end has said, and tells the observers of
// a command that is done.
func (s *Session) apply(ctx context.Context, out Outcome, done report) {
	if !out.Reply.IsZero() {
		s.say(out.Reply)
	}
	if out.Job != nil {
		s.flush()
		s.start(ctx, out.Job, done)
		return
	}
	s.report(done, out.Reply.Code)
	if out.Secure {
		s.secure(ctx)
	}
	if out.Close {
		s.link.closed = true
	}
	s.atRest()
}

// atRest gives the lease back where no job goes on with it.
func (s *Session) atRest() {
	if s.job == nil {
		s.letGo()
	}
}

// report is what observers are told of a command, but for how it ended.
type report struct {
	row   *Spec
	args  Args
	began time.Time // of a job's; zero: see begun
}

// report tells the observers and the log of a command that is done. A password is not
// told.
func (s *Session) report(r report, code wire.Code) {
	if r.began.IsZero() {
		r.began = s.begun()
	}
	s.trace(&r, code)
	if !s.observed(policy.EventCommandDone) { // asked once: the answer may change in between
		s.requests++
		return
	}
	e := policy.Event{Kind: policy.EventCommandDone, Code: int(code), Text: r.row.Verb, Path: string(r.args.Path)}
	if r.args.Given && !r.row.secret() {
		e.Text += " " + r.args.Text
	}
	e.Meta = s.meta()
	s.clock.done = e.Time
	e.Took = max(0, e.Time.Sub(r.began))
	s.observe(e)
}

// begun is when the command at hand was there, or, of those that came together, when the
// one before it was done: as far as anybody observes.
func (s *Session) begun() time.Time {
	if s.clock.done.After(s.clock.line) {
		return s.clock.done
	}
	return s.clock.line
}

// unknown answers a command that is not in the table. Another protocol's request
// ends the connection: somebody's browser is being used against us.
func (s *Session) unknown(c wire.Command) {
	if n := s.conf.Unknown; n != nil {
		n.Add(1)
	}
	if s.conf.Table.foreign(c) {
		s.offend(OffenceForeign)
		s.link.closed = true
		return
	}
	r := wire.Say(wire.CodeUnrecognized, "That is not a command of this server.")
	if c.Verb != "" {
		r = wire.Say(wire.CodeUnrecognized, "%s is not a command of this server.", c.Verb)
	}
	s.say(r)
	s.strikeFor(r)
}

// strikeFor counts a reply that says the client does not know what it does.
func (s *Session) strikeFor(r wire.Reply) {
	switch r.Code {
	case wire.CodeUnrecognized, wire.CodeBadArgument, wire.CodeBadSequence:
		if !s.rank.in {
			s.strike(loudStrike)
			return
		}
		s.strike(1)
	case wire.CodeNotLoggedIn:
		s.strike(1)
	}
}

func (s *Session) strike(n int) {
	if s.strikes += n; s.strikes >= maxStrikes {
		s.offend(OffenceSenseless)
		s.say(wire.Say(wire.CodeNotAvailable, "Too many commands that make no sense here; closing the control connection."))
		s.link.closed = true
	}
}

// Panic is to be called with what recover returned in the goroutine that owns
// the session: the session ends, the server goes on.
func (s *Session) Panic(p any) {
	s.rise()
	s.conf.panicked(s.log(), p)
	s.Kill()
	if s.job != nil {
		s.job.cancel(errLost)
	}
	s.depart()
	s.closePort()
	s.closeSpare()
	s.letGo()
	s.event(policy.Event{Kind: policy.EventDisconnect})
}
