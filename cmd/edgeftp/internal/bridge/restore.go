package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/wire"
)

// dialogue bounds one answer of the server while a session is opened or brought back.
const dialogue = 30 * time.Second

// errSlow is why nobody waits any longer for the server.
var errSlow = errors.New("the server cannot be reached at the moment")

// restoration opens a session with the server, brings it to where the last one was, and has
// a transfer go on in it. It runs beside the owner, who reads nothing of it before done.
type restoration struct {
	again  memory    // what is to be said again
	asked  *asked    // whose transfer is to go on; nil: none
	job    *transfer // that transfer
	before bool      // there was a session
	limit  time.Duration
	settle time.Duration
	stop   context.CancelFunc
	done   chan struct{}

	far      *far
	greeting []byte
	err      error  // there is no session
	cold     error  // there is one, and the transfer cannot go on
	whole    bool   // all of the download had come
	mark     []byte // of the upload that goes on, which the client has not got
}

// restore begins to open a session.
func (s *session) restore() { s.begins(&restoration{again: s.memory, before: s.greeted}) }

// resume begins to bring a session back so that a transfer goes on.
func (s *session) resume(a *asked) {
	a.part, a.before, a.again = nil, nil, a.marked
	if s.restoring != nil {
		return
	}
	s.log.Info(a.job.kind()+" waits", "session", s.id, "path", a.arg, "bytes", a.job.moved.Load())
	s.begins(&restoration{again: s.memory, before: true, asked: a, job: a.job})
}

func (s *session) begins(r *restoration) {
	r.limit, r.settle = s.bridge.Patience, s.bridge.Settle
	if !r.before {
		r.limit = s.bridge.Connect
	}
	r.done = make(chan struct{})
	var ctx context.Context
	ctx, r.stop = context.WithTimeoutCause(s.ctx, r.limit, errSlow)
	s.restoring = r
	trunk := s.bridge.trunk
	s.work.Go(func() {
		defer close(r.done)
		defer r.stop()
		r.run(ctx, trunk)
	})
}

// run tries until there is a session, or the time is over.
func (r *restoration) run(ctx context.Context, trunk *trunk) {
	if r.job != nil {
		select {
		case <-r.job.stuck:
		case <-r.job.done:
			r.err = r.job.err
			r.whole = r.err == nil
			return
		case <-ctx.Done():
			r.err = context.Cause(ctx)
			return
		}
	}
	var last error
	for {
		link, err := trunk.get(ctx)
		if err == nil {
			if err = r.open(ctx, link); err == nil || link.Err() == nil {
				r.err = err
				return
			}
		} else if !r.before {
			r.err = err
			return
		}
		if ctx.Err() != nil {
			r.err = errors.Join(context.Cause(ctx), last)
			return
		}
		last = err
	}
}

// open opens a session on a connection.
func (r *restoration) open(ctx context.Context, link Link) error {
	conn, err := link.Session(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	f := &far{link: link, conn: conn, in: newReplies(conn), parts: make(chan event), quit: make(chan struct{})}
	_ = conn.SetDeadline(time.Now().Add(dialogue))
	if err = r.speak(f); err == nil && r.job != nil {
		err = r.goOn(ctx, f)
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return err
	}
	_ = conn.SetDeadline(time.Time{})
	r.far = f
	return nil
}

// speak says again what has to be said.
func (r *restoration) speak(f *far) error {
	code, lines, err := f.in.whole()
	if err != nil {
		return err
	}
	r.greeting = bytes.Join(lines, nil)
	if !r.before {
		return nil
	}
	if code != int(wire.CodeReady) {
		return answered("the connection", lines)
	}
	if err := r.login(f); err != nil {
		return err
	}
	if again := r.again.again(); len(again) > 0 {
		if _, err := f.conn.Write(bytes.Join(again, nil)); err != nil {
			return err
		}
		for range again {
			code, lines, err := f.in.whole()
			if err == nil && code >= 400 {
				err = answered("what holds for the session", lines)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// login logs in as the client has.
func (r *restoration) login(f *far) error {
	for _, line := range [][]byte{r.again.host, r.again.user, r.again.password} {
		if len(line) == 0 {
			continue
		}
		code, lines, err := f.ask(line)
		switch {
		case err != nil:
			return err
		case code >= 400:
			return answered("the login", lines)
		case code == int(wire.CodeLoggedIn) || code == int(wire.CodeLoggedInSecure):
			return nil
		}
	}
	return errors.New("the server wants more to log in than it did")
}

// goOn has the transfer go on. What speaks against that is no error of the session.
func (r *restoration) goOn(ctx context.Context, f *far) error {
	if r.job.up {
		return r.sendOn(ctx, f)
	}
	return r.fetchOn(f)
}

// fetchOn has the download go on behind what the client has of it, if the file is the same.
func (r *restoration) fetchOn(f *far) error {
	path := r.job.line[len("RETR "):]
	code, lines, err := f.ask(append([]byte("MLST "), path...))
	if err != nil {
		return err
	}
	if code != int(wire.CodeFileActionOK) || len(lines) != 3 || same(string(lines[1])) != *r.job.facts.Load() {
		r.cold = errChanged
		return nil
	}
	token := f.link.Token()
	at := r.job.from + r.job.moved.Load()
	flight := fmt.Appendf(nil, "QDAT %s\r\nREST %s\r\n", token, strconv.FormatInt(at, 10))
	if _, err := f.conn.Write(append(flight, r.job.line...)); err != nil {
		return err
	}
	for _, want := range []int{int(wire.CodeOK), int(wire.CodePending)} {
		code, lines, err := f.in.whole()
		if err != nil {
			return err
		}
		if code != want && r.cold == nil {
			r.cold = answered("REST", lines)
		}
	}
	if r.cold != nil { // the reply to RETR is not for the client
		_, _, err := f.in.whole()
		return err
	}
	r.job.next <- source{f.link, token}
	return nil
}

// ask sends a command and reads the last reply to it.
func (f *far) ask(line []byte) (code int, lines [][]byte, err error) {
	if _, err := f.conn.Write(line); err != nil {
		return 0, nil, err
	}
	return f.in.whole()
}

// answered is the error of a reply that was not hoped for.
func answered(what string, lines [][]byte) error {
	return fmt.Errorf("the server answers %s with %q", what, strings.TrimSpace(string(lines[len(lines)-1])))
}

// restored takes what a restoration has brought.
func (s *session) restored() {
	r := s.restoring
	s.restoring = nil
	switch {
	case r.asked != nil && r.asked.answer != nil: // it was aborted meanwhile
		r.discard()
		return
	case r.whole:
		r.asked.say(wire.CodeClosingData, "The transfer is complete.")
		return
	case r.err != nil && r.asked != nil:
		r.job.stop(errLink)
		r.asked.say(wire.CodeAborted, "The connection to the server was lost, and did not come back: %s%s.", oneLine(r.err), r.job.instead())
		return
	case r.err != nil:
		s.refused(r.err)
		return
	}
	s.far = r.far
	if !s.greeted {
		s.greeted = true
		s.show(r.greeting)
		s.closed = s.closed || !bytes.HasPrefix(r.greeting, []byte("220"))
	}
	switch {
	case r.cold != nil:
		r.job.stop(r.cold)
		r.asked.say(wire.CodeAborted, "The connection to the server was lost, and the %s cannot go on: %s%s.", r.job.kind(), oneLine(r.cold), r.job.instead())
	case r.asked != nil:
		if r.mark != nil {
			s.show(r.mark)
			r.asked.marked = true
		}
		s.log.Info(r.job.kind()+" goes on", "session", s.id, "path", r.asked.arg, "bytes", r.job.moved.Load())
	}
	f := r.far
	s.work.Go(f.listen)
}

// discard ends a session that came too late.
func (r *restoration) discard() {
	if r.far != nil {
		_ = r.far.conn.Close()
	}
}

// refused ends a client's session that there is none at the server for.
func (s *session) refused(err error) {
	if s.ctx.Err() == nil {
		s.log.Warn("no session", "session", s.id, "error", oneLine(err))
	}
	s.tell(wire.Say(wire.CodeNotAvailable, "%s", oneLine(err)))
	s.closed = true
}

// offset reads the argument of REST.
func offset(arg string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(arg), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
