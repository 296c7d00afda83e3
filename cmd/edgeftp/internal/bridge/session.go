package bridge

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// maxQueue is how many commands a client may have sent that are not answered; those behind
// them wait in its connection.
const maxQueue = 16

// writing bounds how long a control connection takes no bytes.
const writing = time.Minute

// heard is a line of the client, or the end of its connection.
type heard struct {
	line []byte
	err  error
}

// session is one client. One goroutine owns it: it alone writes to the client and to the
// server, and changes what is here.
type session struct {
	bridge *Bridge
	log    *slog.Logger
	id     uint64

	ctx        context.Context
	stop       context.CancelCauseFunc
	work       sync.WaitGroup
	local      net.Conn
	here, peer netip.AddrPort
	lines      chan heard

	far          *far     // nil: there is none
	queue        []*asked // in the order of the client
	port         dtp.Port // for the next transfer; nil: none
	extendedOnly bool     // EPSV ALL
	rest         int64    // where the next transfer begins (REST)
	ranged       bool     // it is of a part of the file (RANG)
	memory       memory
	blind        bool  // the user may not ask for facts
	feat         *feat // of the reply to FEAT that comes in
	greeted      bool
	closed       bool

	restoring *restoration // that is made; nil: none
}

// far is the control session with the server.
type far struct {
	link  Link
	conn  net.Conn
	in    *replies
	parts chan event
	quit  chan struct{}
	stale bool // a RANG that nothing has used up may be in force
}

// event is a part of a reply, or the end of the session.
type event struct {
	part
	err error
}

// run serves the client until it leaves.
func (s *session) run() {
	s.work.Go(s.listen)
	defer s.end()
	s.restore()
	for !s.closed && s.ctx.Err() == nil {
		s.settle()
		if s.closed {
			return
		}
		s.wait()
	}
	if !s.closed && s.bridge.trunk.ctx.Err() != nil {
		s.tell(wire.Say(wire.CodeNotAvailable, "The bridge is shutting down."))
	}
}

// wait waits for what comes next, and deals with it.
func (s *session) wait() {
	var lines <-chan heard
	if len(s.queue) < maxQueue {
		lines = s.lines
	}
	var parts <-chan event
	var moved, restored <-chan struct{}
	head := s.head()
	switch {
	case head != nil && head.job != nil && (head.part != nil || head.answer != nil):
		moved = head.job.done
	case s.far != nil:
		parts = s.far.parts
	}
	if s.restoring != nil {
		restored = s.restoring.done
	}
	select {
	case h := <-lines:
		s.line(h)
	case e := <-parts:
		s.reply(e)
	case <-moved:
	case <-restored:
		s.restored()
	case <-s.ctx.Done():
	}
}

func (s *session) head() *asked {
	if len(s.queue) == 0 {
		return nil
	}
	return s.queue[0]
}

// line takes a line of the client.
func (s *session) line(h heard) {
	switch {
	case errors.Is(h.err, wire.ErrLineTooLong):
		a := &asked{}
		a.say(wire.CodeUnrecognized, "The line is too long.")
		s.queue = append(s.queue, a)
	case h.err != nil: // the client has gone (RFC 959 §4.1.1: as if by ABOR and QUIT)
		s.closed = true
	default:
		a := command(h.line)
		switch {
		case a.line != nil:
			s.take(a)
			return
		case a.verb == "":
			a.say(wire.CodeUnrecognized, "That is no command.")
		default:
			a.say(wire.CodeBadArgument, "The argument holds a character that no command takes.")
		}
		s.queue = append(s.queue, a)
	}
}

// settle answers what can be answered, begins what can begin, and sees to it that there is
// a session with the server if one is needed.
func (s *session) settle() {
	for !s.closed && s.greeted {
		head := s.head()
		if head == nil || !s.finish(head) {
			break
		}
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.takeBack(head)
	}
	if s.closed || !s.greeted {
		return
	}
	unsent := false
	for _, a := range s.queue {
		if a.answer == nil && !a.sent {
			if s.held(a) {
				break
			}
			if s.lookBack(); s.closed {
				return
			}
			if unsent = s.far == nil; unsent {
				break
			}
			s.send(a)
		}
	}
	if unsent && s.restoring == nil {
		s.restore()
	}
	if head := s.head(); head != nil && head.sent && head.port != nil && head.job == nil && s.far != nil {
		s.begin(head)
	}
}

// lookBack gives a session with the server up whose connection has ended, so that no command
// is sent on it of which nobody could say what became. Its reader tells of the end, too,
// but perhaps later than the client comes with a command.
func (s *session) lookBack() {
	if s.far == nil {
		return
	}
	if err := s.far.link.Err(); err != nil {
		s.lost(err)
	}
}

// begin starts the transfer of the first command.
func (s *session) begin(a *asked) {
	a.job = newTransfer(s.ctx, a, source{s.far.link, a.token})
	a.job.binary = s.memory.binary && s.memory.stream && !s.ranged
	a.job.from, s.rest, s.ranged = s.rest, 0, false
	if a.verb == "STOR" && a.job.binary && a.arg != "" {
		a.job.sent.keep()
	}
	if a.partial {
		a.job.plan = make(chan plan, 1)
	}
	s.work.Go(func() { s.bridge.board.run(s.id, a.job) })
}

// finish answers a command if all is there that it takes, and reports whether it has.
func (s *session) finish(a *asked) bool {
	if a.part == nil && a.answer == nil || a.job != nil && !a.job.ended() {
		return false
	}
	if a.job != nil {
		s.conclude(a)
	} else if a.port != nil {
		_ = a.port.Close()
	}
	switch {
	case a.answer != nil:
		s.tell(*a.answer)
	case !a.mute:
		s.pass(a, a.part)
	}
	if a.part != nil && !a.part.last { // the rest of it comes from the server
		a.mute = a.mute || a.answer != nil
		a.answer, a.part, a.job, a.port = nil, nil, nil, nil
		return false
	}
	return true
}

// conclude decides what the client is told of a transfer: what the server says, unless the
// bytes went another way.
func (s *session) conclude(a *asked) {
	t := a.job
	err := t.err
	switch {
	case a.answer != nil:
	case err == nil && a.spread != nil && a.part.good():
		a.say(wire.CodeClosingData, "Transfer complete: %d bytes over %d connections.", t.moved.Load(), t.links)
	case err == nil && a.part.good(), errors.Is(err, errRefused):
	case errors.Is(err, dtp.ErrNobody):
		a.say(wire.CodeCantOpenData, "Nobody connected to the data port in time.")
	case errors.Is(err, dtp.ErrUnreached):
		a.say(wire.CodeCantOpenData, "Your data port could not be reached.")
	case a.part.good(), a.spread != nil && err != nil:
		a.say(wire.CodeAborted, "The transfer is not complete: %s.", oneLine(err))
	}
	if a.part != nil && !a.part.good() {
		err = refusedWith(err, a.part)
	}
	args := []any{"session", s.id, "verb", t.verb, "path", t.name, "bytes", t.moved.Load(), "took", time.Since(t.began).Round(time.Millisecond).String()}
	if t.again > 0 {
		args = append(args, "resumed", t.again)
	}
	if t.links > 0 {
		args = append(args, "connections", t.links)
	}
	if err != nil {
		s.log.Warn("transfer failed", append(args, "error", oneLine(err))...)
		return
	}
	s.log.Info("transferred", args...)
}

// send sends a command to the server, with what has to go in front of it in the same flight.
func (s *session) send(a *asked) {
	var flight []byte
	a.before = nil
	if s.far.stale {
		s.far.stale = false
		flight = append(flight, "RANG 1 0\r\n"...)
		a.before = append(a.before, 'T')
	}
	if a.port != nil {
		a.token = s.far.link.Token()
		flight = append(flight, "QDAT "+a.token+"\r\n"...)
		a.before = append(a.before, 'Q')
		if a.check && s.asks() {
			flight = append(flight, "MLST "+string(a.line[len("RETR "):])...)
			a.before = append(a.before, 'M')
			flight = s.part(a, flight)
		}
	}
	a.sent = true
	s.write(append(flight, a.line...))
}

func (s *session) write(b []byte) {
	_ = s.far.conn.SetWriteDeadline(time.Now().Add(writing))
	if _, err := s.far.conn.Write(b); err != nil {
		_ = s.far.conn.Close() // its reader tells of it
	}
}

// tell writes a reply of the bridge's own to the client.
func (s *session) tell(r wire.Reply) { s.show(r.Append(nil)) }

// show writes to the client.
func (s *session) show(b []byte) {
	s.trace('<', strings.TrimRight(string(b), "\r\n"))
	_ = s.local.SetWriteDeadline(time.Now().Add(writing))
	if _, err := s.local.Write(b); err != nil {
		s.closed = true
	}
}

func (s *session) trace(mark byte, text string) {
	if s.bridge.Trace != nil {
		s.bridge.Trace(s.id, mark == '>', escape.Text(text))
	}
}

// listen reads the client's lines for the owner.
func (s *session) listen() {
	var r wire.Reader
	for {
		line, err := r.ReadLine(s.local)
		select {
		case s.lines <- heard{append([]byte(nil), line...), err}:
		case <-s.ctx.Done():
			return
		}
		if err != nil && !errors.Is(err, wire.ErrLineTooLong) {
			return
		}
	}
}

// end gives everything back.
func (s *session) end() {
	s.stop(errEnded)
	s.closePort()
	for _, a := range s.queue {
		if a.port != nil {
			_ = a.port.Close()
		}
	}
	s.hangUp()
	_ = s.local.Close()
	s.work.Wait()
	if s.restoring != nil {
		s.restoring.discard()
	}
	s.memory = memory{}
}

// hangUp ends the session with the server.
func (s *session) hangUp() {
	if s.far != nil {
		close(s.far.quit)
		_ = s.far.conn.Close()
		s.far = nil
	}
}

// listen reads replies for the session's owner, until the end.
func (f *far) listen() {
	for {
		p, err := f.in.next()
		if _, bad := errors.AsType[badReply](err); err != nil && !bad && !errors.Is(err, io.EOF) {
			gone(f.link, f.quit) // the owner has to know which of the two has ended
		}
		select {
		case f.parts <- event{p, err}:
		case <-f.quit:
			return
		}
		if err != nil {
			return
		}
	}
}
