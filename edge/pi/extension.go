package pi

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/edgeftp/edgeftp/edge/internal/listing"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

func fileMode(n int64) fs.FileMode { return fs.FileMode(n) & fs.ModePerm }

// regular asks for the facts of a path that must be a regular file.
func (s *Session) regular(a Args) (vfs.Info, error) {
	g, err := s.Ask(Question{Op: policy.OpStat, Perm: policy.PermList, Path: a.Path, Text: a.Text})
	if err != nil {
		return vfs.Info{}, err
	}
	info, err := s.stat(vfs.Path(g.Path))
	if err == nil && !info.Mode.IsRegular() || errors.Is(err, fs.ErrNotExist) {
		return info, wire.Say(wire.CodeUnavailable, "%s is not a file that can be retrieved.", a.Path)
	}
	return info, err
}

func size(s *Session, a Args) Outcome {
	if s.with.ascii {
		return Say(wire.CodeUnavailable, "The size of text is not known; send TYPE I first.")
	}
	info, err := s.regular(a)
	if err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeFileStatus, "%d", info.Size)
}

func modificationTime(s *Session, a Args) Outcome {
	info, err := s.regular(a)
	if err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeFileStatus, "%s", info.ModTime.UTC().Format(timeVal))
}

func setModificationTime(s *Session, a Args) Outcome {
	g, err := s.Ask(Question{Op: policy.OpSetTime, Perm: policy.PermTime, Path: a.Path, Text: a.Text, A: a.Time.Unix()})
	if err != nil {
		return s.Fail(err)
	}
	info, err := s.fs.Stat(vfs.Path(g.Path))
	if err != nil {
		return s.Fail(err)
	}
	if !info.Mode.IsRegular() {
		return Say(wire.CodeUnavailable, "%s is not a file that can be retrieved.", a.Path)
	}
	c, ok := s.fs.(vfs.Chtimer)
	if !ok {
		return s.Fail(vfs.ErrReadOnly)
	}
	if err := c.Chtime(vfs.Path(g.Path), a.Time); err != nil {
		return s.Fail(err)
	}
	s.event(policy.Event{Kind: policy.EventAttributesChanged, Op: policy.OpSetTime, Path: g.Path})
	return Say(wire.CodeFileStatus, "Modify=%s; %s", a.Time.Format(timeVal), a.Path)
}

func featFacts(s *Session) []string { return []string{"MLST " + s.with.facts.Feat()} }

func optsFacts(s *Session, a Args) Outcome {
	text := strings.TrimSpace(a.Text)
	if text != "" && !strings.HasSuffix(text, ";") {
		return Say(wire.CodeBadArgument, "Each fact ends with a semicolon.")
	}
	s.with.facts = listing.ParseFacts(text)
	return Say(wire.CodeOK, "MLST OPTS %s", s.with.facts)
}

func optsUTF8(_ *Session, a Args) Outcome {
	switch strings.ToUpper(strings.TrimSpace(a.Text)) {
	case "", "ON":
		return Say(wire.CodeOK, "Names are UTF-8.")
	}
	return Say(wire.CodeBadParameter, "Names are UTF-8; that cannot be changed.")
}
