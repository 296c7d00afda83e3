package pi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"

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
	io.ReadCloser
	path   vfs.Path
	number uint64 // of its question
	dir    bool   // of a directory, not of one file
	limits policy.Limits
	fail   func(error) error // makes an error of Read one for the client
}

// listing opens a listing of a directory or one file. A link that leads nowhere
// is one file.
func (s *Session) listing(l *lister) (*source, error) {
	g, err := s.Ask(Question{Op: policy.OpList, Perm: policy.PermList, Path: l.path, Text: l.arg})
	if err != nil {
		return nil, err
	}
	l.granted(g, s.requests)
	info, err := s.stat(l.at)
	if errors.Is(err, fs.ErrNotExist) {
		info, err = l.lstat(l.at)
	}
	if err != nil {
		return nil, err
	}
	src := &source{path: l.path, number: l.number, dir: info.IsDir() && !l.options.Has(listing.Itself), limits: l.limits, fail: l.broken}
	if !src.dir {
		src.ReadCloser = l.one(info)
		return src, nil
	}
	src.ReadCloser, err = l.directory()
	return src, err
}

// lines reads the whole listing, up to most lines.
func (src *source) lines(ctx context.Context, most int) ([]string, error) {
	defer src.Close()
	var out []string
	sc := bufio.NewScanner(src)
	for sc.Scan() && ctx.Err() == nil {
		if len(out) == most {
			return append(out, "The rest is left out; use LIST."), nil
		}
		out = append(out, sc.Text())
	}
	if err := sc.Err(); err != nil {
		return nil, src.fail(err)
	}
	return out, nil
}

func list(s *Session, a Args) Outcome     { return s.sendListing(a, longForm) }
func nameList(s *Session, a Args) Outcome { return s.sendListing(a, nameForm) }

func machineListDirectory(s *Session, a Args) Outcome {
	return s.sendListing(a, factForm)
}

// sendListing sends a listing over the data connection. What exists under the
// name that was given is listed; otherwise the name may be a pattern.
func (s *Session) sendListing(a Args, f form) Outcome {
	l := s.lister(a, f)
	if f != factForm && listing.IsPattern(l.text) && !l.has(l.path) && l.walk().Limits.Depth >= 0 {
		return s.expand(l)
	}
	src, err := s.listing(l)
	if f == factForm && err == nil && !src.dir {
		src.Close()
		no := wire.Say(wire.CodeBadArgument, "That is not a directory.")
		no.Cause = vfs.ErrNotDirectory
		err = no
	}
	if err != nil {
		return s.refuse(err)
	}
	return s.send(src)
}

// send sends a listing. Its lines have their ends already, so that the
// representation type changes nothing.
func (s *Session) send(src *source) Outcome {
	t, err := s.transfer(src.limits)
	if err != nil {
		src.Close()
		return s.refuse(err)
	}
	e := s.escort(policy.Action{Op: policy.OpList, Path: string(src.path)}, src.number, -1, 0)
	t.Send, t.ASCII, t.Limiter = s.conf.encoded(src), false, s.limiter(true, src.limits, e.limit())
	t.Listing = true
	return s.run(t, e, "Sending the listing.", wire.Text("Listing"), string(src.path), cargo{number: src.number, size: -1}, func(_ context.Context, r dtp.Result) Settle {
		src.Close()
		if r.Err != nil {
			r.Err = src.fail(r.Err)
		}
		return func(s *Session) Outcome { return s.sent(r) }
	})
}

// expand finds what a pattern stands for, in a helper goroutine, and sends it.
// Nothing is answered meanwhile, as there is no mark yet, but ABOR.
func (s *Session) expand(l *lister) Outcome {
	p, err := listing.ParsePattern(l.text)
	if err == nil {
		l.path, err = resolve(p.Prefix, s.cwd, s.rank.home)
	}
	if err != nil {
		return s.refuse(l.refusal(err))
	}
	g, err := s.Ask(Question{Op: policy.OpList, Perm: policy.PermList, Path: l.path, Text: l.arg})
	if err == nil {
		_, err = s.transfer(g.Limits) // before the work
	}
	if err != nil {
		return s.refuse(err)
	}
	l.granted(g, s.requests)
	job := &Job{Title: "Looking for", Subject: l.text, Alone: true, Progress: new(dtp.Progress)}
	job.Run = func(ctx context.Context) Settle {
		found, err := l.expand(ctx, p)
		return func(s *Session) Outcome {
			switch cause := context.Cause(ctx); {
			case cause != nil && cause != context.Canceled: // the last word, also where everything was found
				s.closePort()
				return Outcome{Reply: s.answer(cause), Close: closes(cause)}
			case err != nil:
				return s.refuse(l.refusal(err))
			case found == nil:
				return s.refuse(fs.ErrNotExist)
			}
			return s.send(&source{ReadCloser: found, path: l.path, number: l.number, limits: l.limits, fail: l.broken})
		}
	}
	return Outcome{Job: job}
}

// refusal is the error for a client whose listing has not begun.
func (l *lister) refusal(err error) error {
	if errors.Is(err, listing.ErrBadPattern) {
		return fs.ErrNotExist
	}
	return l.met(err, wire.CodeUnavailable)
}

// broken is the error for a client whose listing has begun: whatever the reason,
// what it has got is not the whole, and trying again may help (RFC 959 §5.4).
func (l *lister) broken(err error) error {
	err = l.met(err, wire.CodeLocalError)
	var no *refused
	if errors.As(err, &no) {
		return err
	}
	if _, ok := answerData(err); ok {
		return err
	}
	if _, ok := answerFile(err); ok {
		return wire.Say(wire.CodeLocalError, "The listing is not complete: a directory could not be read to its end.")
	}
	return err
}

// met tells a client of the limit that it met.
func (l *lister) met(err error, code wire.Code) error {
	most := l.conf.Listing.Limits.limits()
	switch {
	case errors.Is(err, listing.ErrEntries):
		return wire.Say(code, "That is more than %d entries; ask for less at once.", most.Entries)
	case errors.Is(err, listing.ErrDirectories):
		return wire.Say(code, "That leads through more than %d directories; ask for less at once.", most.Directories)
	case errors.Is(err, listing.ErrDepth):
		return wire.Say(code, "That goes deeper than %d directories; ask for less at once.", most.Depth)
	case errors.Is(err, listing.ErrTime):
		return wire.Say(code, "That takes the server more than %v; ask for less at once.", most.Time)
	}
	return err
}

func machineListOne(s *Session, a Args) Outcome {
	g, err := s.Ask(Question{Op: policy.OpStat, Perm: policy.PermList, Path: a.Path, Text: a.Text})
	if err != nil {
		return s.Fail(err)
	}
	path := vfs.Path(g.Path)
	l := s.lister(a, factForm)
	info, err := l.lstat(path)
	if err != nil {
		return s.Fail(err)
	}
	if path == vfs.Root {
		info.Name = "" // Join with it is the root itself
	}
	line := l.facts.Line([]byte{' '}, l.entries(path.Dir())(&info), string(path))
	r := wire.Say(wire.CodeFileActionOK, "Listing %s:", wire.Quote(string(path)))
	r.Lines = append(r.Lines, string(line))
	return Outcome{Reply: r.And("End")}
}
