package pi

import (
	"context"
	"time"

	"github.com/edgeftp/edgeftp/edge/wire"
)

func system(*Session, Args) Outcome { return Say(wire.CodeSystemType, "UNIX Type: L8") }

func noop(*Session, Args) Outcome { return Say(wire.CodeOK, "Done nothing.") }

// status answers with the session's state, at once and also during a transfer,
// or with a listing on the control connection (RFC 959 §4.1.3).
func status(s *Session, a Args) Outcome {
	if a.Given {
		return s.statusOf(a)
	}
	r := wire.Say(wire.CodeSystemStatus, "Status of edgeftp:").
		And("Connected to %s (%s)", s.who.Peer.Addr(), s.protectionText())
	switch {
	case s.rank.in:
		r = r.And("Logged in as %s", s.who.User)
	case s.left.user != "":
		r = r.And("Waiting for the password")
	default:
		r = r.And("Waiting for a user name")
	}
	kind := wire.Text("binary")
	if s.with.ascii {
		kind = wire.Text("text")
	}
	r = r.And("Type: %s; structure: file; mode: %s", kind, s.modeText())
	return Outcome{Reply: s.dataText(r).And("End of status")}
}

// protectionText is how the control connection is protected.
func (s *Session) protectionText() wire.Text {
	if !s.who.TLS.Enabled() {
		return wire.Text("in the clear")
	}
	return wire.Text("TLS " + s.who.TLS.Version + ", " + s.who.TLS.Cipher)
}

// modeText is the transfer mode (RFC 959 §3.4).
func (s *Session) modeText() wire.Text {
	if s.with.deflate {
		return wire.Text("compressed stream")
	}
	return wire.Text("stream")
}

// dataText tells of the data connection.
func (s *Session) dataText(r wire.Reply) wire.Reply {
	switch {
	case s.job != nil && s.job.Progress != nil:
		return r.And("%s %s: %d bytes in %.1f seconds", s.job.Title, s.job.Subject, s.job.Progress.Bytes(), time.Since(s.job.began).Seconds())
	case s.job != nil:
		return r.And("%s %s", s.job.Title, s.job.Subject)
	case s.port.Port != nil:
		return r.And("A data port is prepared")
	}
	return r.And("No data connection")
}

// statusOf lists a path on the control connection; a helper goroutine reads the
// directory.
func (s *Session) statusOf(a Args) Outcome {
	if !s.rank.in {
		return Say(wire.CodeNotLoggedIn, "Log in with USER and PASS first.")
	}
	src, err := s.listing(s.lister(a, longForm))
	if err != nil {
		return s.Fail(err)
	}
	code := wire.CodeFileStatus
	if src.dir {
		code = wire.CodeDirStatus
	}
	return Outcome{Job: &Job{Title: "Listing", Subject: string(src.path), Run: func(ctx context.Context) Settle {
		lines, err := src.lines(ctx, maxStatusLines)
		return func(s *Session) Outcome {
			if err != nil {
				return s.Fail(err)
			}
			r := wire.Say(code, "Status of %s:", wire.Quote(string(src.path)))
			r.Lines = append(r.Lines, lines...)
			return Outcome{Reply: r.And("End of status")}
		}
	}}}
}

// maxStatusLines bounds a listing that is held in memory because it goes over
// the control connection.
const maxStatusLines = 2000
