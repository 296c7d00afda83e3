package pi

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/listing"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// form is the shape of a listing.
type form uint8

const (
	longForm form = iota
	nameForm
	factForm
)

// source is a listing that is ready to be read.
type source struct {
	*listing.Reader
	dir    bool // of a directory, not of one file
	limits policy.Limits
}

// listing opens a listing of a path, which is a directory or one file. A name
// that exists is taken as it is; otherwise what looks like options of ls is cut
// off it.
func (s *Session) listing(a Args, f form) (*source, error) {
	if strings.HasPrefix(a.Text, "-") {
		if _, err := s.stat(a.Path); err != nil {
			a.Text, a.All = listOptions(a.Text)
			a.Given = a.Text != ""
			if a.Path, err = resolve(a.Text, s.cwd, s.rank.home); err != nil {
				return nil, err
			}
		}
	}
	g, err := s.Ask(Question{Op: policy.OpList, Perm: policy.PermList, Path: a.Path, Text: a.Text})
	if err != nil {
		return nil, err
	}
	path := vfs.Path(g.Path)
	info, err := s.stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return s.listOne(a, path, f, g.Limits)
	}
	dir, err := s.fs.ReadDir(path)
	if err != nil {
		return nil, err
	}
	prefix := ""
	if a.Given && f == nameForm {
		prefix = strings.TrimSuffix(a.Text, "/") + "/"
	}
	r := listing.New(dir, s.partials(path), true, s.format(f, path, prefix))
	return &source{Reader: r, dir: true, limits: g.Limits}, nil
}

// listOne lists one file, under the name that the client gave.
func (s *Session) listOne(a Args, p vfs.Path, f form, limits policy.Limits) (*source, error) {
	info, err := s.fs.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = s.partial(p)
	}
	if err != nil {
		return nil, err
	}
	if f == nameForm {
		info.Name = a.Text
	}
	return &source{Reader: listing.One(info, s.format(f, p.Dir(), "")), limits: limits}, nil
}

// partials are the user's own interrupted uploads in a directory.
func (s *Session) partials(p vfs.Path) []vfs.Info {
	parts, ok := s.fs.(vfs.Partials)
	if !ok || s.owner() == "" {
		return nil
	}
	infos, _ := parts.Partials(s.owner(), p)
	return infos
}

func (s *Session) format(f form, dir vfs.Path, prefix string) listing.Format {
	switch f {
	case nameForm:
		return listing.Names(prefix)
	case factForm:
		facts := s.with.facts
		entry := s.entries(dir)
		return func(dst []byte, info vfs.Info) []byte { return facts.Line(dst, entry(info), info.Name) }
	}
	return listing.Long(time.Now(), s.conf.Zone)
}

// entries returns what turns the files of one directory into MLSD's entries. It
// runs in the transfer's goroutine and so takes with it what it needs of the
// session.
func (s *Session) entries(dir vfs.Path) func(vfs.Info) listing.Entry {
	filesystem, perms, here := s.fs, s.permsBelow(dir), s.Perms(dir)
	return func(info vfs.Info) listing.Entry {
		name := info.Name
		e := listing.Entry{Info: info, Kind: "file"}
		if info.Mode&fs.ModeSymlink != 0 {
			// RFC 3659 §7.5.1 leaves links to the system; what a link inside the
			// tree leads to is what a client gets, so that is what it is told.
			target, err := filesystem.Stat(dir.Join(name))
			if err != nil {
				e.Kind = "OS.unix=slink:" + strings.ReplaceAll(info.Target, ";", "?")
				return e
			}
			e.Info = target
			e.Name = name
		}
		switch {
		case e.IsDir():
			e.Kind = "dir"
		case !e.Mode.IsRegular():
			e.Kind = "OS.unix=special"
		}
		e.Perm = permFact(perms(dir.Join(name)), here, e.IsDir())
		return e
	}
}

// permsBelow returns the permissions of paths in dir without asking the session
// for each.
func (s *Session) permsBelow(dir vfs.Path) func(vfs.Path) policy.Perms {
	if len(s.rank.id.Rules) == 0 {
		all := s.rank.perms
		return func(vfs.Path) policy.Perms { return all }
	}
	frozen := &Session{rank: s.rank}
	return frozen.Perms
}

// permFact is the perm fact of a file or directory (RFC 3659 §7.5.5) as far as
// the session's own permissions tell; policies may know better.
func permFact(own, parent policy.Perms, dir bool) string {
	type right struct {
		letter byte
		is     bool
	}
	rights := []right{
		{'a', own.Has(policy.PermAppend)},
		{'d', parent.Has(policy.PermDelete)},
		{'f', parent.Has(policy.PermRename)},
		{'r', own.Has(policy.PermRead)},
		{'w', own.Has(policy.PermWrite)},
	}
	if dir {
		rights = []right{
			{'c', own.Has(policy.PermWrite)},
			{'d', parent.Has(policy.PermDelete)},
			{'e', own.Has(policy.PermCwd)},
			{'f', parent.Has(policy.PermRename)},
			{'l', own.Has(policy.PermList)},
			{'m', own.Has(policy.PermMkdir)},
			{'p', own.Has(policy.PermDelete)},
		}
	}
	var b []byte
	for _, r := range rights {
		if r.is {
			b = append(b, r.letter)
		}
	}
	return string(b)
}

// lines reads the whole listing, up to most lines.
func (src *source) lines(ctx context.Context, most int) ([]string, error) {
	defer src.Close()
	var out []string
	sc := bufio.NewScanner(src.Reader)
	for sc.Scan() && ctx.Err() == nil {
		if len(out) == most {
			return append(out, "The rest is left out; use LIST."), nil
		}
		out = append(out, sc.Text())
	}
	return out, sc.Err()
}

func list(s *Session, a Args) Outcome     { return s.sendListing(a, longForm) }
func nameList(s *Session, a Args) Outcome { return s.sendListing(a, nameForm) }

func machineListDirectory(s *Session, a Args) Outcome {
	return s.sendListing(a, factForm)
}

// sendListing sends a listing over the data connection. Its lines have their
// ends already, so that the representation type changes nothing.
func (s *Session) sendListing(a Args, f form) Outcome {
	src, err := s.listing(a, f)
	if f == factForm && (err == nil && !src.dir || absent(err)) {
		if src != nil {
			src.Close()
		}
		err = wire.Say(wire.CodeBadArgument, "That is not a directory.")
	}
	if err != nil {
		return s.refuse(err)
	}
	t, err := s.transfer(src.limits)
	if err != nil {
		src.Close()
		return s.refuse(err)
	}
	t.Send, t.ASCII, t.Limiter = src.Reader, false, limiter(src.limits.RateDown)
	return s.run(t, "Sending the listing.", "Listing "+string(a.Path), func(_ context.Context, r dtp.Result) Settle {
		src.Close()
		return func(s *Session) Outcome { return s.sent(r) }
	})
}

// absent reports whether there is nothing, or nothing that may be known of.
func absent(err error) bool {
	var no *refused
	return errors.Is(err, fs.ErrNotExist) || errors.As(err, &no) && no.denial.Hidden
}

func machineListOne(s *Session, a Args) Outcome {
	g, err := s.Ask(Question{Op: policy.OpStat, Perm: policy.PermList, Path: a.Path, Text: a.Text})
	if err != nil {
		return s.Fail(err)
	}
	path := vfs.Path(g.Path)
	info, err := s.fs.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = s.stat(path)
	}
	if err != nil {
		return s.Fail(err)
	}
	if path == vfs.Root {
		info.Name = "" // Join with it is the root itself
	}
	line := s.with.facts.Line([]byte{' '}, s.entries(path.Dir())(info), string(path))
	return Outcome{Reply: wire.Multi(wire.CodeFileActionOK, "Listing "+wire.Quote(string(path))+":", string(line), "End")}
}
