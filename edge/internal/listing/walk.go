package listing

import (
	"context"
	"errors"
	"time"

	"github.com/edgeftp/edgeftp/edge/vfs"
)

// The limits that a pattern or a tree can meet.
var (
	ErrEntries     = errors.New("more entries than a pattern or a tree may have")
	ErrDirectories = errors.New("more directories than a pattern or a tree may lead through")
	ErrDepth       = errors.New("deeper than a pattern or a tree may go")
	ErrTime        = errors.New("more time than a pattern or a tree may take")
)

// Limits bound what patterns and trees cost.
type Limits struct {
	Entries     int           // that the components of a pattern match, or a tree has
	Directories int           // that are read
	Depth       int           // components of a pattern; levels of a tree below its top
	Time        time.Duration // of the server's work; a client that reads slowly uses none of it
	Sorted      int           // entries of one directory that are held to be sorted
}

// Walk is one walk through directories, for a pattern, a tree or both, with what
// it has used of its limits. It is used by one goroutine.
type Walk struct {
	// Open opens a directory, and returns where it lies. It fails with
	// fs.ErrPermission or fs.ErrNotExist for one that the client may not list.
	Open func(p vfs.Path) (dir vfs.Dir, at vfs.Path, err error)
	// Look describes a path as Lstat does, and fails like Open.
	Look    func(p vfs.Path) (vfs.Info, error)
	Limits  Limits
	Options Options
	Dots    bool // names that begin with a dot are told
	Room    Room // of what is held to be sorted; nil for no bound
	Hidden  bool // Open leaves entries out that are there: names inside a pattern must be looked for

	entries     int
	bytes       int // of the entries that are held
	directories int
	spent       time.Duration
	began       time.Time // of the work under way
}

// work counts the time from now on, until the function that it returns is
// called.
func (w *Walk) work() (done func()) {
	w.began = time.Now()
	return func() { w.spent += time.Since(w.began) }
}

// check reports whether the walk may go on.
func (w *Walk) check(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if w.spent+time.Since(w.began) > w.Limits.Time {
		return ErrTime
	}
	return nil
}

// open opens one more directory.
func (w *Walk) open(p vfs.Path) (vfs.Dir, vfs.Path, error) {
	if w.directories++; w.directories > w.Limits.Directories {
		return nil, p, ErrDirectories
	}
	return w.Open(p)
}

// count takes one more entry, which is held and has so many bytes.
func (w *Walk) count(bytes int) error {
	w.entries++
	w.bytes += bytes
	if w.entries > w.Limits.Entries || w.bytes/averageEntry > w.Limits.Entries {
		return ErrEntries
	}
	return nil
}

// counted returns dir as one whose entries count.
func (w *Walk) counted(dir vfs.Dir) vfs.Dir { return &counted{dir, w} }

type counted struct {
	vfs.Dir
	walk *Walk
}

// Next gives as many entries as the walk may still have.
func (d *counted) Next(n int) ([]vfs.Info, error) {
	if err := d.walk.check(context.Background()); err != nil {
		return nil, err
	}
	infos, err := d.Dir.Next(n)
	over := d.walk.entries + len(infos) - d.walk.Limits.Entries
	if over <= 0 {
		d.walk.entries += len(infos)
		return infos, err
	}
	if infos = infos[:max(len(infos)-over, 0)]; len(infos) == 0 {
		return nil, ErrEntries
	}
	d.walk.entries = d.walk.Limits.Entries
	return infos, nil
}
