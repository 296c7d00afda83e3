package bridge

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/wire"
)

// reply takes a part of a reply of the server.
func (s *session) reply(e event) {
	if e.err != nil {
		s.lost(e.err)
		return
	}
	a := s.meant(&e.part)
	switch {
	case a == nil: // nobody has asked: 421 of a server that ends the session
		s.show(e.text)
	case len(a.before) > 0:
		s.swallow(a, &e.part)
	case !e.final():
		s.blind = s.blind || a.unseen // the file is there: it is no use to ask, and may count as an attempt
		if !a.again {                 // the client has had it
			s.pass(a, &e.part)
			a.marked = a.marked || e.last
		}
		if e.last {
			s.decide(a)
		}
	case a.part == nil && e.first && a.job != nil:
		s.last(a, e.part)
	case e.last:
		p := e.part
		a.part = &p
		if a != s.head() { // it was answered beside the first one
			s.finish(a)
			s.queue = slices.DeleteFunc(s.queue, func(b *asked) bool { return a == b })
		}
	default:
		s.pass(a, &e.part)
	}
	if e.code == int(wire.CodeNotAvailable) && e.last && a == nil {
		s.closed = true
	}
}

// last takes the last reply to a command with a transfer, which waits for that.
func (s *session) last(a *asked, p part) {
	a.part = &p
	switch {
	case !p.good():
		a.job.stop(errRefused)
		s.far.stale = a.partial && !a.marked
	case a.job.up:
		close(a.job.sent.confirmed)
	case a.partial && !a.decided:
		a.job.stop(errors.New("the server has not announced it"))
	case a.spread != nil:
		s.lend(a)
	case !a.job.came.Load(): // it is on its way, or something is wrong
		job := a.job
		late := time.AfterFunc(patience, func() {
			if !job.came.Load() {
				job.stop(errors.New("the server has sent no data stream"))
			}
		})
		s.work.Go(func() { <-job.done; late.Stop() })
	}
}

// meant returns the command that a reply belongs to: the first one, or one that a server
// answers beside a transfer.
func (s *session) meant(p *part) *asked {
	var waiting []*asked
	for _, a := range s.queue {
		if a.sent && a.answer == nil {
			waiting = append(waiting, a)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	first := waiting[0]
	if first.job == nil || len(first.before) > 0 || len(waiting) == 1 {
		return first
	}
	beside := waiting[1].beside() && waiting[1].verb != "ABOR"
	if beside && (p.code == int(wire.CodeOK) || p.code >= int(wire.CodeSystemStatus) && p.code <= int(wire.CodeFileStatus)) {
		return waiting[1]
	}
	return first
}

// swallow takes a part of a reply to what the bridge has sent by itself.
func (s *session) swallow(a *asked, p *part) {
	if a.before[0] == 'M' && a.job != nil {
		switch {
		case p.code >= 500 && p.code < 504: // it is a server that knows no facts
			s.bridge.noFacts.Store(true)
		case p.code == int(wire.CodeFileActionOK) && !p.first && !p.last:
			a.job.note(string(p.text))
		case p.code >= 500: // there is no file, or the user may not know of it
			a.unseen = true
		}
	}
	if a.before[0] == 'R' && p.first {
		s.partOf(a, p)
	}
	if p.last && p.final() {
		a.before = a.before[1:]
	}
}

// note takes a line of MLST (RFC 3659 §7.2), of which size and time say whether the file is
// the same later.
func (t *transfer) note(line string) {
	if facts := same(line); facts != "" {
		t.facts.Store(&facts)
	}
}

// same returns the facts that tell a file from one that has taken its place; empty if
// they are not all there.
func same(line string) string {
	facts, _, ok := strings.Cut(strings.TrimLeft(line, " "), " ")
	if !ok {
		return ""
	}
	var kept []string
	has := map[string]bool{}
	for _, fact := range strings.Split(facts, ";") {
		name, _, _ := strings.Cut(strings.ToLower(fact), "=")
		if name == "size" || name == "modify" || name == "unique" {
			has[name] = true
			kept = append(kept, strings.ToLower(name)+fact[len(name):])
		}
	}
	if !has["size"] || !has["modify"] {
		return ""
	}
	slices.Sort(kept)
	return strings.Join(kept, ";")
}

// pass gives a part of the server's reply to the client, as it is but for FEAT, and learns
// from it.
func (s *session) pass(a *asked, p *part) {
	if p.last && p.final() && (p.good() || p.code == int(wire.CodeNeedPassword)) {
		s.memory.learn(a, p.code)
	}
	if p.last && p.final() && p.good() {
		s.note(a)
	}
	text := p.text
	if a.verb == "FEAT" {
		text = s.features(p)
	}
	if !a.mute && len(text) > 0 {
		s.show(text)
	}
	if p.last && (a.verb == "QUIT" && p.code == int(wire.CodeGoodbye) || p.code == int(wire.CodeNotAvailable)) {
		s.closed = true
	}
}

// note takes note of what holds for the next transfer.
func (s *session) note(a *asked) {
	switch a.verb {
	case "REST":
		s.rest, s.ranged = offset(a.arg), false
	case "RANG":
		s.rest, s.ranged = 0, true
	}
}

// feat is what the reply to FEAT has had so far.
type feat struct{ has map[string]bool }

// features is a line of the reply to FEAT (RFC 2389 §3.2) as it is true here: without what
// protects, and with the ways to a data connection.
func (s *session) features(p *part) []byte {
	switch {
	case p.first && p.last, p.code != int(wire.CodeSystemStatus):
		return p.text
	case p.first:
		s.feat = &feat{map[string]bool{}}
		return p.text
	case s.feat == nil:
		return p.text
	case p.last:
		var text []byte
		for _, name := range []string{"EPRT", "EPSV", "PASV"} {
			if !s.feat.has[name] {
				text = append(text, " "+name+"\r\n"...)
			}
		}
		s.feat = nil
		return append(text, p.text...)
	}
	word, _, _ := strings.Cut(strings.ToUpper(string(bytes.TrimSpace(p.text))), " ")
	switch word {
	case "AUTH", "PBSZ", "PROT", "CCC", "FTPQ", "QDAT", "TLS", "SSL":
		return nil
	}
	s.feat.has[word] = true
	return p.text
}

// lost is the end of the session with the server: of it alone, or with the connection.
func (s *session) lost(err error) {
	link := s.far.link
	s.hangUp()
	if errors.Is(err, io.EOF) || link.Err() == nil {
		s.leave(err)
		return
	}
	if !s.memory.complete() {
		s.gone("The connection to the server was lost.")
		return
	}
	for i, a := range s.queue {
		switch {
		case !a.sent || a.answer != nil:
		case a.job != nil && a.part != nil && (!a.part.good() || a.job.up || a.job.ended()):
			a.part.close()
		case a.job != nil:
			s.orphan(a)
		case i > 0 && s.queue[0].port != nil: // the server had kept it for later
			a.sent = false
		case a.part == nil:
			a.say(wire.CodeLocalError, "The connection to the server was lost; whether this was carried out is not known.")
		}
	}
}

// orphan is what becomes of a transfer whose connection was lost.
func (s *session) orphan(a *asked) {
	a.part = nil
	aborting := s.aborting()
	if a.partial && !a.decided {
		a.decided = true
		a.job.plan <- plan{}
	}
	if a.spread != nil && !aborting {
		a.part = &part{text: []byte("226 \r\n"), code: int(wire.CodeClosingData), first: true, last: true}
		s.lend(a)
		return
	}
	if a.job.resumable() && !aborting {
		s.resume(a)
		return
	}
	a.job.stop(errLink)
	a.say(wire.CodeAborted, "The connection to the server was lost%s.", a.job.instead())
}

// instead is what the client can do where a transfer does not go on.
func (t *transfer) instead() string {
	if t.up {
		return "; SIZE tells what has arrived, and REST or APPE goes on from there"
	}
	return ""
}

// leave is the end of a session that the server wants.
func (s *session) leave(err error) {
	s.log.Debug("session ended by the server", "session", s.id, "error", oneLine(err))
	s.gone("The server has ended the session.")
}

// gone ends the client's session.
func (s *session) gone(text string) {
	for _, a := range s.queue {
		if a.job != nil {
			a.job.stop(errLink)
			<-a.job.done
		}
	}
	s.tell(wire.Say(wire.CodeNotAvailable, "%s", text))
	s.closed = true
}

// abort is ABOR: the server's business, unless there is none at the moment.
func (s *session) abort(a *asked) {
	head := s.head()
	if head == nil || head.job == nil {
		return
	}
	if head.partial && len(s.queue) > 1 {
		head.job.stop(errAborted) // else ABOR would wait for the commands before it, and they for the download
	}
	if s.far != nil && !head.lent {
		return
	}
	if s.restoring != nil {
		s.restoring.stop()
	}
	head.job.stop(errAborted)
	head.say(wire.CodeAborted, "The transfer was aborted.")
	a.say(wire.CodeClosingData, "ABOR was carried out.")
}
