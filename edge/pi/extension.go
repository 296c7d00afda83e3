package pi

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/listing"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

func fileMode(n int64) fs.FileMode { return fs.FileMode(n) & fs.ModePerm }

// regular asks for the facts of a path that must be a regular file.
func (s *Session) regular(a Args) (vfs.Info, error) {
	g, at, err := s.judge(Question{Op: policy.OpStat, Perm: policy.PermList, Path: a.Path, Text: a.Text})
	if err != nil {
		return vfs.Info{}, err
	}
	info, err := s.statAt(vfs.Path(g.Path), at)
	if err == nil && !info.Mode.IsRegular() || errors.Is(err, fs.ErrNotExist) {
		return info, wire.Say(wire.CodeUnavailable, "%s is not a file that can be retrieved.", string(a.Path))
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
	return Say(wire.CodeFileStatus, "%s", strconv.FormatInt(info.Size, 10))
}

// zone is where times are told: UTC, as RFC 3659 §2.3 asks, unless the operator
// has local times (the model's use_gmt_times). Whoever speaks another protocol to the
// client needs to know which it is.
func (s *Session) zone() *time.Location {
	if s.conf.Zone != nil && s.errand == nil {
		return s.conf.Zone
	}
	return time.UTC
}

// modificationTime is MDTM, and also the form that some clients set the time
// with: a time-val before the name, unless a file of that whole name exists.
func modificationTime(s *Session, a Args) Outcome {
	if word, _, ok := strings.Cut(a.Text, " "); ok && isTimeVal(word) {
		if _, err := s.stat(a.Path); err != nil {
			set, err := TimePath.parse(wire.Command{Arg: a.Text}, s.cwd, s.rank.home)
			if err != nil {
				return s.Fail(err)
			}
			return setModificationTime(s, set)
		}
	}
	info, err := s.regular(a)
	if err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeFileStatus, "%s", info.ModTime.In(s.zone()).Format(timeVal))
}

// isTimeVal reports whether a word looks like a time-val (RFC 3659 §2.3).
func isTimeVal(word string) bool {
	return len(word) == len(timeVal) && strings.Trim(word, "0123456789") == ""
}

func setModificationTime(s *Session, a Args) Outcome {
	if err := all(s.setTime(a, a.Time, time.Time{})); err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeFileStatus, "Modify=%s; %s", a.Time.In(s.zone()).Format(timeVal), string(a.Path))
}

// setTime sets the modification time of a regular file, and the time of its last
// use if atime is not zero.
func (s *Session) setTime(a Args, mtime, atime time.Time) permit {
	return s.changeFile(Question{Op: policy.OpSetTime, Perm: policy.PermTime, Path: a.Path, Text: a.Text, A: mtime.Unix()}, func(p vfs.Path) error {
		c, ok := s.fs.(vfs.Chtimer)
		if !ok {
			return vfs.ErrReadOnly
		}
		return s.conf.Operations.took(opTimes, time.Now(), c.Chtimes(p, atime, mtime))
	})
}

// change does what was permitted, and permit asks whether it is.
type (
	change func() error
	permit func() (change, error)
)

// all does several changes, when all of them are permitted: where one is refused,
// nothing is changed.
func all(asks ...permit) error {
	var changes []change
	for _, ask := range asks {
		do, err := ask()
		if err != nil {
			return err
		}
		changes = append(changes, do)
	}
	for _, do := range changes {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// changing asks a question, checks what is at the path, and returns the change of an
// attribute, which tells the observers.
func (s *Session) changing(q Question, check, do func(vfs.Path) error) (change, error) {
	g, err := s.Ask(q)
	if err == nil {
		err = check(vfs.Path(g.Path))
	}
	if err != nil {
		return nil, err
	}
	return func() error {
		if err := do(vfs.Path(g.Path)); err != nil {
			return err
		}
		s.event(policy.Event{Kind: policy.EventAttributesChanged, Op: q.Op, Path: g.Path})
		return nil
	}, nil
}

// changeFile is changing for an attribute that regular files alone have.
func (s *Session) changeFile(q Question, do func(vfs.Path) error) permit {
	return func() (change, error) {
		return s.changing(q, func(p vfs.Path) error {
			info, err := s.files().Stat(p)
			if err == nil && !info.Mode.IsRegular() {
				err = wire.Say(wire.CodeUnavailable, "%s is not a file that can be retrieved.", string(q.Path))
			}
			return err
		}, do)
	}
}

// optsUnknown answers OPTS for what has no options (RFC 2389 §4).
func optsUnknown(*Session, Args) Outcome {
	return Say(wire.CodeBadArgument, "That is not a command with options.")
}

func featFacts(s *Session) []string { return []string{"MLST " + s.with.facts.Feat()} }

func optsFacts(s *Session, a Args) Outcome {
	text := strings.TrimSpace(a.Text)
	if text != "" && !strings.HasSuffix(text, ";") || strings.Contains(text, " ") {
		return Say(wire.CodeBadArgument, "Each fact ends with a semicolon, and nothing stands between them.")
	}
	s.with.facts = listing.ParseFacts(text)
	return Say(wire.CodeOK, "MLST OPTS %s", s.with.facts)
}

// isUTF8 reports whether names are UTF-8 (RFC 2640 §3.2).
func isUTF8(s *Session) bool { return s.conf.Charset.UTF8() }

func optsUTF8(s *Session, a Args) Outcome {
	if !isUTF8(s) {
		return Say(wire.CodeBadParameter, "Names are not UTF-8 here; that cannot be changed.")
	}
	switch strings.ToUpper(strings.TrimSpace(a.Text)) {
	case "", "ON":
		return Say(wire.CodeOK, "Names are UTF-8.")
	}
	return Say(wire.CodeBadParameter, "Names are UTF-8; that cannot be changed.")
}
