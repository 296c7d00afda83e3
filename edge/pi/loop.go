package pi

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Status says how Step has left a session.
type Status uint8

// The two ways to leave a session.
const (
	// Idle: nothing waits to be done. The session may be left alone until its
	// connection has bytes or Until has come, and entered again by any
	// goroutine.
	Idle Status = iota
	// Closed: the session has ended and everything of it was given back.
	Closed
)

const (
	maxHeld   = 16                    // lines that wait for a running job before TCP pushes back
	writeTime = 30 * time.Second      // for a client to take its replies
	mostOut   = 4 << 10               // bytes of replies for which the room is kept while somebody is in Step
	firstRead = 50 * time.Millisecond // waits at least so long: whoever enters Step does it for bytes that have come
	spareTime = time.Second           // for a client to ask for its next passive port
)

// Step owns the session: it carries out commands as they arrive, and returns
// when nothing has arrived for the given time or the session has ended. When
// ctx ends, a running transfer is aborted and the session closed.
func (s *Session) Step(ctx context.Context, wait time.Duration) Status {
	s.rise()
	s.link.plain.step, s.clock.awake = ctx, time.Now()
	if !s.link.greeted {
		s.greet(ctx)
	}
	stay := max(wait, firstRead)
	for s.job != nil || !s.link.closed {
		switch {
		case s.job != nil:
			if !s.carryOut(ctx) {
				return Closed
			}
		case len(s.held) > 0 && !s.Dismissed():
			next := s.held[0]
			s.held = s.held[1:]
			s.dispatch(ctx, next)
		case s.read(ctx, stay):
			s.slim()
			return Idle
		default:
			stay = wait
		}
	}
	s.end(ctx)
	return Closed
}

// slim gives up what a session needs only while somebody is in Step.
func (s *Session) slim() {
	s.link.reader.Release()
	s.closeSpare()
	s.link.out, s.link.plain.direct, s.link.plain.step = nil, nil, nil
	s.held, s.watch = nil, nil
	if p := s.rank.pace; p != nil {
		p.transfer = nil
	}
}

// Until returns when Step must be entered at the latest, even without bytes;
// zero is never.
func (s *Session) Until() time.Time {
	limit, from := s.conf.Idle, s.clock.line
	if !s.rank.in {
		limit, from = s.conf.LoginWithin, s.clock.began
	}
	var until time.Time
	if limit > 0 {
		until = from.Add(limit)
	}
	if p := s.port.until; !p.IsZero() && (until.IsZero() || p.Before(until)) {
		until = p
	}
	return until
}

// read waits for one line, itself, and carries it out. It reports whether it
// gave up because nothing arrived.
func (s *Session) read(ctx context.Context, wait time.Duration) (idle bool) {
	var until time.Time
	if s.clock.here = s.link.reader.Waiting(); !s.clock.here {
		if !s.flush() {
			return false
		}
		if until = s.sleepy(wait); s.clock.armed.IsZero() || until.Before(s.clock.armed) {
			s.arm(until) // a deadline that comes too early is looked at when it comes: to set it costs as much as a command
		}
	}
	if s.follows(); s.link.closed { // this and what follows after the deadline was set: Interrupt may have come before
		return false
	}
	if s.draining() || ctx.Err() != nil {
		s.say(or(s.conf.Replies.Draining, wire.Say(wire.CodeNotAvailable, "The server is shutting down.")))
		s.link.closed = true
		return false
	}
	if s.Dismissed() {
		s.farewell()
		return false
	}
	line, err := s.link.reader.ReadLine(s.link.conn)
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return s.expire(until)
	}
	if s.arrived(line, err) {
		cmd := s.conf.command(line)
		s.link.reader.Wipe() // it may have been a password
		s.dispatch(ctx, cmd)
	}
	return false
}

// arrived notes what a read has brought and reports whether it is a line to be
// carried out.
func (s *Session) arrived(line []byte, err error) bool {
	switch {
	case err == nil && s.clock.here: // with the one before
		s.clock.late = true
		return true
	case err == nil:
		s.clock.line = time.Now()
		return true
	case errors.Is(err, wire.ErrLineEndless):
		s.offend(OffenceLongLine)
		s.say(wire.Say(wire.CodeUnrecognized, "That line is too long: %d bytes are the most.", wire.MaxLine))
		s.link.closed = true
	case errors.Is(err, wire.ErrLineTooLong):
		s.clock.line = time.Now()
		s.say(wire.Say(wire.CodeUnrecognized, "That line is too long: %d bytes are the most.", wire.MaxLine))
		s.strike(maxStrikes/3 + 1) // the third one closes
	default:
		s.link.closed = true
	}
	return false
}

// sleepy returns when a read that brings nothing is given up.
func (s *Session) sleepy(wait time.Duration) time.Time {
	if s.last != nil {
		wait = min(wait, spareTime) // to give it back, see slim
	}
	if s.clock.late {
		s.clock.line, s.clock.late = time.Now(), false
	}
	from := s.clock.line
	if from.Before(s.clock.awake) {
		from = s.clock.awake
	}
	until := from.Add(wait)
	if u := s.Until(); !u.IsZero() && u.Before(until) {
		until = u
	}
	return until
}

// arm sets the connection's read deadline; the zero time is none.
func (s *Session) arm(t time.Time) {
	s.clock.armed = t
	_ = s.link.raw.SetReadDeadline(t)
}

// expire does what is due and reports whether nothing was, so that the owner
// may leave. The read was to be given up at until, unless it was interrupted.
func (s *Session) expire(until time.Time) (idle bool) {
	s.clock.armed = time.Time{}
	now := time.Now()
	if now.Before(until) {
		return false
	}
	if u := s.port.until; !u.IsZero() && !now.Before(u) {
		s.closePort()
		return false
	}
	if u := s.Until(); s.draining() || u.IsZero() || now.Before(u) {
		return !s.draining()
	}
	s.offend(OffenceSilent)
	s.event(policy.Event{Kind: policy.EventTimeout})
	s.say(or(s.conf.Replies.Idle, wire.Say(wire.CodeNotAvailable, "Nothing was heard for too long; closing the control connection.")))
	s.link.closed = true
	return false
}

func (s *Session) draining() bool {
	select {
	case <-s.conf.Drain:
		return true
	default:
		return false
	}
}

// flush writes the replies that wait, and reports whether the connection took
// them.
func (s *Session) flush() bool {
	if len(s.link.out) == 0 {
		return true
	}
	_, err := s.link.conn.Write(s.link.out)
	if s.link.out = s.link.out[:0]; cap(s.link.out) > mostOut {
		s.link.out = nil
	}
	if err != nil {
		s.link.closed = true
	}
	return err == nil
}

// say queues a reply.
func (s *Session) say(r wire.Reply) {
	if s.errand != nil {
		s.errand.hear(r)
		return
	}
	if !s.link.lang.Identity() {
		r = r.In(s.link.lang.Say)
	}
	if s.conf.Charset.Identity() {
		s.link.out = r.Append(s.link.out)
		return
	}
	s.link.out = r.AppendEncoded(s.link.out, s.conf.Charset.Encode)
}

// end closes what is left. The client may have sent more than was read; a short
// look at it keeps the last reply from being lost to a reset.
func (s *Session) end(ctx context.Context) {
	patience := 100 * time.Millisecond
	if ctx.Err() != nil {
		patience = 30 * time.Millisecond
	}
	s.flush()
	s.depart()
	s.closePort()
	s.closeSpare()
	s.held = nil
	if tc, ok := s.link.conn.(interface{ CloseWrite() error }); ok {
		s.link.plain.within = patience
		if tc.CloseWrite() == nil && !s.link.quiet {
			s.event(policy.Event{Kind: policy.EventTLSShutdown})
		}
	}
	if c, ok := s.link.raw.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		_ = s.link.raw.SetReadDeadline(time.Now().Add(patience))
		_, _ = io.CopyN(io.Discard, s.link.raw, 64<<10)
	}
	_ = s.link.raw.Close()
	if s.link.told || !s.link.quiet {
		s.event(policy.Event{Kind: policy.EventDisconnect})
	}
}
