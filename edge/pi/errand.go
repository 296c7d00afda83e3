package pi

import (
	"context"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// Errand is one command that is carried out for somebody in this process, who speaks
// another protocol than FTP to the client.
type Errand struct {
	Verb     string // in upper case, such as "RETR"; empty: none, but what is due of the session's own is done
	Argument string // in UTF-8, without CR, LF and NUL, as nothing of FTP could hold them
	// Port is the data connection of a command that has one; nil: it has none.
	Port dtp.Port
	// Offer is told of the file of a RETR that nothing speaks against, when it is open, and
	// says which parts of it are to be sent; nil: it is sent as RETR sends it. Where it
	// returns false nothing is sent, and no data connection is opened.
	Offer func(Offered) ([]Part, bool)

	last wire.Reply
}

// Offered is a file that is open and may be sent.
type Offered struct {
	fs.FileInfo // of the open file
	// Filtered says that a policy may change the bytes: neither is their number known, nor
	// do parts of them make sense.
	Filtered bool
}

// Part is a piece of a file, and what goes before it.
type Part struct {
	Before     string // sent as it is
	From, Size int64  // of the file, in bytes
}

// Perform carries an errand out, all of it, and returns the last reply to it. It is Step
// for a session that nobody reads commands from, and belongs to its owner alike. The first
// one greets (policy.EventConnect). The second result is false when the session has ended
// with it, and everything of it was given back. When ctx ends, what runs is aborted and the
// session ended.
func (s *Session) Perform(ctx context.Context, e Errand) (last wire.Reply, open bool) {
	s.rise()
	s.errand = &e
	s.link.plain.step, s.clock.awake = ctx, time.Now()
	if !s.link.greeted {
		s.greet(ctx)
	}
	if s.link.closed = s.link.closed || !s.attended(ctx); !s.link.closed {
		s.command(ctx, &e)
	}
	for s.job != nil {
		if !s.carryOut(ctx) {
			return e.last, false
		}
	}
	last = e.last
	s.closePort()
	if s.link.closed {
		s.end(ctx)
		return last, false
	}
	s.slim()
	s.errand = nil
	return last, true
}

// command dispatches an errand's command.
func (s *Session) command(ctx context.Context, e *Errand) {
	if e.Verb == "" {
		return
	}
	s.clock.line = time.Now()
	if e.Port != nil {
		s.setPort(e.Port, time.Time{})
	}
	s.dispatch(ctx, wire.Command{Verb: e.Verb, Arg: e.Argument})
}

// hear keeps the reply that came last.
func (e *Errand) hear(r wire.Reply) { e.last = r }

// attended does what is due before a command, and reports whether nothing speaks against
// it.
func (s *Session) attended(ctx context.Context) bool {
	switch until := s.Until(); {
	case s.draining() || ctx.Err() != nil:
		s.say(LimitShutdown.Refuses(or(s.conf.Replies.Draining, wire.Say(wire.CodeNotAvailable, "The server is shutting down."))))
	case s.Dismissed():
		s.farewell()
	case !until.IsZero() && !time.Now().Before(until):
		s.event(policy.Event{Kind: policy.EventTimeout})
		s.say(or(s.conf.Replies.Idle, wire.Say(wire.CodeNotAvailable, "Nothing was heard for too long; closing the control connection.")))
	default:
		return !s.link.closed
	}
	return false
}

// offer asks which parts of an open file are to be sent, and returns them as what a
// transfer reads, with their length: a file that turns out to have fewer bytes was not sent
// (dtp.ErrShort). No reader: nothing is to be sent.
func (s *Session) offer(file vfs.File) (io.Reader, int64, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	parts, ok := s.errand.Offer(Offered{info, s.lease.Asks(policy.StageData)})
	if !ok {
		return nil, 0, nil
	}
	if len(parts) == 1 && parts[0].Before == "" {
		p := parts[0]
		if p.From > 0 {
			if _, err := file.Seek(p.From, io.SeekStart); err != nil {
				return nil, 0, err
			}
		}
		return &dtp.Exact{R: file, N: p.Size}, p.Size, nil
	}
	r := &joined{file: file, parts: parts}
	for _, p := range parts {
		r.size += int64(len(p.Before)) + p.Size
	}
	return r, r.size, nil
}

// joined reads the parts of a file, and what goes before each.
type joined struct {
	file  vfs.File
	parts []Part // those that are not begun yet
	size  int64
	now   io.Reader
}

// Read implements io.Reader.
func (p *joined) Read(b []byte) (int, error) {
	for {
		if p.now != nil {
			if n, err := p.now.Read(b); n > 0 || err != nil && err != io.EOF {
				return n, err
			}
			p.now = nil
		}
		if len(p.parts) == 0 {
			return 0, io.EOF
		}
		next := p.parts[0]
		p.parts = p.parts[1:]
		p.now = strings.NewReader(next.Before)
		if next.Size > 0 {
			if _, err := p.file.Seek(next.From, io.SeekStart); err != nil {
				return 0, err
			}
			p.now = io.MultiReader(p.now, &dtp.Exact{R: p.file, N: next.Size})
		}
	}
}
