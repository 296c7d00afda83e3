package bridge

import (
	"slices"
	"strings"
)

// maxSteps is how many changes of directory are kept that do not begin at the root.
const maxSteps = 64

// memory is what the client has told the server, for the case that it has to be told again
// over another connection. It lives as long as the session.
type memory struct {
	user, password []byte // the whole commands; the password is never logged
	host           []byte
	in             bool
	settings       []setting // in the order in which they came first
	steps          [][]byte  // CWD and CDUP since the login, or since a path that begins at the root
	astray         bool      // there were more of them than are kept
	binary         bool
	stream         bool // MODE S
}

// setting is a command that stays in force until the next one of its kind.
type setting struct {
	kind string
	line []byte
}

func newMemory() memory { return memory{stream: true} }

// complete reports whether a session can be brought back.
func (m *memory) complete() bool { return m.in && len(m.user) > 0 && !m.astray }

// learn takes note of a command that the server has carried out, or, where code is 331,
// waits for more of.
func (m *memory) learn(a *asked, code int) {
	switch a.verb {
	case "USER":
		m.user, m.password, m.in = a.line, nil, code < 300
	case "PASS", "ACCT":
		if a.verb == "PASS" {
			m.password = a.line
		}
		m.in = m.in || code < 300
	case "REIN":
		*m = newMemory()
	case "HOST":
		m.host = a.line
	case "CWD", "XCWD", "CDUP", "XCUP":
		m.step(a)
	case "TYPE":
		word := strings.ToUpper(a.arg)
		m.binary = strings.HasPrefix(word, "I") || strings.HasPrefix(word, "L")
		m.set("TYPE", a.line)
	case "MODE":
		m.stream = strings.EqualFold(a.arg, "S")
		m.set("MODE", a.line)
	case "OPTS":
		word, _, _ := strings.Cut(strings.ToUpper(a.arg), " ")
		m.set("OPTS "+word, a.line)
	case "STRU", "LANG", "CLNT", "CSID":
		m.set(a.verb, a.line)
	}
}

// step notes a change of directory.
func (m *memory) step(a *asked) {
	if strings.HasPrefix(a.arg, "/") {
		m.steps, m.astray = nil, false
	}
	if len(m.steps) >= maxSteps {
		m.astray = true
		return
	}
	m.steps = append(m.steps, a.line)
}

// maxSettings is how many kinds of settings are kept; clients have a handful.
const maxSettings = 32

func (m *memory) set(kind string, line []byte) {
	at := slices.IndexFunc(m.settings, func(s setting) bool { return s.kind == kind })
	switch {
	case at >= 0:
		m.settings[at].line = line
	case len(m.settings) < maxSettings:
		m.settings = append(m.settings, setting{kind, line})
	}
}

// again returns what is to be said after the login.
func (m *memory) again() (lines [][]byte) {
	for _, s := range m.settings {
		lines = append(lines, s.line)
	}
	return append(lines, m.steps...)
}
