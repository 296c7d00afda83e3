package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
)

// Mirror makes one tree as another one is.
type Mirror struct {
	// Engine moves the files.
	*Engine
	// Upload makes the server's tree as the local one; else the other way round.
	Upload bool
	// Remote is the server's directory.
	Remote string
	// Checksum compares files by their sums and not by their times.
	Checksum bool
	// Delete removes what the source does not have.
	Delete bool
	// MaxDelete bounds that: if there is more, nothing is deleted.
	MaxDelete int
	// DryRun changes nothing.
	DryRun bool
}

// plan is what a mirror has to do.
type plan struct {
	dirs    []string // to be made, below the top
	jobs    []Job
	deletes []Item // the deepest first
	results []Result
}

// Run compares both trees, by a session that is used up, moves what differs, and deletes
// at last, if everything else has gone well. Begin is told the jobs before they begin; it
// may be nil.
func (m *Mirror) Run(ctx context.Context, s *Session, begin func([]Job)) ([]Result, error) {
	defer s.Quit()
	p, err := m.plan(ctx, s)
	if err != nil {
		return nil, err
	}
	if m.Delete && len(p.deletes) > m.MaxDelete {
		return nil, &Refusal{What: fmt.Sprintf("%d names would be deleted, and --max-delete is %d; nothing was changed", len(p.deletes), m.MaxDelete),
			Help: "--dry-run tells which; is the source the right one?"}
	}
	if m.DryRun {
		return m.planned(p), nil
	}
	for _, dir := range p.dirs {
		if err := m.makeDir(s, dir); err != nil {
			return p.results, err
		}
		p.results = append(p.results, m.result("mkdir", dir, Done))
	}
	if begin != nil {
		begin(p.jobs)
	}
	moved := m.Engine.Run(ctx, s, p.jobs)
	p.results = append(p.results, moved...)
	if !m.Delete {
		return p.results, nil
	}
	for i := range p.results {
		if r := &p.results[i]; r.Status == Failed || r.Status == Skipped && r.Err != nil {
			return p.results, errors.New("not everything went well, so that nothing was deleted")
		}
	}
	return m.delete(ctx, p)
}

func (m *Mirror) result(op, below, status string) Result {
	return Result{Op: op, Remote: Join(m.Remote, below), Local: below, Status: status}
}

func (m *Mirror) planned(p *plan) []Result {
	for _, dir := range p.dirs {
		p.results = append(p.results, m.result("mkdir", dir, Planned))
	}
	for i := range p.jobs {
		r := m.result(p.jobs[i].op(), p.jobs[i].Local, Planned)
		r.Size = p.jobs[i].Size
		p.results = append(p.results, r)
	}
	for i := range p.deletes {
		p.results = append(p.results, m.result("delete", p.deletes[i].Path, Planned))
	}
	return p.results
}

// plan compares.
func (m *Mirror) plan(ctx context.Context, s *Session) (*plan, error) {
	there, err := m.walkThere(s)
	if err != nil {
		return nil, err
	}
	here, err := WalkLocal(ctx, m.Root)
	if err != nil {
		return nil, err
	}
	p := &plan{results: there.Skipped}
	source, target := there, here
	if m.Upload {
		source, target = here, there
	}
	at, wanted := target.index(), source.index()
	for i := range source.Items {
		if err := m.compare(s, p, &source.Items[i], at[source.Items[i].Path]); err != nil {
			return nil, err
		}
	}
	if m.Delete {
		for _, item := range slices.Backward(target.Items) {
			if wanted[item.Path] == nil && !source.spares(item.Path) {
				p.deletes = append(p.deletes, item)
			}
		}
	}
	return p, nil
}

// walkThere lists the server's tree. For an upload it need not be there yet.
func (m *Mirror) walkThere(s *Session) (*Tree, error) {
	if m.Upload && !m.DryRun && m.Remote != "" && m.Remote != "/" {
		if err := s.MakeDir(m.Remote); err != nil {
			return nil, err
		}
	}
	t, err := s.Walk(m.Remote)
	var no *ReplyError
	if m.Upload && m.DryRun && errors.As(err, &no) && s.Lost() == nil {
		return new(Tree), nil
	}
	return t, err
}

// compare adds to the plan what is to be done with one item of the source; at is what
// the target has of that name, or nil.
func (m *Mirror) compare(s *Session, p *plan, item, at *Item) error {
	if m.Upload {
		if err := Sendable(item.Path); err != nil {
			p.results = append(p.results, Result{Op: "put", Local: item.Path, Status: Skipped, Err: err, Error: err.Error()})
			return nil
		}
	}
	switch {
	case item.Kind == Dir && at == nil:
		p.dirs = append(p.dirs, item.Path)
		return nil
	case item.Kind == Dir && at.Kind == Dir:
		return nil
	case item.Kind != File && item.Kind != Dir:
		p.results = append(p.results, Result{Op: "put", Local: item.Path, Status: Skipped, Error: "it is a " + string(item.Kind) + ", which is not followed"})
		return nil
	case at != nil && (at.Kind == Dir || item.Kind == Dir):
		err := fmt.Errorf("it is a %s, and there is a %s of that name", item.Kind, at.Kind)
		p.results = append(p.results, Result{Op: "get", Remote: Join(m.Remote, item.Path), Local: item.Path, Status: Failed, Err: err, Error: err.Error()})
		return nil
	}
	same, err := m.same(s, item, at)
	if err != nil {
		return err
	}
	if same {
		r := m.result(m.op(), item.Path, Same)
		r.Size = item.Size
		p.results = append(p.results, r)
		return nil
	}
	p.jobs = append(p.jobs, Job{Upload: m.Upload, Remote: Join(m.Remote, item.Path), Local: item.Path, Size: item.Size, ModTime: item.ModTime})
	return nil
}

func (m *Mirror) op() string {
	if m.Upload {
		return "put"
	}
	return "get"
}

// same reports whether a file of the target is that of the source.
func (m *Mirror) same(s *Session, item, at *Item) (bool, error) {
	if at == nil || at.Kind != File || item.Size != at.Size || item.Size == Unknown {
		return false, nil
	}
	there, here := item, at
	if m.Upload {
		there, here = at, item
	}
	if m.Checksum {
		return m.sameSum(s, there.Path)
	}
	if there.Coarse && s.Has("MDTM") {
		when, err := s.ModTime(Join(m.Remote, there.Path))
		if err != nil {
			return false, err
		}
		if !when.IsZero() {
			there.ModTime, there.Coarse = when, false
		}
	}
	if there.ModTime.IsZero() {
		return false, nil
	}
	if !m.Times || m.Upload && !s.Has("MFMT") { // the copy has the time at which it was made
		return at.ModTime.Add(near).After(item.ModTime), nil
	}
	return sameTime(&there.Entry, here.ModTime), nil
}

func (m *Mirror) sameSum(s *Session, below string) (bool, error) {
	there, err := s.Hash(Join(m.Remote, below))
	if err != nil {
		return false, err
	}
	if there == "" {
		return false, &Refusal{What: "the server tells no sums (neither HASH with SHA-256 nor XSHA256)", Help: "do without --checksum: sizes and times are compared then"}
	}
	f, err := openRegular(m.Root, below)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // opened for reading alone
	here, err := Sum(f)
	if err != nil {
		return false, &Local{err}
	}
	return here == there, nil
}

func (m *Mirror) makeDir(s *Session, below string) error {
	if m.Upload {
		return s.MakeDir(Join(m.Remote, below))
	}
	if err := m.Root.MkdirAll(below, 0o777); err != nil { // less the umask
		return &Local{err}
	}
	return nil
}

// delete removes what the source does not have.
func (m *Mirror) delete(ctx context.Context, p *plan) ([]Result, error) {
	var s *Session
	var err error
	if m.Upload && len(p.deletes) > 0 {
		if s, err = m.Dial(ctx); err != nil {
			return p.results, err
		}
		defer s.Quit()
	}
	for i := range p.deletes {
		item := &p.deletes[i]
		r := m.result("delete", item.Path, Deleted)
		switch {
		case !m.Upload:
			err = m.Root.Remove(item.Path)
		case item.Kind == Dir:
			err = s.RemoveDir(Join(m.Remote, item.Path))
		default:
			err = s.Remove(Join(m.Remote, item.Path))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.Status, r.Err, r.Error = Failed, err, err.Error()
		}
		p.results = append(p.results, r)
		if m.Watch != nil {
			m.Watch.Ended(r)
		}
		if ctx.Err() != nil || s != nil && s.Lost() != nil {
			return p.results, err
		}
	}
	return p.results, nil
}

// spares reports whether nobody knows what the source has at a path, because it leads
// over something that was not followed.
func (t *Tree) spares(name string) bool {
	return slices.ContainsFunc(append(Parents(name), name), func(p string) bool { return t.unknown[p] })
}

// OpenDir opens a local directory, and makes it if it is not there.
func OpenDir(name string) (*os.Root, error) {
	if err := os.MkdirAll(name, 0o777); err != nil {
		return nil, err
	}
	return os.OpenRoot(name)
}

// Parents are the directories above a path, the outermost first.
func Parents(p string) (all []string) {
	for dir := path.Dir(p); dir != "." && dir != "/"; dir = path.Dir(dir) {
		all = append(all, dir)
	}
	slices.Reverse(all)
	return all
}
