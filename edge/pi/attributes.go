package pi

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// fact is one fact of MFF to be set.
type fact struct {
	name  string // in lower case
	value string
}

// cutFacts cuts the facts of MFF off its argument: "name=value;name=value; path"
// (draft-somers-ftp-mfxx-04 §5.1).
func cutFacts(text string) (facts []fact, path string, err error) {
	list, path, ok := strings.Cut(text, "; ")
	if !ok || path == "" {
		return nil, "", wire.Say(wire.CodeBadArgument, "MFF needs facts, each with a semicolon behind it, a space and a path.")
	}
	for word := range strings.SplitSeq(list, ";") {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			return nil, "", wire.Say(wire.CodeBadArgument, "A fact of MFF is name=value.")
		}
		name = strings.ToLower(name)
		if slices.ContainsFunc(facts, func(f fact) bool { return f.name == name }) { // or one line would do the work of hundreds
			return nil, "", wire.Say(wire.CodeBadArgument, "A fact is given twice.")
		}
		facts = append(facts, fact{name, value})
	}
	return facts, path, nil
}

// modifyFacts is MFF (draft-somers-ftp-mfxx-04 §5). All facts are checked, and the
// policies asked about each, before the first one is set.
func modifyFacts(s *Session, a Args) Outcome {
	facts, name, err := cutFacts(a.Text)
	if err == nil {
		a.Path, err = s.Resolve(name)
	}
	if err != nil {
		return s.Fail(err)
	}
	var asks []permit
	var done strings.Builder
	for _, f := range facts {
		ask, err := s.setFact(f, a)
		if err != nil {
			return s.Fail(err)
		}
		asks = append(asks, ask)
		done.WriteString(f.name + "=" + f.value + ";")
	}
	if err := all(asks...); err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeFileStatus, "%s %s", done.String(), string(a.Path))
}

// settable are the facts that MFF can set, as FEAT lists them.
func (s *Session) settable() []string {
	list := []string{"modify", "unix.mode"}
	if hasBirth(s) {
		list = append([]string{"create"}, list...)
	}
	return list
}

func featFactsToSet(s *Session) []string {
	return []string{"MFF " + strings.Join(s.settable(), ";") + ";"}
}

// hasBirth reports whether the filesystem lets the creation time be set.
func hasBirth(s *Session) bool {
	_, ok := s.fs.(vfs.Birther)
	return ok
}

// setFact checks one fact and returns what asks whether it may be set.
func (s *Session) setFact(f fact, a Args) (permit, error) {
	switch f.name {
	case "modify", "create":
		t, err := time.Parse(timeVal, f.value)
		if err != nil || !isTimeVal(f.value) {
			return nil, wire.Say(wire.CodeBadArgument, "The time is not of the form YYYYMMDDhhmmss.")
		}
		if f.name == "create" {
			return s.setBirth(a, t), nil
		}
		return s.setTime(a, t, time.Time{}), nil
	case "unix.mode":
		n, err := strconv.ParseUint(f.value, 8, 32)
		if err != nil || len(f.value) < 3 || len(f.value) > 4 {
			return nil, wire.Say(wire.CodeBadArgument, "The mode is not of three or four octal digits.")
		}
		if a.N = int64(n); a.N&^0o777 != 0 {
			return nil, errBits()
		}
		return s.setMode(a), nil
	}
	return nil, wire.Say(wire.CodeBadParameter, "That fact cannot be set; FEAT lists those that can.")
}

// setBirth sets when a file was made, where the filesystem can.
func (s *Session) setBirth(a Args, t time.Time) permit {
	b, ok := s.fs.(vfs.Birther)
	if _, err := s.writer(); err != nil {
		return func() (change, error) { return nil, err }
	}
	if !ok {
		return func() (change, error) {
			return nil, wire.Say(wire.CodeBadParameter, "When a file was made cannot be changed on this filesystem.")
		}
	}
	q := Question{Op: policy.OpSetTime, Perm: policy.PermTime, Path: a.Path, Text: a.Text, A: t.Unix()}
	return s.changeFile(q, func(p vfs.Path) error { return s.conf.Operations.took(opTimes, time.Now(), b.SetBirth(p, t)) })
}

// setCreationTime is MFCT (draft-somers-ftp-mfxx-04 §4).
func setCreationTime(s *Session, a Args) Outcome {
	if err := all(s.setBirth(a, a.Time)); err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeFileStatus, "Create=%s; %s", a.Time.Format(timeVal), string(a.Path))
}

// siteUTime is SITE UTIME in both forms that clients send: "time path" and "path
// access modification creation UTC", each time of 12 or 14 digits in UTC.
func siteUTime(s *Session, a Args) Outcome {
	name, mtime, atime, err := cutTimes(a.Text)
	if err == nil {
		a.Path, err = s.Resolve(name)
	}
	if err == nil {
		err = all(s.setTime(a, mtime, atime))
	}
	if err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeOK, "The time was set.")
}

// cutTimes reads the argument of SITE UTIME. atime is zero in the short form.
func cutTimes(text string) (name string, mtime, atime time.Time, err error) {
	bad := wire.Say(wire.CodeBadArgument, "SITE UTIME takes \"time path\", or \"path access modification creation UTC\".")
	word, rest, _ := strings.Cut(text, " ")
	if mtime, ok := siteTime(word); ok && rest != "" {
		return rest, mtime, atime, nil
	}
	words := strings.Split(text, " ")
	n := len(words) - 4
	if n < 1 || !strings.EqualFold(words[n+3], "UTC") {
		return "", mtime, atime, bad
	}
	atime, ok1 := siteTime(words[n])
	mtime, ok2 := siteTime(words[n+1])
	_, ok3 := siteTime(words[n+2])
	if !ok1 || !ok2 || !ok3 {
		return "", mtime, atime, bad
	}
	return strings.Join(words[:n], " "), mtime, atime, nil
}

// siteTime reads a time of 12 digits, without seconds, or 14.
func siteTime(word string) (time.Time, bool) {
	if len(word) == len(timeVal)-2 {
		word += "00"
	}
	t, err := time.Parse(timeVal, word)
	return t, err == nil && isTimeVal(word)
}

// siteChmod is SITE CHMOD. Set-id and sticky bits are refused, not left out.
func siteChmod(s *Session, a Args) Outcome {
	if err := all(s.setMode(a)); err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeOK, "The mode was set.")
}

func errBits() error {
	return wire.Say(wire.CodeBadArgument, "Only permission bits can be set, not set-id or sticky bits.")
}

// setMode sets the permission bits of a file or directory.
func (s *Session) setMode(a Args) permit {
	return func() (change, error) {
		if a.N&^0o777 != 0 {
			return nil, errBits()
		}
		q := Question{Op: policy.OpChmod, Perm: policy.PermChmod, Path: a.Path, Text: a.Text, A: a.N}
		c, ok := s.fs.(vfs.Chmodder)
		can := func(vfs.Path) error {
			if !ok {
				return vfs.ErrReadOnly
			}
			return nil
		}
		return s.changing(q, can, func(p vfs.Path) error { return s.conf.Operations.took(opChmod, time.Now(), c.Chmod(p, fileMode(a.N))) })
	}
}

// available is AVBL (draft-peterson-streamlined-ftp-command-extensions-10 §4):
// the bytes that may still be stored in a directory.
func available(s *Session, a Args) Outcome {
	g, err := s.Ask(Question{Op: policy.OpStat, Perm: policy.PermList, Path: a.Path, Text: a.Text})
	if err != nil {
		return s.Fail(err)
	}
	info, err := s.files().Stat(vfs.Path(g.Path))
	if err == nil && !info.IsDir() {
		err = vfs.ErrNotDirectory
	}
	if err != nil {
		return s.Fail(err)
	}
	spacer, ok := s.fs.(vfs.Spacer)
	if !ok {
		return Say(wire.CodeNotImplemented, "How much space there is cannot be told here.")
	}
	began := time.Now()
	free, err := spacer.Space(vfs.Path(g.Path))
	if s.conf.Operations.took(opSpace, began, err) != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeFileStatus, "%d", free)
}

// siteSymlink is SITE SYMLINK, which no table has unless it is asked for (see
// Optional): "target name", the name behind the last space.
func siteSymlink(s *Session, a Args) Outcome {
	i := strings.LastIndexByte(a.Text, ' ')
	if i <= 0 || i == len(a.Text)-1 {
		return Say(wire.CodeBadArgument, "SITE SYMLINK takes a target and a name.")
	}
	target, name := a.Text[:i], a.Text[i+1:]
	p, err := s.Resolve(name)
	if err != nil {
		return s.Fail(err)
	}
	to, err := vfs.Clean(p.Dir(), target)
	if err != nil {
		return s.Fail(err)
	}
	g, err := s.Ask(Question{Op: policy.OpSymlink, Perm: policy.PermWrite, Path: p, Path2: to, Text: a.Text})
	if err == nil {
		target, err = s.linkText(g, p, to, target)
	}
	if err != nil {
		return s.Fail(err)
	}
	l, ok := s.fs.(vfs.Symlinker)
	if _, err := s.writer(); err != nil {
		return s.Fail(err)
	}
	if !ok {
		return Say(wire.CodeNotImplemented, "There are no symbolic links here.")
	}
	if err := s.conf.Operations.took(opSymlink, time.Now(), l.Symlink(target, vfs.Path(g.Path))); err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeOK, "The link was made.")
}

// linkText is what a link must say so that it leads where the policies permitted it
// to: the client's own words made short, unless the answer has put one of the ends elsewhere. A
// relative target counts from where the directory really is, so that one that goes up
// over a link would lead to another path than the one that was asked about.
func (s *Session) linkText(g policy.Grant, p, to vfs.Path, target string) (string, error) {
	if g.Path != string(p) || g.Path2 != string(to) {
		return g.Path2, nil
	}
	if strings.HasPrefix(target, "/") {
		return target, nil
	}
	at := p.Dir()
	for name := range strings.SplitSeq(target, "/") {
		switch name {
		case "", ".":
			continue
		case "..":
		default:
			at = at.Join(name)
			continue
		}
		if at == vfs.Root {
			return "", vfs.ErrEscapes
		}
		if info, err := s.files().Lstat(at); err == nil && info.Mode&fs.ModeSymlink != 0 {
			return "", wire.Say(wire.CodeUnavailable, "The target goes up over a symbolic link; name it from the root.")
		}
		at = at.Dir()
	}
	return path.Clean(target), nil // without a "none/..", which would be one over a link that is made later
}
