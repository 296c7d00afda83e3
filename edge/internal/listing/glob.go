package listing

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// ErrBadPattern says that a pattern can match nothing.
var ErrBadPattern = errors.New("the pattern can match nothing")

// IsPattern reports whether text may be a pattern: whether it holds one of the
// characters that have a meaning in one.
func IsPattern(text string) bool { return strings.ContainsAny(text, `*?[\`) }

// Pattern is a path of which components may be patterns, as a shell has them:
// "*" is any text, "?" any character, "[a-z]" one of some characters, "[!a-z]"
// or "[^a-z]" any other; a backslash takes the meaning of the character behind
// it. No time to match is more than proportional to the product of the lengths
// of component and name.
type Pattern struct {
	// Prefix is what stands before the first component that is a pattern, as the
	// client wrote it: empty or with a slash at its end.
	Prefix string
	parts  []string // from there on
	dirs   bool     // only directories are meant: there is a slash at the end
}

// ParsePattern reads a pattern. The error is ErrBadPattern, also for components
// that no name is long enough for and for ".." behind a pattern, which would
// name things twice.
func ParsePattern(text string) (Pattern, error) {
	at := strings.IndexAny(text, `*?[\`)
	if at < 0 {
		return Pattern{}, ErrBadPattern
	}
	slash := strings.LastIndexByte(text[:at], '/') + 1
	p := Pattern{Prefix: text[:slash], dirs: strings.HasSuffix(text, "/")}
	for part := range strings.SplitSeq(text[slash:], "/") {
		if part == "" || part == "." {
			continue
		}
		if len(part) > vfs.MaxName || part == ".." {
			return Pattern{}, ErrBadPattern
		}
		part = negate(part)
		if _, err := path.Match(part, ""); err != nil {
			return Pattern{}, ErrBadPattern
		}
		p.parts = append(p.parts, part)
	}
	return p, nil
}

// negate writes the shell's "[!" in the way of package path.
func negate(part string) string {
	b := []byte(part)
	inside := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '\\':
			i++
		case inside:
			inside = b[i] != ']'
		case b[i] == '[':
			inside = true
			if i+1 < len(b) && b[i+1] == '!' {
				b[i+1] = '^'
			}
		}
	}
	return string(b)
}

// Apart reports whether the names that the pattern stands for may lie in several
// directories, so that only a path tells them apart.
func (p Pattern) Apart() bool { return len(p.parts) > 1 }

// Match is what a pattern has found.
type Match struct {
	Path vfs.Path // as the client would ask for it
	At   vfs.Path // where it lies, if a directory was read for it
	Text string   // the path as the client would write it (RFC 1123 §4.1.2.7)
	Info vfs.Info // what is there, as Lstat describes it
}

// Expand finds what the pattern stands for, beginning in the directory that its
// Prefix leads to. A name that begins with a dot is found by patterns that do,
// and otherwise where a listing would show it. What may not be listed, and what
// cannot be read, is left out. The matches are in the order that w's options ask
// for.
func (p Pattern) Expand(ctx context.Context, w *Walk, from vfs.Path) ([]Match, error) {
	defer w.work()()
	if len(p.parts) > w.Limits.Depth {
		return nil, ErrDepth
	}
	found := []Match{{Path: from, Text: p.Prefix}}
	for i := range p.parts {
		var next []Match
		for _, m := range found {
			var err error
			if next, err = p.step(ctx, w, next, m, i); err != nil {
				return nil, err
			}
		}
		found = next
	}
	order := w.Options.compare()
	slices.SortFunc(found, func(a, b Match) int {
		a.Info.Name, b.Info.Name = a.Text, b.Text
		return order(a.Info, b.Info)
	})
	return found, nil
}

// step adds to found what component i stands for in the directory m.
func (p Pattern) step(ctx context.Context, w *Walk, found []Match, m Match, i int) ([]Match, error) {
	if err := w.check(ctx); err != nil {
		return nil, err
	}
	if part := p.parts[i]; !IsPattern(part) {
		return p.literal(w, found, m.join(part), i)
	}
	dir, at, err := w.open(m.Path)
	if err != nil {
		return found, leftOut(err)
	}
	defer dir.Close()
	for {
		if err := w.check(ctx); err != nil {
			return nil, err
		}
		infos, err := dir.Next(portion)
		for _, info := range infos {
			if !p.takes(w, i, info) {
				continue
			}
			next := m.join(info.Name)
			next.At, next.Info = at.Join(info.Name), info
			next.Info.Name = next.At.Base() // not the whole of what was read with it
			if found = append(found, next); w.count(next.size()) != nil {
				return nil, ErrEntries
			}
		}
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return found, leftOut(err)
		}
	}
}

// literal adds next to found. Whether it is there is looked at when it is the
// last component; before, the next step finds out.
func (p Pattern) literal(w *Walk, found []Match, next Match, i int) ([]Match, error) {
	last := i == len(p.parts)-1
	if !last && !w.Hidden {
		return append(found, next), nil
	}
	info, err := w.Look(next.Path)
	switch {
	case err != nil, last && p.dirs && !info.IsDir():
		return found, leftOut(err)
	case !last:
		return append(found, next), nil
	}
	next.Info = info
	return append(found, next), w.count(next.size())
}

// takes reports whether component i, a pattern, stands for an entry.
func (p Pattern) takes(w *Walk, i int, info vfs.Info) bool {
	part, last := p.parts[i], i == len(p.parts)-1
	switch {
	case !last && !info.IsDir() && info.Mode&fs.ModeSymlink == 0:
		return false // leads nowhere
	case last && p.dirs && !info.IsDir():
		return false
	case strings.HasPrefix(info.Name, ".") && !w.Dots && strings.TrimPrefix(part, `\`)[:1] != ".":
		return false
	case !writable(&info):
		return false
	}
	ok, _ := path.Match(part, info.Name)
	return ok
}

// join is the entry called name of the directory m.
func (m Match) join(name string) Match {
	text := m.Text
	if text != "" && !strings.HasSuffix(text, "/") {
		text += "/"
	}
	return Match{Path: m.Path.Join(name), Text: text + name}
}

// size is how many bytes the match takes up, about.
func (m Match) size() int { return len(m.Path) + len(m.At) + len(m.Text) + len(m.Info.Target) }

// leftOut returns the errors that end a walk. Those that concern one file alone
// do not: ls says nothing of them on its standard output either.
func leftOut(err error) error {
	for _, is := range []error{fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, vfs.ErrNotDirectory,
		vfs.ErrEscapes, vfs.ErrCrossDevice, vfs.ErrNameTooLong, vfs.ErrSpecial} {
		if errors.Is(err, is) {
			return nil
		}
	}
	return err
}
