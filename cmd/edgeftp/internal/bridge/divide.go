package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/edgeftp/edgeftp/edge/wire"
)

// plan is what becomes of a download of which a part was asked for before its size was known.
type plan struct {
	again  *source // all of it comes from here; nil: what comes is right
	spread *spread // of the rest; nil: there is none
}

// divisible reports whether a command is a download that may be fetched in segments, if the
// file is large.
func (s *session) divisible(a *asked) bool {
	return s.bridge.Connections > 1 && a.check && a.answer == nil && s.asks() && !s.ranged && s.memory.complete() && !s.bridge.noRanges.Load()
}

// asks reports whether the facts of a file are asked for before it is fetched.
func (s *session) asks() bool {
	return !s.blind && s.memory.binary && s.memory.stream && !s.bridge.noFacts.Load()
}

// held reports whether a command waits for those before it: none is sent behind a download
// that may be fetched in segments, because it could change the file between two of them.
func (s *session) held(a *asked) bool {
	head := s.head()
	return a != head && (head.partial && a.verb != "ABOR" || s.divisible(a))
}

// part adds to a flight what makes the server send the beginning of a file alone, which is
// all of a small one.
func (s *session) part(a *asked, flight []byte) []byte {
	if !s.divisible(a) {
		return flight
	}
	a.partial = true
	a.before = append(a.before, 'R')
	return fmt.Appendf(flight, "RANG %d %d\r\n", s.rest, s.rest+segmentSize-1)
}

// partOf takes the reply to RANG.
func (s *session) partOf(a *asked, p *part) {
	if a.cut = p.code == int(wire.CodePending); a.cut {
		return
	}
	if p.code < 500 {
		return
	}
	s.bridge.noRanges.Store(true)
	s.log.Warn("large downloads use one connection: the server has no RANG", "reply", p.code)
}

// decide says what becomes of a download, when the server has said all that goes before it.
func (s *session) decide(a *asked) {
	if !a.partial || a.decided || a.job == nil {
		return
	}
	a.decided = true
	facts := a.job.facts.Load()
	switch {
	case !a.cut:
		a.job.plan <- plan{}
	case facts == nil:
		a.job.plan <- plan{again: s.afresh(a)}
	case sizeOf(*facts) <= a.job.from+segmentSize:
		a.job.plan <- plan{}
	default:
		a.spread = newSpread(s, a.job)
		a.job.plan <- plan{spread: a.spread}
	}
}

// afresh asks for all of a file, where its beginning alone is of no use: nobody could tell
// whether the rest is of the same file.
func (s *session) afresh(a *asked) *source {
	s.blind, a.again = true, true // the client gets one preliminary reply
	a.token = s.far.link.Token()
	flight := fmt.Appendf(nil, "QDAT %s\r\nREST %d\r\n", a.token, a.job.from)
	a.before = []byte("AQS") // the rest of the reply that there is, too
	s.write(append(flight, a.line...))
	return &source{s.far.link, a.token}
}

// lend lets the client's session fetch segments, after it has sent the beginning.
func (s *session) lend(a *asked) {
	if a.spread == nil || a.lent {
		return
	}
	if s.aborting() { // and the server knows of no more than the beginning
		a.job.stop(errAborted)
		return
	}
	a.lent = true
	if a.part.last {
		a.spread.lent <- s.far
	} else {
		a.spread.lent <- nil
	}
}

// aborting reports whether the client has sent ABOR.
func (s *session) aborting() bool {
	return slices.ContainsFunc(s.queue, func(b *asked) bool { return b.verb == "ABOR" })
}

// takeBack takes the client's session back.
func (s *session) takeBack(a *asked) {
	if a.spread == nil || a.spread.broken == nil || s.far == nil || s.closed {
		return
	}
	s.lost(a.spread.broken)
}

// beside answers what a server answers beside a transfer, where the session is busy with
// segments. It reports whether it has.
func (s *session) beside(a *asked) bool {
	if len(s.queue) != 1 || !s.queue[0].partial || s.queue[0].job == nil {
		return false
	}
	switch {
	case a.verb == "NOOP":
		s.tell(wire.Say(wire.CodeOK, "The download goes on."))
	case a.verb == "STAT" && a.arg == "":
		s.tell(wire.Say(wire.CodeSystemStatus, "%d bytes of the download have gone to you.", s.queue[0].job.moved.Load()))
	default:
		return false
	}
	return true
}

// join gives the client the beginning of a file, and then the rest of it, which sessions on
// several connections fetch meanwhile.
func (t *transfer) join(conn net.Conn, in io.ReadCloser, failed error, rest *spread) (err error) {
	ctx, stop := context.WithCancel(t.ctx)
	defer func() {
		stop()
		rest.work.Wait()
		rest.bridge.crew.give(rest.width - 1)
		t.links, t.again = rest.used, rest.mended
		if err != nil {
			reset(conn) // so that it does not take what it has for the file
		}
	}()
	rest.start(ctx)
	if err = failed; err == nil {
		err = t.pour(conn, in)
	}
	if _, client := errors.AsType[*clientError](err); err != nil && !client && t.lost() {
		rest.first(t.from+t.moved.Load(), t.from+segmentSize)
		err = nil
	} else if err == nil && t.moved.Load() != segmentSize {
		err = errChanged
	}
	if err == nil {
		err = rest.pour(ctx, conn)
	}
	if err == nil {
		err = conn.Close()
	}
	return err
}

// decided waits until it is known what becomes of a download, and returns the stream that
// its beginning comes from.
func (t *transfer) decided(in io.ReadCloser, failed error) (io.ReadCloser, *spread, error) {
	if t.plan == nil {
		return in, nil, failed
	}
	select {
	case p := <-t.plan:
		if p.again == nil {
			return in, p.spread, failed
		}
		if in != nil {
			_ = in.Close()
		}
		t.at = *p.again
		in, failed = t.receive(t.at)
		return in, nil, failed
	case <-t.ctx.Done():
		if in != nil {
			_ = in.Close()
		}
		return nil, nil, context.Cause(t.ctx)
	}
}
