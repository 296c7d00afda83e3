package pi

import (
	"bufio"
	"io"
	"strings"

	"github.com/edgeftp/edgeftp/edge/lang"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// command reads a line in the client's encoding. One that is not in it is a bad
// argument, whatever it is: 501.
func (c *Config) command(line []byte) wire.Command {
	if c.Charset.Identity() {
		return wire.ParseCommand(line)
	}
	text, err := c.Charset.Decode(nil, line)
	if err != nil {
		text = line
	}
	cmd := wire.ParseCommand(text)
	cmd.Bad = cmd.Bad || err != nil
	return cmd
}

// encoded are a listing's lines in the client's encoding.
func (c *Config) encoded(lines io.Reader) io.Reader {
	if c.Charset.Identity() {
		return lines
	}
	return &encodedLines{lines: bufio.NewReader(lines), encode: c.Charset.Encode}
}

// encodedLines encodes line by line, so that no character is cut in two.
type encodedLines struct {
	lines  *bufio.Reader
	encode func(dst, src []byte) []byte
	memory []byte
	rest   []byte // of a line that was encoded: the end of memory
}

// Read implements io.Reader.
func (e *encodedLines) Read(b []byte) (int, error) {
	for len(e.rest) == 0 {
		line, err := e.lines.ReadBytes('\n')
		e.memory = e.encode(e.memory[:0], line)
		if e.rest = e.memory; len(line) == 0 {
			return 0, err
		}
	}
	n := copy(b, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// language is LANG (RFC 2640 §4.1).
func language(s *Session, a Args) Outcome {
	tag := strings.TrimSpace(a.Text)
	next, ok := s.conf.Languages.Default(), true
	switch {
	case tag != "" && !lang.ValidTag(tag):
		return Say(wire.CodeBadArgument, "That is not a language tag.")
	case tag != "":
		next, ok = s.conf.Languages.Find(tag)
	}
	if !ok {
		return Say(wire.CodeBadParameter, "Replies are not to be had in that language.")
	}
	s.link.lang = next
	return Say(wire.CodeOK, "Replies are in English.")
}

func featLanguages(s *Session) []string { return []string{s.conf.Languages.Feature(s.link.lang)} }
