package pi

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
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
	maxHeld    = 16               // lines that wait for a running job before TCP pushes back
	recallTime = 5 * time.Second  // for the reader to come back from a read
	writeTime  = 30 * time.Second // for a client to take its replies
	spareTime  = time.Second      // for a client to ask for its next passive port
	lookEvery  = time.Second      // for a client that is not read from to have gone
)

// Why a job was told to end.
var (
	errAborted  = errors.New("aborted by the client")
	errLost     = errors.New("the control connection was lost")
	errShutdown = errors.New("the server is shutting down")
)

// Step owns the session: it carries out commands as they arrive, and returns
// when nothing has arrived for the given time or the session has ended. When
// ctx ends, a running transfer is aborted and the session closed.
func (s *Session) Step(ctx context.Context, wait time.Duration) Status {
	stop := context.AfterFunc(ctx, s.link.plain.hurry)
	defer stop()
	if !s.link.greeted {
		s.greet(ctx)
	}
	for s.job != nil || !s.link.closed {
		switch {
		case s.job != nil:
			s.attend(ctx)
		case len(s.held) > 0:
			next := s.held[0]
			s.held = s.held[1:]
			s.dispatch(ctx, next)
		case s.read(ctx, wait):
			s.link.reader.Release()
			s.closeSpare()
			return Idle
		}
	}
	s.end()
	return Closed
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
	if !s.link.reader.Waiting() && !s.flush() {
		return false
	}
	if s.last != nil {
		wait = min(wait, spareTime) // to give it back, see Step
	}
	deadline := time.Now().Add(wait)
	if u := s.Until(); !u.IsZero() && u.Before(deadline) {
		deadline = u
	}
	_ = s.link.raw.SetReadDeadline(deadline)
	if s.draining() || ctx.Err() != nil { // after the deadline was set: Interrupt may have come before
		s.say(or(s.conf.Replies.Draining, wire.Say(wire.CodeNotAvailable, "The server is shutting down.")))
		s.link.closed = true
		return false
	}
	line, err := s.link.reader.ReadLine(s.link.conn)
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return s.expire()
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

// expire does what is due and reports whether nothing was, so that the owner
// may leave.
func (s *Session) expire() (idle bool) {
	now := time.Now()
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

// heard is what the reader brings back.
type heard struct {
	cmd wire.Command
	err error
}

// attend stays with the running job until it is done, and answers meanwhile.
func (s *Session) attend(ctx context.Context) {
	lines := make(chan heard, 1)
	reading := false
	stop := ctx.Done()
	var look <-chan time.Time
	_ = s.link.raw.SetReadDeadline(time.Time{})
	for {
		if !reading && s.mayRead() {
			reading = true
			go s.hear(lines)
		}
		if s.flush(); s.link.closed {
			s.job.cancel(errLost) // RFC 959 §4.1.1: as if ABOR and QUIT had come
		}
		if !reading && !s.link.closed && s.job.Alone && look == nil {
			look = time.After(lookEvery) // no read will tell that the client has gone, nor will a data connection
		}
		select {
		case <-look:
			look, s.link.closed = nil, s.link.closed || dtp.Gone(s.link.raw)
		case h := <-lines:
			reading = false
			s.meanwhile(ctx, h)
		case settle := <-s.job.done:
			if reading {
				s.recall(lines)
			}
			s.settle(ctx, settle)
			return
		case <-stop:
			s.job.cancel(errShutdown)
			stop = nil
		}
	}
}

// hear reads one line for the owner.
func (s *Session) hear(lines chan<- heard) {
	h := heard{err: errPanicked}
	defer func() {
		if p := recover(); p != nil {
			s.conf.panicked(s.conf.Log, p)
		}
		lines <- h
	}()
	line, err := s.link.reader.ReadLine(s.link.conn)
	h = heard{s.conf.command(line), err}
	s.link.reader.Wipe()
}

// mayRead reports whether a further line may be read during a job: not behind a
// Barrier, not when enough wait already, and not when the client is gone.
func (s *Session) mayRead() bool {
	if s.link.closed || s.job.aborts > 0 || len(s.held) >= maxHeld {
		return false
	}
	for _, c := range s.held {
		if spec, _, ok := s.conf.Table.Lookup(c); ok && spec.Barrier {
			return false
		}
	}
	return true
}

// meanwhile takes a line that arrived during a job: it is answered at once or
// waits.
func (s *Session) meanwhile(ctx context.Context, h heard) {
	if errors.Is(h.err, os.ErrDeadlineExceeded) {
		_ = s.link.raw.SetReadDeadline(time.Time{})
		return // Interrupt: the server drains, and the job goes on
	}
	if h.err != nil {
		s.arrived(nil, h.err)
		return
	}
	s.clock.line = time.Now()
	spec, cmd, ok := s.conf.Table.Lookup(h.cmd)
	// Replies keep the order of their commands (RFC 959 §4.2), but for ABOR's.
	inTurn := len(s.held) == 0 || ok && spec.Urgent
	hears := !s.job.Alone || ok && spec.Urgent && s.job.Progress != nil
	if ok && spec.lane(cmd) == Beside && inTurn && hears {
		s.dispatch(ctx, h.cmd)
		return
	}
	s.held = append(s.held, h.cmd)
}

// recall gets the reader back, with the line that it may have won.
func (s *Session) recall(lines <-chan heard) {
	s.Interrupt()
	limit := time.AfterFunc(recallTime, s.Kill)
	h := <-lines
	limit.Stop()
	switch {
	case errors.Is(h.err, os.ErrDeadlineExceeded):
	case h.err != nil:
		s.arrived(nil, h.err)
	default:
		s.clock.line = time.Now()
		s.held = append(s.held, h.cmd)
	}
}

// start lets a job run in its helper goroutine.
func (s *Session) start(ctx context.Context, j *Job, report policy.Event) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx)) // attend passes ctx's end on, with its reason
	r := &running{Job: j, row: s.row, began: time.Now(), cancel: cancel, done: make(chan Settle, 1), report: report}
	s.job = r
	s.transferring.Store(j.Progress != nil)
	log, conf := s.log(), s.conf
	go func() {
		settle := Settle(func(*Session) Outcome {
			return Outcome{Reply: wire.Say(wire.CodeLocalError, "The server made a mistake; the command was given up.")}
		})
		defer func() {
			if p := recover(); p != nil {
				conf.panicked(log, p)
			}
			r.done <- settle
		}()
		settle = j.Run(ctx)
	}()
}

// settle ends the job: its reply first, then those of the ABORs that waited for
// it.
func (s *Session) settle(ctx context.Context, settle Settle) {
	aborts, report := s.job.aborts, s.job.report
	s.job.cancel(nil)
	s.row = s.job.row
	s.job = nil
	s.transferring.Store(false)
	s.clock.line = time.Now() // the idle limit rests during a job
	s.apply(ctx, settle(s), report)
	s.row = nil
	for range aborts {
		s.say(wire.Say(wire.CodeClosingData, "The transfer was aborted as asked."))
	}
}

// flush writes the replies that wait, and reports whether the connection took
// them.
func (s *Session) flush() bool {
	if len(s.link.out) == 0 {
		return true
	}
	_, err := s.link.conn.Write(s.link.out)
	s.link.out = nil
	if err != nil {
		s.link.closed = true
	}
	return err == nil
}

// say queues a reply.
func (s *Session) say(r wire.Reply) {
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
func (s *Session) end() {
	patience := 100 * time.Millisecond
	if s.link.plain.hasty.Load() {
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
