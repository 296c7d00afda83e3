package edge

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/internal/spool"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// lineage is what keeps the events of a slot while one process gives its place to another:
// each has a directory of its own, so that nobody has to wait for the other. That is the
// slot's, or where a process has that which still serves, the slot's with ~2, ~3 and so on
// behind its name. What a process that has ended left behind is handed over first, and its
// directory removed. It implements chain.Spool.
type lineage struct {
	dir   string // the slot's
	own   *durable
	from  *durable  // that Next has read of last
	tried time.Time // when those of others were looked for
	busy  bool      // others had theirs then

	mu   sync.Mutex // guards left, beside its only user, for Counts
	left []*durable // of others, the oldest first
}

const (
	// mostInLine is how many processes may have the events of one slot at a time.
	mostInLine = 100
	// leftEvery is how often it is looked whether another process has ended.
	leftEvery = time.Second
)

func openLineage(dir string) func() (chain.Spool, error) {
	if dir == "" {
		return nil
	}
	return func() (chain.Spool, error) {
		for n := 1; n <= mostInLine; n++ {
			own, err := openDurable(placeInLine(dir, n))
			if errors.Is(err, spool.ErrInUse) {
				continue
			}
			if err != nil {
				return nil, err
			}
			l := &lineage{dir: dir, own: own, from: own}
			return l, l.inherit(time.Now())
		}
		return nil, fmt.Errorf("%s: %w, and so are the %d beside it", dir, spool.ErrInUse, mostInLine-1)
	}
}

func placeInLine(dir string, n int) string {
	if n == 1 {
		return dir
	}
	return dir + "~" + strconv.Itoa(n)
}

// inherit takes over what others have left.
func (l *lineage) inherit(now time.Time) error {
	l.tried, l.busy = now, false
	entries, err := os.ReadDir(filepath.Dir(l.dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, place, later := strings.Cut(e.Name(), "~")
		n, err := strconv.Atoi(place)
		if name != filepath.Base(l.dir) || later && (err != nil || n < 2) || l.has(e.Name()) {
			continue
		}
		d, err := openDurable(filepath.Join(filepath.Dir(l.dir), e.Name()))
		if errors.Is(err, spool.ErrInUse) {
			l.busy = true
			continue
		}
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.left = append(l.left, d)
		l.mu.Unlock()
	}
	return nil
}

// has reports whether a directory is this process's already.
func (l *lineage) has(name string) bool {
	is := func(d *durable) bool { return filepath.Base(d.dir) == name }
	return is(l.own) || slices.ContainsFunc(l.left, is)
}

// Append implements chain.Spool.
func (l *lineage) Append(events []*policy.Event) (int, error) { return l.own.Append(events) }

// Next implements chain.Spool.
func (l *lineage) Next(limit int) ([]*policy.Event, error) {
	if now := time.Now(); now.Sub(l.tried) >= leftEvery {
		if err := l.inherit(now); err != nil {
			return nil, err
		}
	}
	for len(l.left) > 0 {
		l.from = l.left[0]
		if events, err := l.from.Next(limit); len(events) > 0 || err != nil {
			return events, err
		}
		if err := l.bury(); err != nil {
			return nil, err
		}
	}
	l.from = l.own
	return l.own.Next(limit)
}

// Again implements chain.Shared: what a process that still serves may leave behind is looked
// for until it has ended.
func (l *lineage) Again() time.Duration {
	if !l.busy {
		return 0
	}
	return leftEvery
}

// bury gives the first of those up that others left, as nothing waits in it.
func (l *lineage) bury() error {
	gone := l.left[0]
	l.mu.Lock()
	l.left = l.left[1:]
	l.mu.Unlock()
	return errors.Join(os.RemoveAll(gone.dir), gone.Close()) // in this order: nobody opens it in between
}

// Done implements chain.Spool.
func (l *lineage) Done(n int) error { return l.from.Done(n) }

// Counts implements chain.Spool.
func (l *lineage) Counts() (waiting, gone uint64) {
	waiting, gone = l.own.Counts()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.left {
		w, g := d.Counts()
		waiting, gone = waiting+w, gone+g
	}
	return waiting, gone
}

// Close implements chain.Spool.
func (l *lineage) Close() error {
	err := l.own.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.left {
		err = errors.Join(err, d.Close())
	}
	return err
}
