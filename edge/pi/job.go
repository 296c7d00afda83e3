package pi

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/wire"
)

const (
	unattended = 2 * time.Millisecond // for a job to end before somebody attends to its session
	recallTime = 5 * time.Second      // for the reader to come back from a read
	lookEvery  = time.Second          // for a client that is not read from to have gone
)

// Why a job was told to end.
var (
	errAborted  = errors.New("aborted by the client")
	errLost     = errors.New("the control connection was lost")
	errShutdown = errors.New("the server is shutting down")
)

// running is a job at work.
type running struct {
	*Job
	row    *Spec
	who    *policy.Session // whose it is, for the log
	began  time.Time
	ctx    context.Context
	cancel func(cause error)
	aborts int // ABORs that wait for its end
	report report
}

// watch is what it takes that somebody may attend to a session. It is kept from one job to
// the next until the session is at rest, which is the end of the Step whose context its
// timer has, and holds no timer between two.
type watch struct {
	timer *time.Timer
	over  chan struct{} // the job has ended
	back  chan bool     // the session's return; false if it has ended too
}

// start prepares a job.
func (s *Session) start(ctx context.Context, j *Job, report report) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx)) // attend passes ctx's end on, with its reason
	who := j.who
	if who == nil {
		who = s.whose()
	}
	report.began = s.begun()
	s.job = &running{Job: j, row: s.row, who: who, began: time.Now(), ctx: ctx, cancel: cancel, report: report}
	if j.Progress != nil {
		s.note(wordMoving, wordMoving)
	}
}

// carryOut carries the job out in the goroutine of the owner, and reports whether the
// session is still there. Most jobs are over at once, and cost no goroutine, no reader
// and none of their switches: an upload of 4 KiB takes 246 us of CPU so, and 306 where
// somebody attends from its beginning. While a job goes on for longer, another goroutine
// attends to the session, which is its own meanwhile: its timer starts it, unless the job's
// end has stopped the timer before.
func (s *Session) carryOut(ctx context.Context) bool {
	r, quick := s.job, unattended
	if s.link.closed {
		r.cancel(errLost)
	}
	if s.link.reader.Waiting() {
		quick = 0
	}
	w := s.watch
	if w == nil {
		w = &watch{over: make(chan struct{}, 1), back: make(chan bool, 1)}
		s.watch = w
		w.timer = time.AfterFunc(quick, func() { s.takeOver(ctx, w) })
	} else {
		w.timer.Reset(quick)
	}
	settle := r.work(s.conf)
	if !w.timer.Stop() {
		w.over <- struct{}{}
		if !<-w.back {
			return false
		}
	}
	s.settle(ctx, settle)
	return true
}

// work is the job's part of it all.
func (r *running) work(conf *Config) (settle Settle) {
	defer func() {
		if p := recover(); p != nil {
			conf.panicked(conf.logOf(r.who), p)
			settle = func(*Session) Outcome {
				return Outcome{Reply: wire.Say(wire.CodeLocalError, "The server made a mistake; the command was given up.")}
			}
		}
	}()
	return r.Run(r.ctx)
}

// takeOver owns the session until its job has ended.
func (s *Session) takeOver(ctx context.Context, w *watch) {
	ok := false
	defer func() {
		if p := recover(); p != nil {
			s.conf.guard(s.conf.Log, func() { s.Panic(p) })
		}
		w.back <- ok
	}()
	s.attend(ctx, w.over)
	ok = true
}

// heard is what the reader brings back.
type heard struct {
	cmd wire.Command
	err error
}

// attend stays with the session until its job is done, and answers meanwhile.
func (s *Session) attend(ctx context.Context, over <-chan struct{}) {
	lines := make(chan heard, 1)
	reading := false
	stop := ctx.Done()
	var look <-chan time.Time
	s.expose()
	s.arm(time.Time{})
	for {
		if s.Dismissed() { // looked at behind the deadline and what Dismiss cancels
			s.job.cancel(errDismissed)
		}
		s.follows()
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
		case <-over:
			if reading {
				s.recall(lines)
			}
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
		s.arm(time.Time{})
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

// settle ends the job: its reply first, then those of the ABORs that waited for
// it.
func (s *Session) settle(ctx context.Context, settle Settle) {
	aborts, report := s.job.aborts, s.job.report
	s.job.cancel(nil)
	s.row = s.job.row
	s.job = nil
	s.note(wordMoving, 0)
	s.cover()
	s.clock.line = time.Now() // the idle limit rests during a job
	s.apply(ctx, settle(s), report)
	s.row = nil
	for range aborts {
		s.say(wire.Say(wire.CodeClosingData, "The transfer was aborted as asked."))
	}
}
