package pi

import (
	"strings"

	"github.com/edgeftp/edgeftp/edge/internal/listing"
	"github.com/edgeftp/edgeftp/edge/lang"
	"github.com/edgeftp/edgeftp/edge/vfs"
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

// encoded is a listing's format in the client's encoding.
func (c *Config) encoded(f listing.Format) listing.Format {
	if c.Charset.Identity() {
		return f
	}
	var line []byte
	return func(dst []byte, info vfs.Info) []byte {
		line = f(line[:0], info)
		return c.Charset.Encode(dst, line)
	}
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
