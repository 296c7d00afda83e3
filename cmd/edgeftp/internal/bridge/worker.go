package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/edgeftp/edgeftp/edge/wire"
)

// worker fetches segments in one session of the server's: the client's own one, which is
// lent to it, or one that it has opened.
type worker struct {
	spread *spread
	trunk  *trunk
	far    *far
	lent   bool
	next   *errand // was asked for already, so that the server need not wait; nil: none
	owed   []owed  // the final replies that are to come
	dead   error   // why no more come
}

// errand is a segment that was asked for.
type errand struct {
	*segment
	token string // of its data stream; empty: all of it has come, and is to be verified
}

// owed is a command that is not answered.
type owed struct{ verb, token string }

// open opens a session like the client's.
func (w *worker) open(ctx context.Context) error {
	ctx, stop := context.WithTimeoutCause(ctx, w.spread.bridge.Connect, errSlow)
	defer stop()
	link, err := w.trunk.get(ctx)
	if err != nil {
		return err
	}
	r := &restoration{again: w.spread.again, before: true}
	if err := r.open(ctx, link); err != nil {
		return err
	}
	w.hear(r.far)
	return nil
}

// reopen opens another one in the place of one whose connection was lost.
func (w *worker) reopen(ctx context.Context) error {
	ctx, stop := context.WithTimeoutCause(ctx, w.spread.bridge.Patience, errSlow)
	defer stop()
	r := &restoration{again: w.spread.again, before: true}
	if r.run(ctx, w.trunk); r.err != nil {
		return r.err
	}
	w.hear(r.far)
	return nil
}

// hear begins to read the replies of a session that is the worker's own.
func (w *worker) hear(f *far) {
	w.far, w.lent, w.owed, w.dead = f, false, nil, nil
	w.spread.work.Go(f.listen)
}

// serve fetches segments until there are none, or it cannot.
func (w *worker) serve(ctx context.Context) {
	w.spread.joined()
	err := w.fetches(ctx)
	w.leave()
	if ctx.Err() != nil {
		return
	}
	if w.trunk != w.spread.bridge.trunk {
		w.spread.bridge.crew.refused(1, err)
	}
	w.spread.quit(err)
}

func (w *worker) fetches(ctx context.Context) error {
	for {
		e, err := w.errand(ctx)
		if err != nil {
			return err
		}
		if err = w.fetch(ctx, e); err == nil {
			continue
		}
		w.spread.giveBack(e.segment)
		if w.next != nil {
			w.spread.giveBack(w.next.segment)
			w.next = nil
		}
		switch {
		case ctx.Err() != nil:
			return err
		case errors.Is(err, errChanged), errors.Is(err, errLonger):
			w.spread.job.stop(err)
			return err
		case !gone(w.far.link, ctx.Done()):
			return err
		}
		w.spread.lost()
		w.leave()
		if err := w.reopen(ctx); err != nil {
			return err
		}
	}
}

// errand returns the next segment that was asked for.
func (w *worker) errand(ctx context.Context) (*errand, error) {
	if e := w.next; e != nil {
		w.next = nil
		return e, nil
	}
	g, err := w.spread.claim(ctx)
	if err != nil {
		return nil, err
	}
	return w.ask(g), nil
}

// ask asks for a segment: everything that the server has to know goes out in one flight, and
// MLST behind it tells whether the file was the same one until the end.
func (w *worker) ask(g *segment) *errand {
	e := &errand{segment: g}
	var flight []byte
	if g.at < g.end {
		e.token = w.far.link.Token()
		flight = fmt.Appendf(flight, "QDAT %s\r\nRANG %d %d\r\n%s", e.token, g.at, g.end-1, w.spread.job.line)
		w.owed = append(w.owed, owed{verb: "QDAT"}, owed{verb: "RANG"}, owed{"RETR", e.token})
	}
	flight = append(append(flight, "MLST "...), w.spread.job.line[len("RETR "):]...)
	w.owed = append(w.owed, owed{verb: "MLST"})
	_ = w.far.conn.SetWriteDeadline(time.Now().Add(writing))
	if _, err := w.far.conn.Write(flight); err != nil {
		_ = w.far.conn.Close() // its reader tells of it
	}
	return e
}

// fetch fetches a segment that was asked for.
func (w *worker) fetch(ctx context.Context, e *errand) error {
	if e.token != "" {
		if err := w.stream(ctx, e); err != nil {
			return err
		}
	}
	code, lines, err := w.reply(ctx)
	switch {
	case err != nil:
		return err
	case code == int(wire.CodeNotAvailable):
		return answered("MLST", lines)
	case code != int(wire.CodeFileActionOK) || len(lines) != 3 || same(string(lines[1])) != w.spread.facts:
		return errChanged
	}
	close(e.chunks)
	return nil
}

// stream takes the data stream of a segment, with the replies around it.
func (w *worker) stream(ctx context.Context, e *errand) error {
	for _, want := range []func(code int) bool{
		func(code int) bool { return code == int(wire.CodeOK) },
		func(code int) bool { return code == int(wire.CodePending) }, // else all of the file would come
		func(code int) bool { return code < 200 },
	} {
		verb := w.owed[0].verb
		code, lines, err := w.reply(ctx)
		if err == nil && !want(code) {
			err = answered(verb, lines)
		}
		if err != nil {
			return err
		}
	}
	late, stop := context.WithTimeoutCause(ctx, patience, errSlow)
	defer stop()
	in, err := w.far.link.Receive(late, e.token)
	if err != nil {
		return err
	}
	failed := w.fill(ctx, e, in)
	if failed != nil && (ctx.Err() != nil || errors.Is(failed, errLonger) || gone(w.far.link, ctx.Done())) {
		return failed
	}
	code, lines, err := w.reply(ctx) // which says why, where the stream has failed
	if err == nil && code >= 400 {
		err = answered("RETR", lines)
	}
	return errors.Join(err, failed)
}

func (w *worker) fill(ctx context.Context, e *errand, in io.ReadCloser) error {
	defer in.Close()
	stop := context.AfterFunc(ctx, func() { _ = in.Close() })
	defer stop()
	return e.fill(ctx, in, w.spread.buffer, w.ahead)
}

// ahead asks for another segment, if there is one, before all of this one has come.
func (w *worker) ahead() {
	if w.next != nil {
		return
	}
	if g, _ := w.spread.take(); g != nil {
		w.next = w.ask(g)
	}
}

// reply reads a reply, which may be a preliminary one.
func (w *worker) reply(ctx context.Context) (code int, lines [][]byte, err error) {
	for w.dead == nil {
		select {
		case e := <-w.far.parts:
			if w.dead = e.err; e.err != nil {
				break
			}
			if len(lines) < maxKept {
				lines = append(lines, e.text)
			}
			if e.last && e.final() && len(w.owed) > 0 {
				w.owed = w.owed[1:]
			}
			if e.last {
				return e.code, lines, nil
			}
		case <-w.far.quit:
			return 0, nil, errEnded
		case <-ctx.Done():
			return 0, nil, context.Cause(ctx)
		}
	}
	return 0, nil, w.dead
}

// leave gives the session back, or ends it where it is the worker's own.
func (w *worker) leave() {
	if w.far == nil {
		return
	}
	if w.lent {
		w.spread.broken = w.settle()
	} else {
		close(w.far.quit)
		_ = w.far.conn.Close()
	}
	w.far = nil
}

// settle waits until nothing is under way on the client's session any more. The error says
// that it cannot be used again.
func (w *worker) settle() error {
	ctx, stop := context.WithTimeoutCause(w.spread.parent, patience, errSlow)
	defer stop()
	for len(w.owed) > 0 && w.dead == nil {
		token := w.owed[0].token
		code, _, err := w.reply(ctx)
		if err != nil {
			return err
		}
		if code >= 200 {
			continue
		}
		if in, err := w.far.link.Receive(ctx, token); err == nil { // which nobody had waited for yet
			_ = in.Close()
		}
	}
	return w.dead
}
