package ftpclient

import (
	"fmt"
	"strings"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/escape"
)

func (s *Session) login() error {
	r, err := s.do("USER " + s.conf.User)
	if err == nil && r.is(331) {
		r, err = s.secret("PASS ", s.conf.Password)
	}
	if err != nil {
		return err
	}
	if !r.is(230, 232, 202) {
		return &LoginError{User: s.conf.User, Reply: r}
	}
	return nil
}

// LoginError is a login that the server refused.
type LoginError struct {
	// User is who tried.
	User string
	// Reply is the server's answer.
	Reply Reply
}

// Error says who was refused, with the server's words.
func (e *LoginError) Error() string {
	return fmt.Sprintf("the server does not let %s in: %s", escape.Text(e.User), e.Reply)
}

// settle asks what the server can do, and chooses bytes as they are (RFC 959 §3.1.1.3).
func (s *Session) settle() error {
	s.features = map[string]string{}
	r, err := s.do("FEAT")
	if err != nil {
		return err
	}
	if r.is(211) && len(r.Lines) > 2 {
		for _, line := range r.Lines[1 : len(r.Lines)-1] {
			name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
			s.features[strings.ToUpper(name)] = args
		}
	}
	if _, ok := s.features["UTF8"]; ok {
		if _, err := s.do("OPTS UTF8 ON"); err != nil { // what it says does not matter (RFC 2640 wants no OPTS)
			return err
		}
	}
	if _, err = s.must("TYPE I", 200); err != nil {
		return err
	}
	r, err = s.do("PWD")
	if err == nil && r.is(257) {
		s.home = quoted(r.Text())
	}
	return err
}

// quoted reads the path of a reply to PWD (RFC 959 appendix II): what it quotes, with
// each quotation mark in it doubled.
func quoted(text string) string {
	_, rest, ok := strings.Cut(text, `"`)
	var b strings.Builder
	for i := 0; ok && i < len(rest); i++ {
		if rest[i] == '"' {
			if !strings.HasPrefix(rest[i:], `""`) {
				return b.String()
			}
			i++
		}
		b.WriteByte(rest[i])
	}
	return ""
}

// Path is a path of a URL as one that does not depend on a directory, if the server has
// told which one the login begins in.
func (s *Session) Path(path string) string {
	switch {
	case strings.HasPrefix(path, "/") || !strings.HasPrefix(s.home, "/"):
		return path
	case path == "":
		return s.home
	}
	return strings.TrimSuffix(s.home, "/") + "/" + path
}
