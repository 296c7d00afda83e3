package pi

import (
	"context"
	"io"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// What a Handler may do with its session. Only the owner may call these: a
// handler and a Settle run in it, a Job's Run does not.

// Say is the outcome of a command that is done: one reply line, formatted as by
// fmt.Sprintf.
func Say(code wire.Code, format string, args ...any) Outcome {
	return Outcome{Reply: wire.Say(code, format, args...)}
}

// Who returns what policies see of the session.
func (s *Session) Who() policy.Session { return s.who }

// Identity returns what the login gave; the zero value before it.
func (s *Session) Identity() policy.Identity { return s.rank.id }

// LoggedIn reports whether a user is logged in.
func (s *Session) LoggedIn() bool { return s.rank.in }

// Dir returns the working directory.
func (s *Session) Dir() vfs.Path { return s.cwd }

// FS returns the files that the session sees. Ask before anything is done with
// them.
func (s *Session) FS() vfs.FS { return s.fs }

// Resolve makes a path of a client's word, relative to the working directory,
// "~" being where the session began. The error is a reply: give it to Fail.
func (s *Session) Resolve(text string) (vfs.Path, error) { return resolve(text, s.cwd, s.rank.home) }

// Fail is the outcome of a command that an error ended: a wire.Reply is said as
// it is, a refusal of Ask, an error of a filesystem or of a data connection in
// the words that all commands have for it. What else it is goes into the log, and
// the client hears 451.
func (s *Session) Fail(err error) Outcome { return Outcome{Reply: s.answer(err)} }

// Tell tells the observers of something that has happened. Meta is filled in.
func (s *Session) Tell(e policy.Event) { s.event(e) }

// Logout ends the login, if there is one, and brings the transfer parameters
// back to their beginning, as REIN does (the model's flush_account).
func (s *Session) Logout() { s.logout() }

// Progress tells of the running transfer: the bytes that have moved on the data
// connection, the time since it was opened (0 before), and whether there is a
// transfer. Of other work that counts bytes (HASH) it tells the bytes that were
// read and the time since the command.
func (s *Session) Progress() (bytes int64, elapsed time.Duration, running bool) {
	if s.job == nil || s.job.Progress == nil {
		return 0, 0, false
	}
	elapsed = time.Since(s.job.began)
	if p, ok := s.job.Progress.(*dtp.Progress); ok {
		elapsed = p.Elapsed()
	}
	return s.job.Progress.Bytes(), elapsed, true
}

// Stream says what Send and Receive move.
type Stream struct {
	// Title and Subject describe it in the reply to STAT ("Sending", "/a"). Title
	// has a default.
	Title   wire.Text
	Subject string // may be empty
	Mark    string // the text of the reply that opens the transfer (150); it has a default
	// Text converts line ends where the client has asked for TYPE A (RFC 959
	// §3.1.1.1). Lines that end in CR LF already need no conversion.
	Text bool
	// Limits narrow the transfer: give those of a Grant.
	Limits policy.Limits
	// Done, unless nil, is called at the end in the session's owner, and may
	// choose the final reply; the zero Outcome leaves the usual one.
	Done func(*Session, dtp.Result) Outcome
}

// Send is the outcome of a command that sends what r yields on the data
// connection, which the client must have prepared (the model's
// push_dtp_data). r is closed at the end if it is an io.Closer. Bytes that are
// made on the way come from dtp.FromSeq.
func (s *Session) Send(r io.Reader, st Stream) Outcome {
	return s.stream(r, st, "Sending the answer.", "Sending", func(t *dtp.Transfer) {
		t.Send, t.Limiter = r, s.limiter(true, st.Limits, nil)
	})
}

// Receive is the outcome of a command that takes what the client sends on the
// data connection and writes it to w (the model's enable_receiving), which is
// closed at the end if it is an io.Closer. What w has got is whole only if Done is
// told so: Result.Err is nil.
func (s *Session) Receive(w io.Writer, st Stream) Outcome {
	return s.stream(w, st, "Taking the data.", "Taking", func(t *dtp.Transfer) {
		t.Receive, t.Limiter, t.MaxBytes = w, s.limiter(false, st.Limits, nil), max(0, st.Limits.MaxFileSize)
	})
}

// stream is Send and Receive; set gives the transfer its end.
func (s *Session) stream(end any, st Stream, mark string, title wire.Text, set func(*dtp.Transfer)) Outcome {
	done := func() {
		if c, ok := end.(io.Closer); ok {
			_ = c.Close()
		}
	}
	t, err := s.transfer(st.Limits)
	if err != nil {
		done()
		return s.Fail(err)
	}
	set(t)
	t.ASCII = st.Text && s.with.ascii
	if st.Mark != "" {
		mark = st.Mark
	}
	if st.Title != "" {
		title = st.Title
	}
	return s.run(t, nil, mark, title, st.Subject, cargo{number: s.requests, size: -1, up: t.Receive != nil}, func(_ context.Context, res dtp.Result) Settle {
		done()
		return func(s *Session) Outcome {
			if st.Done != nil {
				if out := st.Done(s, res); !out.Reply.IsZero() {
					return out
				}
			}
			return s.sent(res)
		}
	})
}
