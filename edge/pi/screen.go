package pi

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/edge/vfs"
)

// screened is a directory without the entries that policies hide. Of a directory
// without end no more than one question's entries are held.
type screened struct {
	vfs.Dir
	ask  func([]vfs.Info) ([]vfs.Info, error)
	left []vfs.Info // that may be seen
	err  error      // what comes after them
}

// screened screens a directory of the listing. The first entries are asked about at
// once: a directory whose listing is refused is one that cannot be opened, and the
// client hears of it before the transfer, or, of one that it has not named itself,
// not at all.
func (l *lister) screened(dir vfs.Dir, p, at vfs.Path) (vfs.Dir, error) {
	d := &screened{Dir: dir, ask: func(infos []vfs.Info) ([]vfs.Info, error) { return l.shown(at, infos) }}
	d.fill()
	var no *refused
	if !errors.As(d.err, &no) {
		return d, nil
	}
	_ = dir.Close()
	if p != l.path && !no.denial.Failed {
		return nil, fs.ErrPermission
	}
	return nil, d.err
}

// Next implements vfs.Dir.
func (d *screened) Next(n int) ([]vfs.Info, error) {
	for len(d.left) == 0 && d.err == nil {
		d.fill()
	}
	if len(d.left) == 0 {
		return nil, d.err
	}
	n = min(max(n, 1), len(d.left))
	infos := d.left[:n]
	d.left = d.left[n:]
	return infos, nil
}

// fill reads the entries of one more question.
func (d *screened) fill() {
	infos, err := d.Dir.Next(policy.MaxEntries)
	d.left, d.err = nil, err
	if len(infos) == 0 {
		return
	}
	if d.left, err = d.ask(infos); err != nil {
		d.left, d.err = nil, err
	}
}

// shown returns those of a directory's entries that no policy hides.
func (l *lister) shown(at vfs.Path, infos []vfs.Info) ([]vfs.Info, error) {
	q := &policy.Listing{Meta: policy.Meta{Session: l.who, Request: l.number, Time: time.Now()},
		Path: string(at), Entries: make([]policy.Entry, len(infos))}
	for i, info := range infos {
		q.Entries[i] = entryOf(info)
	}
	hidden, denial := l.lease.List(policy.WithServices(context.Background(), l.view), q)
	if denial != nil {
		a := &policy.Action{Meta: q.Meta, Op: policy.OpList, Path: q.Path}
		return nil, &refused{action: a, denial: denial, stage: policy.StageList}
	}
	if hidden == (policy.Bits{}) {
		return infos, nil
	}
	out := infos[:0]
	for i, info := range infos {
		if !hidden.Has(i) {
			out = append(out, info)
		}
	}
	return out, nil
}

// visible fails for an entry that its directory's listing would not show.
func (l *lister) visible(p vfs.Path, info vfs.Info) error {
	shown, err := l.shown(p.Dir(), []vfs.Info{info})
	var no *refused
	switch {
	case errors.As(err, &no) && !no.denial.Failed:
		return fs.ErrPermission
	case err == nil && len(shown) == 0:
		return fs.ErrNotExist
	}
	return err
}
