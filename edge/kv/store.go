package kv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Errors of a [Store].
var (
	// ErrClosed is what a write gets after Close: it could not be kept.
	ErrClosed = errors.New("the key-value store is closed")
	// ErrInUse is what Open returns if another store has the file.
	ErrInUse = errors.New("the file is in use by another process")
	// ErrDamaged is what Open returns if what is in the file cannot be right.
	// Nothing was changed in it.
	ErrDamaged = errors.New("the file is damaged")
)

// Options of a [Store]. The zero value works.
type Options struct {
	// Now tells the time by which keys vanish; nil is time.Now.
	Now func() time.Time
	// Log is told when changes cannot be written, at most once a minute, and when
	// they can again; nil is nobody.
	Log *slog.Logger
	// FlushEvery is how long a change may wait until it is written. Zero or less is
	// half a second, which leaves the disk the other half for writing it.
	FlushEvery time.Duration
	// FlushAt is how many changed keys are written at once without waiting longer.
	// Zero or less is 4,096.
	FlushAt int
	// LockWait is how long Open waits for another process that has the file.
	// Zero or less is one second.
	LockWait time.Duration
}

const (
	defaultFlushEvery = 500 * time.Millisecond
	defaultFlushAt    = 4096
	defaultLockWait   = time.Second

	maxName = 256 // bytes of the name of a space
)

// Store holds the namespaces of all policies. It is made by [Open] and safe for
// concurrent use.
type Store struct {
	opt    Options
	queue  *queue // nil in memory only
	path   string
	file   *file // nil in memory only, and while an heir has it; used by the writer alone
	heir   Heir  // likewise; nil until there is one
	closed atomic.Bool

	mu     sync.Mutex
	spaces map[string]*space

	stop     chan struct{}
	asks     chan ask
	swept    chan struct{} // closed when the sweeper has ended
	written  chan struct{} // closed when the writer has ended
	closing  sync.Once
	closeErr error // how the writer ended; read after written

	trouble trouble
}

// Open opens the file at path, or makes it, readable for its owner alone, and reads
// all of it; without a path there is only memory. The errors that a caller may tell
// apart are [ErrInUse] and [ErrDamaged]. The store must be closed.
func Open(path string, opt Options) (*Store, error) {
	opt.fill()
	s := &Store{
		opt: opt, path: path, spaces: map[string]*space{},
		stop: make(chan struct{}), asks: make(chan ask),
		swept: make(chan struct{}), written: make(chan struct{}),
	}
	if path == "" {
		close(s.written)
	} else {
		s.queue = newQueue(opt.FlushAt)
		file, err := openFile(path, opt.LockWait)
		if err != nil {
			return nil, fmt.Errorf("kv: %s: %w", path, err)
		}
		if err := file.load(s.restore); err != nil {
			return nil, fmt.Errorf("kv: %s: %w", path, errors.Join(err, file.close()))
		}
		s.file = file
		go s.write()
	}
	go s.sweep()
	return s, nil
}

func (o *Options) fill() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.FlushEvery <= 0 {
		o.FlushEvery = defaultFlushEvery
	}
	if o.FlushAt <= 0 {
		o.FlushAt = defaultFlushAt
	}
	if o.LockWait <= 0 {
		o.LockWait = defaultLockWait
	}
}

// Space returns the namespace of that name, which is 1 to 256 bytes long. Whoever
// asks for the same name shares what is in it. Its keys count at most maxBytes, as
// the package says; zero is [DefaultMaxBytes]. A smaller bound than before takes
// nothing away, it only refuses what would be more.
func (s *Store) Space(name string, maxBytes int64) (policy.KV, error) {
	switch {
	case len(name) == 0 || len(name) > maxName:
		return nil, fmt.Errorf("kv: the name of a space has 1 to %d bytes, not %d", maxName, len(name))
	case maxBytes < 0:
		return nil, fmt.Errorf("kv: a space of %d bytes", maxBytes)
	case maxBytes == 0:
		maxBytes = DefaultMaxBytes
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return nil, ErrClosed
	}
	sp := s.space(name)
	sp.max.Store(min(maxBytes, 1<<60)) // of which twice is still a number
	return sp, nil
}

// space returns the namespace of that name; s.mu is held.
func (s *Store) space(name string) *space {
	sp := s.spaces[name]
	if sp == nil {
		sp = newSpace(name, s.opt.Now, s.queue, &s.closed)
		s.spaces[name] = sp
	}
	return sp
}

// all returns the namespaces in the order of their names.
func (s *Store) all() []*space {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*space, 0, len(s.spaces))
	for _, name := range slices.Sorted(maps.Keys(s.spaces)) {
		list = append(list, s.spaces[name])
	}
	return list
}

// restore puts what the file has of a key into memory; if its time is over, it is
// only noted that the file has to lose it.
func (s *Store) restore(name string, r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := s.space(name)
	sh := sp.shard(r.key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sp.insert(sh, r.key)
	e.stored = true
	e.setValue(r.value)
	sh.schedule(e, r.expires)
	sp.used.Add(size(r.key, r.value))
	if e.over(s.opt.Now) {
		sp.expire(sh, e)
	}
}

// Sync writes what was changed before it was called and returns when that is on
// the disk. In memory only there is nothing to do. It fails with the error of the
// write, with that of ctx, and with [ErrClosed].
func (s *Store) Sync(ctx context.Context) error {
	if s.queue == nil {
		if s.closed.Load() {
			return ErrClosed
		}
		return nil
	}
	return s.ask(ctx, s.flush)
}

// ask is something that the writer is to do, between two writes.
type ask struct {
	do    func() error
	reply chan<- error // with room for one
}

// ask has the writer do something, and returns what came of it.
func (s *Store) ask(ctx context.Context, do func() error) error {
	reply := make(chan error, 1)
	select {
	case s.asks <- ask{do, reply}:
	case <-s.written:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes what was changed and releases the file. Afterwards a read finds
// what it found before, and a write fails with [ErrClosed]. The error says what
// could not be written. A second Close waits for the first and returns the same.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.closed.Store(true)
		close(s.stop)
	})
	<-s.swept
	<-s.written
	return s.closeErr
}

const (
	sweepEvery = time.Second
	sweepSoon  = 10 * time.Millisecond
	sweepMost  = 1 << 14 // keys in one go
)

// sweep removes the keys whose time is over.
func (s *Store) sweep() {
	defer close(s.swept)
	timer := time.NewTimer(sweepEvery)
	defer timer.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-timer.C:
		}
		if s.sweepOnce() {
			timer.Reset(sweepSoon)
		} else {
			timer.Reset(sweepEvery)
		}
	}
}

// sweepOnce reports whether it left anything.
func (s *Store) sweepOnce() bool {
	n := 0
	for _, sp := range s.all() {
		for i := range sp.shards {
			for some := sweepHold; some == sweepHold; n += some {
				if n >= sweepMost {
					return true
				}
				some = sp.sweep(&sp.shards[i])
			}
		}
	}
	return false
}
