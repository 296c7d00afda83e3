package conformance

import (
	"fmt"
	"strings"
	"time"
)

// transcript is what was said in a dialogue, and when.
type transcript struct {
	wanted bool // also of a dialogue that goes as it should
	began  time.Time
	lines  []string
}

// of returns a listener to one session, which userpi tells what is said.
func (s *transcript) of(session string) func(sent bool, text string) {
	return func(sent bool, text string) {
		side := "S: "
		if sent {
			side = "C: "
			if strings.HasPrefix(text, "PASS ") {
				text = "PASS ..."
			}
		}
		for line := range strings.SplitSeq(text, "\n") {
			s.note(session, side+line)
		}
	}
}

// note adds a line.
func (s *transcript) note(session, line string) {
	if s.began.IsZero() {
		s.began = time.Now()
	}
	if session != "first" {
		line = session + " " + line
	}
	line = strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(line)
	ms := float64(time.Since(s.began).Microseconds()) / 1000
	s.lines = append(s.lines, fmt.Sprintf("%9.1f ms  %s", ms, clip(line)))
}

func (s *transcript) String() string {
	if len(s.lines) == 0 {
		return "(nothing)"
	}
	const most = 200
	if cut := len(s.lines) - most; cut > 0 {
		return fmt.Sprintf("(%d lines)\n%s", cut, strings.Join(s.lines[cut:], "\n"))
	}
	return strings.Join(s.lines, "\n")
}
