package pi

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/internal/listing"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// lister is one command's listing: what was asked for, and what is needed of the
// session. It takes a copy of that, so that a helper goroutine can read
// directories while the session answers.
type lister struct {
	form    form
	options listing.Options
	arg     string   // the argument as the client sent it
	text    string   // the part of it that is a path or a pattern
	given   bool     // there is such a part
	path    vfs.Path // that, or the working directory
	at      vfs.Path // where a policy says that path lies; empty until it was asked

	fs     nvfs
	conf   *Config
	zone   *time.Location // of times
	guard  vfs.Guard      // of fs; nil: it keeps nothing of its own accord
	facts  listing.Facts
	owner  string // of interrupted uploads
	perms  func(vfs.Path) policy.Perms
	alike  bool // the permissions of all paths are the same
	who    *policy.Session
	row    *Spec  // of the command
	number uint64 // of the command's question, which all others of the walk share
	lease  chain.Lease
	view   *services
	screen bool           // a policy may hide entries
	sealed bool           // the data connection will be protected
	target netip.AddrPort // of the data connection, as far as the client has said
	limits policy.Limits  // the narrowest that were answered
}

// lister begins a listing.
func (s *Session) lister(a Args, f form) *lister {
	l := &lister{form: f, arg: a.Text, text: a.Text, given: a.Given, path: a.Path,
		fs: s.files(), conf: s.conf, zone: s.zone(), facts: s.with.facts, owner: s.owner(), perms: s.frozen(), alike: len(s.rank.id.Rules) == 0,
		who: s.shown(), row: s.row, lease: s.lease, sealed: s.with.protect, view: s.services(nil), target: s.target(), screen: s.lease.Asks(policy.StageList)}
	l.guard, _ = s.fs.(vfs.Guard)
	if a.ls.given && (a.Path == "" || !l.has(a.Path)) {
		l.options, l.text, l.path, l.given = a.ls.options, a.ls.text, a.ls.path, a.ls.text != ""
	}
	return l
}

// frozen returns the permissions of paths without asking the session for each.
func (s *Session) frozen() func(vfs.Path) policy.Perms {
	copied := &Session{state: &state{rank: s.rank}}
	return copied.Perms
}

// granted takes note of the answer about the path itself.
func (l *lister) granted(g policy.Grant, number uint64) {
	l.at, l.limits, l.number = vfs.Path(g.Path), g.Limits, number
}

// has reports whether there is anything at a path.
func (l *lister) has(p vfs.Path) bool {
	_, err := l.lstat(p)
	return err == nil
}

// lstat describes a path itself, as this user sees it: an interrupted upload of
// the user's own counts where no file is.
func (l *lister) lstat(p vfs.Path) (vfs.Info, error) {
	info, err := l.fs.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) {
		if part, perr := l.fs.Partial(l.owner, p); !errors.Is(perr, fs.ErrNotExist) {
			return part, perr
		}
	}
	return info, err
}

// ask puts the question of the listing about one more path, in a helper
// goroutine. What may not be listed fails like what the server itself may not
// read; nobody is told of it. The rate of a listing that has begun stays.
func (l *lister) ask(p vfs.Path, dir bool) (at vfs.Path, err error) {
	if p == l.path && l.at != "" {
		return l.at, nil
	}
	if !l.perms(p).Has(policy.PermList) {
		return p, fs.ErrPermission
	}
	a := &policy.Action{Meta: policy.Meta{Session: l.who, Request: l.number, Time: time.Now()},
		Op: policy.OpList, Path: string(p), Arg: l.arg, Exists: dir, Dir: dir, DataPeer: l.target}
	g, err := l.row.authorize(policy.WithServices(context.Background(), l.view), l.lease, a)
	var no *refused
	switch {
	case err != nil && (!errors.As(err, &no) || no.denial.Failed):
		return p, err
	case err != nil, g.Limits.DataTLS && !l.sealed:
		return p, fs.ErrPermission
	}
	l.limits = l.limits.Narrow(g.Limits)
	return vfs.Path(g.Path), nil
}

// open opens a directory, with the user's own interrupted uploads in it.
func (l *lister) open(p vfs.Path) (vfs.Dir, vfs.Path, error) {
	at, err := l.ask(p, true)
	if err != nil {
		return nil, at, err
	}
	dir, err := l.fs.ReadDir(at)
	if err != nil {
		return nil, at, err
	}
	mine, _ := l.fs.Partials(l.owner, at)
	dir = listing.With(dir, mine...)
	if !l.screen {
		return dir, at, nil
	}
	dir, err = l.screened(dir, p, at)
	return dir, at, err
}

// look describes a path of which it is not known whether it is there.
func (l *lister) look(p vfs.Path) (vfs.Info, error) {
	at, err := l.ask(p, false)
	if err != nil {
		return vfs.Info{}, err
	}
	info, err := l.lstat(at)
	if err == nil && l.screen {
		err = l.visible(p, info)
	}
	return l.followed(info, at), err
}

// followed is what a link leads to, if -L asks for that and it leads anywhere.
func (l *lister) followed(info vfs.Info, at vfs.Path) vfs.Info {
	if l.options.Has(listing.Follow) && info.Mode&fs.ModeSymlink != 0 {
		if target, err := l.fs.Stat(at); err == nil {
			return target
		}
	}
	return info
}

// dots reports whether names that begin with a dot are told.
func (l *lister) dots() bool {
	return !l.conf.Listing.HideDotFiles || l.options.Has(listing.All)
}

func (l *lister) walk() *listing.Walk {
	return &listing.Walk{Open: l.open, Look: l.look, Limits: l.conf.Listing.Limits.limits(), Options: l.options, Dots: l.dots(), Hidden: l.screen, Room: l.conf.Memory}
}

// prefix is what stands before the names in the directory that was asked for.
func (l *lister) prefix() string {
	switch {
	case l.given:
		return strings.TrimRight(l.text, "/") + "/"
	case l.form == longForm:
		return "./"
	}
	return ""
}

// directory lists the directory that was asked for, and with -R all below it.
func (l *lister) directory() (io.ReadCloser, error) {
	walk := l.walk()
	if l.options.Has(listing.Recursive) && walk.Limits.Depth >= 0 {
		t := listing.NewTree(walk, l.format, l.form == longForm, listing.Root{Path: l.path, Text: l.prefix()})
		return t, t.Begin()
	}
	dir, at, err := l.open(l.path)
	if err != nil {
		return nil, err
	}
	switch most := walk.Limits.Sorted; l.form {
	case nameForm:
		return listing.NewNames(listing.SortNames(walk.Room, dir, l.options, most), l.dots(), l.prefix()), nil
	case longForm:
		dir = listing.SortIn(walk.Room, dir, l.options, most)
	}
	r := listing.New(dir, l.dots(), l.format(at, ""))
	r.Help(l.conf.Helpers, func() listing.Format { return l.format(at, "") })
	return r, nil
}

// one lists what was asked for itself, under the name that the client gave where
// names are listed.
func (l *lister) one(info vfs.Info) io.ReadCloser {
	if link, err := l.lstat(l.at); err == nil {
		info = l.followed(link, l.at)
	}
	switch {
	case !l.given:
		info.Name = "."
	case l.form == nameForm:
		info.Name = l.text
	}
	return listing.New(listing.Fixed(info), true, l.format(l.at.Dir(), ""))
}

// expand lists what a pattern stands for: what it matches itself, not what is in
// the directories among that, unless -R asks for it. It is nil if nothing is
// matched.
func (l *lister) expand(ctx context.Context, p listing.Pattern) (io.ReadCloser, error) {
	walk := l.walk()
	found, err := p.Expand(ctx, walk, l.path)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var roots []listing.Root
	infos := make([]vfs.Info, 0, len(found))
	for _, m := range found {
		if m.Info.IsDir() {
			roots = append(roots, listing.Root{Path: m.Path, Text: m.Text + "/"})
		}
		m.Info = l.followed(m.Info, m.At)
		m.Info.Name = m.Path.Base()
		if l.form == nameForm || p.Apart() {
			m.Info.Name = m.Text
		}
		infos = append(infos, m.Info)
	}
	matches := listing.New(listing.Fixed(infos...), true, l.format(l.path, ""))
	if !l.options.Has(listing.Recursive) || l.options.Has(listing.Itself) {
		return matches, nil
	}
	t := listing.NewTree(walk, l.format, l.form == longForm, roots...)
	t.First(matches)
	return t, nil
}

// format is how entries of the directory at a path are written, where text stands
// before their names.
func (l *lister) format(at vfs.Path, text string) listing.Format {
	switch l.form {
	case nameForm:
		return listing.Names(text)
	case factForm:
		entry := l.entries(at)
		return func(dst []byte, info *vfs.Info) []byte { return l.facts.Line(dst, entry(info), info.Name) }
	}
	style := listing.Style{Now: time.Now(), Zone: l.zone, Owners: l.conf.Listing.Owners}
	if l.options.Has(listing.Numeric) {
		style.Owners = nil
	}
	format := listing.Long(style)
	single := l.options.Has(listing.Single) && !l.options.Has(listing.Verbose)
	if single {
		format = listing.Names("")
	}
	if l.options.Has(listing.Marked) {
		format = listing.Mark(format, single)
	}
	if l.options.Has(listing.Follow) {
		format = listing.Through(format, func(name string) (vfs.Info, error) { return l.fs.Stat(at.Join(name)) })
	}
	return format
}

// entries returns what turns the files of one directory into MLSD's entries, for one
// goroutine; each is used up with the next one.
func (l *lister) entries(dir vfs.Path) func(*vfs.Info) *listing.Entry {
	e := &listing.Entry{Zone: l.zone}
	var perms permMemory
	return func(info *vfs.Info) *listing.Entry {
		e.Info, e.Kind, e.Perm, e.Made = info, "file", "", time.Time{}
		if info.Mode&fs.ModeSymlink != 0 {
			// RFC 3659 §7.5.1 leaves links to the system; what a link inside the
			// tree leads to is what a client gets, so that is what it is told.
			target, err := l.fs.Stat(dir.Join(info.Name))
			if err != nil {
				e.Kind = "OS.unix=slink:" + strings.Map(factual, info.Target)
				return e
			}
			e.Info = &target
			e.Name = info.Name
		}
		e.Made = e.Birth
		switch {
		case e.IsDir():
			e.Kind = "dir"
		case !e.Mode.IsRegular():
			e.Kind = "OS.unix=special"
		}
		own, kept := l.permsIn(dir, info.Name), dir == vfs.Root && info.Name == ""
		if l.guard != nil {
			own, kept = l.unfixed(dir, info.Name, own, kept)
		}
		e.Perm = perms.fact(own, e.IsDir(), kept)
		return e
	}
}

// permsIn returns the permissions of a file in a directory. Where no rule tells paths
// apart, the path is not needed.
func (l *lister) permsIn(dir vfs.Path, name string) policy.Perms {
	if l.alike {
		return l.perms(dir)
	}
	return l.perms(dir.Join(name))
}

// unfixed takes those permissions away that are of no use, because the filesystem keeps what
// is there, and reports whether it keeps the entry itself.
func (l *lister) unfixed(dir vfs.Path, name string, own policy.Perms, kept bool) (policy.Perms, bool) {
	p := dir
	if name != "" && name != string(vfs.Root) {
		p = dir.Join(name)
	}
	self, inside := l.guard.Fixed(p)
	if inside != nil {
		own &= policy.PermReadOnly
	}
	return own, kept || self != nil
}

// factual puts a question mark in the place of what would end a fact or, as the first
// space does, all of them (RFC 3659 §7.2): no link's target forges a name.
func factual(r rune) rune {
	if r <= ' ' || r == ';' || r == 0x7f {
		return '?'
	}
	return r
}

// permMemory is the perm fact of the last file, since that of the next one is mostly
// the same.
type permMemory struct {
	own       policy.Perms
	dir, root bool
	text      string
}

func (m *permMemory) fact(own policy.Perms, dir, root bool) string {
	if m.text == "" || own != m.own || dir != m.dir || root != m.root {
		*m = permMemory{own, dir, root, permFact(own, dir, root)}
	}
	return m.text
}

// permFact is the perm fact of a file or directory (RFC 3659 §7.5.5) as far as
// the session's own permissions tell; policies may know better. Letters of ours
// that the RFC does not have are not told, and of the root nothing that is
// refused there.
func permFact(own policy.Perms, dir, root bool) string {
	type right struct {
		letter byte
		is     bool
	}
	rights := []right{
		{'a', own.Has(policy.PermAppend)},
		{'d', own.Has(policy.PermDelete)},
		{'f', own.Has(policy.PermRename)},
		{'r', own.Has(policy.PermRead)},
		{'w', own.Has(policy.PermWrite)},
	}
	if dir {
		rights = []right{
			{'c', own&(policy.PermWrite|policy.PermAppend|policy.PermRename) != 0},
			{'d', own.Has(policy.PermDelete) && !root},
			{'e', own.Has(policy.PermCwd)},
			{'f', own.Has(policy.PermRename) && !root},
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
