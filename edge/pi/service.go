package pi

import (
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
	"github.com/edgeftp/edgeftp/edge/wire"
)

// writer returns the filesystem as one that can be changed.
func (s *Session) writer() (changer, error) { return s.files().writer() }

// change asks a question, does one change and tells the observers of it.
func (s *Session) change(q Question, kind policy.EventKind, do func(w changer, p, p2 vfs.Path) error) error {
	g, err := s.Ask(q)
	if err != nil {
		return err
	}
	w, err := s.writer()
	if err != nil {
		return err
	}
	e := policy.Event{Kind: kind, Op: q.Op, Path: g.Path, Path2: g.Path2}
	if q.Op == policy.OpDelete && s.observed(kind) {
		e.Size = s.bytesAt(vfs.Path(g.Path))
	}
	if err := do(w, vfs.Path(g.Path), vfs.Path(g.Path2)); err != nil {
		return err
	}
	s.event(e)
	return nil
}

// bytesAt is how many bytes go away with what is at a path: those of a file itself,
// not of what a link leads to, nor of an interrupted upload, which was never counted
// as one that is there.
func (s *Session) bytesAt(p vfs.Path) int64 {
	info, err := s.files().Lstat(p)
	if err != nil || !info.Mode.IsRegular() {
		return 0
	}
	return info.Size
}

func makeDirectory(s *Session, a Args) Outcome {
	q := Question{Op: policy.OpMkdir, Perm: policy.PermMkdir, Path: a.Path, Text: a.Text}
	err := s.change(q, policy.EventDirCreated, func(w changer, p, _ vfs.Path) error { return w.mkdir(p) })
	if err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodePathname, "%s was made.", wire.Quote(string(a.Path)))
}

func removeDirectory(s *Session, a Args) Outcome {
	q := Question{Op: policy.OpRmdir, Perm: policy.PermDelete, Path: a.Path, Text: a.Text}
	err := s.change(q, policy.EventDirRemoved, func(w changer, p, _ vfs.Path) error { return w.rmdir(p) })
	if err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeFileActionOK, "The directory was removed.")
}

// deleteFile removes a file, or what is kept of the user's interrupted upload
// of that name.
func deleteFile(s *Session, a Args) Outcome {
	q := Question{Op: policy.OpDelete, Perm: policy.PermDelete, Path: a.Path, Text: a.Text}
	if s.lease.Authorizes(q.Op) {
		q.A = s.bytesAt(a.Path)
	}
	err := s.change(q, policy.EventFileDeleted, func(w changer, p, _ vfs.Path) error {
		err := w.remove(p)
		if err == nil {
			return nil
		}
		if _, serr := s.files().Lstat(p); serr == nil {
			return err
		}
		if _, perr := s.partial(p); perr == nil {
			return s.conf.Operations.took(opDiscard, time.Now(), s.fs.(vfs.Partials).DropPartial(s.owner(), p))
		}
		return err
	})
	if err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeFileActionOK, "The file was deleted.")
}

// renameFrom asks the policies about the source alone; renameTo asks about both
// names in one question.
func renameFrom(s *Session, a Args) Outcome {
	s.left.rename = ""
	if a.Path == vfs.Root {
		return s.Fail(vfs.ErrRoot)
	}
	g, err := s.Ask(Question{Op: policy.OpRename, Perm: policy.PermRename, Path: a.Path, Text: a.Text})
	if err != nil {
		return s.Fail(err)
	}
	if _, err := s.files().Lstat(vfs.Path(g.Path)); err != nil {
		return s.Fail(err)
	}
	if guard, ok := s.fs.(vfs.Guard); ok {
		if self, _ := guard.Fixed(vfs.Path(g.Path)); self != nil {
			return s.Fail(self)
		}
	}
	s.left.rename = a.Path
	return Say(wire.CodePending, "Send the new name.")
}

func renameTo(s *Session, a Args) Outcome {
	from := s.left.rename
	s.left.rename = ""
	q := Question{Op: policy.OpRename, Perm: policy.PermRename, Path: from, Path2: a.Path, Text: a.Text}
	err := s.change(q, policy.EventFileRenamed, func(w changer, p, p2 vfs.Path) error { return w.rename(p, p2) })
	if err != nil {
		return s.Fail(err)
	}
	return Say(wire.CodeFileActionOK, "It was renamed.")
}

func printDirectory(s *Session, _ Args) Outcome {
	return Say(wire.CodePathname, "%s is the working directory.", wire.Quote(string(s.cwd)))
}

// restart remembers an offset for the next transfer, whatever comes between (the
// model keeps it, and so do clients expect).
func restart(s *Session, a Args) Outcome {
	if s.with.ascii && a.N > 0 {
		return Say(wire.CodeBadArgument, "Text transfers cannot be restarted; send TYPE I first.")
	}
	s.left.rest, s.left.rang = a.N, span{}
	return Say(wire.CodePending, "The next transfer begins at byte %d.", a.N)
}

// allocate remembers the size for policies, if it is one; space itself is not set
// aside, so that whatever is asked for is superfluous.
func allocate(s *Session, a Args) Outcome {
	word, _, _ := strings.Cut(strings.TrimSpace(a.Text), " ")
	s.left.allo = -1
	if n, err := Number.parse(wire.Command{Arg: word}, s.cwd, s.rank.home); err == nil {
		s.left.allo = n.N
	}
	return Say(wire.CodeSuperfluous, "Space is found when the file comes.")
}
