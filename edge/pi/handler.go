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
// connection and the time since the command, and whether there is one.
func (s *Session) Progress() (bytes int64, elapsed time.Duration, running bool) {
	if s.job == nil || s.job.Progress == nil {
		return 0, 0, false
	}
	return s.job.Progress.Bytes(), time.Since(s.job.began), true
}

// Stream is what Send sends.
type Stream struct {
	// Title and Subject describe it in the reply to STAT ("Sending", "/a"), and
	// Mark in the reply that opens the transfer (150). Title and Mark have
	// defaults.
	Title         wire.Text
	Subject, Mark string
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
	done := func() {
		if c, ok := r.(io.Closer); ok {
			_ = c.Close()
		}
	}
	t, err := s.transfer(st.Limits)
	if err != nil {
		done()
		return s.Fail(err)
	}
	t.Send, t.ASCII, t.Limiter = r, st.Text && s.with.ascii, s.limiter(true, st.Limits)
	mark, title := st.Mark, st.Title
	if mark == "" {
		mark = "Sending the answer."
	}
	if title == "" {
		title = wire.Text("Sending")
	}
	return s.run(t, mark, title, st.Subject, func(_ context.Context, res dtp.Result) Settle {
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
