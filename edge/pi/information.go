package pi

import (
	"context"
	"fmt"
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
	lines := []string{"Status of edgeftp:",
		"Connected to " + s.who.Peer.Addr().String() + s.protectionText(),
		s.loginText()}
	kind := "binary"
	if s.with.ascii {
		kind = "text"
	}
	lines = append(lines, "Type: "+kind+"; structure: file; mode: stream", s.dataText())
	return Outcome{Reply: wire.Multi(wire.CodeSystemStatus, append(lines, "End of status")...)}
}

func (s *Session) protectionText() string {
	if !s.who.TLS.Enabled() {
		return " in the clear"
	}
	return fmt.Sprintf(" by TLS %s (%s)", s.who.TLS.Version, s.who.TLS.Cipher)
}

func (s *Session) loginText() string {
	switch {
	case s.rank.in:
		return "Logged in as " + s.who.User
	case s.left.user != "":
		return "Waiting for the password"
	}
	return "Waiting for a user name"
}

func (s *Session) dataText() string {
	switch {
	case s.job != nil && s.job.Progress != nil:
		return fmt.Sprintf("%s: %d bytes in %.1f seconds", s.job.Title, s.job.Progress.Bytes(), time.Since(s.job.began).Seconds())
	case s.job != nil:
		return s.job.Title
	case s.port.Port != nil:
		return "A data port is prepared"
	}
	return "No data connection"
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
	return Outcome{Job: &Job{Title: "Listing " + string(src.path), Run: func(ctx context.Context) Settle {
		lines, err := src.lines(ctx, maxStatusLines)
		return func(s *Session) Outcome {
			if err != nil {
				return s.Fail(err)
			}
			return Outcome{Reply: wire.Multi(code, append(append([]string{"Status of " + wire.Quote(string(src.path)) + ":"}, lines...), "End of status")...)}
		}
	}}}
}

// maxStatusLines bounds a listing that is held in memory because it goes over
// the control connection.
const maxStatusLines = 2000
