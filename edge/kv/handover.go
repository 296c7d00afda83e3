package kv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// Change is what became of one key, told to an [Heir].
type Change struct {
	Space   string `json:"space"`
	Key     string `json:"key"`
	Value   []byte `json:"value,omitempty"` // what it is now; nothing beside Add, or if it is gone
	Gone    bool   `json:"gone,omitempty"`
	Add     int64  `json:"add,omitempty"` // what the counter has grown by, if Counter
	Counter bool   `json:"counter,omitempty"`
	Expires int64  `json:"expires,omitempty"` // nanoseconds since 1970, 0 is never
}

// Heir is told what becomes of the keys of a store that another process has taken over:
// the next one's [Store.Take]. Batches come in their order, from one goroutine. After an
// error the same keys are told again, as they are by then.
type Heir func(changes []Change) error

// ErrNoFile is what HandOver returns if there is nothing to hand over, or no more.
var ErrNoFile = errors.New("the key-value store has no file")

// HandOver writes everything, releases the file, so that another process may open it,
// and tells heir from then on what becomes of the keys: what they are set to, and of
// counters what they have grown by, so that two processes may count in them. After an
// error the file is the store's as before. The store still has to be closed, which tells
// the last changes.
func (s *Store) HandOver(ctx context.Context, heir Heir) error {
	if s.queue == nil {
		return ErrNoFile
	}
	return s.ask(ctx, func() error {
		if s.file == nil {
			return ErrNoFile
		}
		s.queue.bequeaths.Store(true) // before the last write: what it has not seen is told
		err := s.flush()
		if err == nil {
			err = s.file.close()
		}
		if err != nil {
			s.queue.bequeaths.Store(false)
			return fmt.Errorf("kv: %s: it cannot be handed over: %w", s.path, err)
		}
		s.file, s.heir = nil, heir
		return nil
	})
}

// TakeBack opens the file again, which no heir may have any more, and has it hold what the
// store does. The errors are those of [Open]; after one the heir is told changes as before.
func (s *Store) TakeBack(ctx context.Context) error {
	if s.queue == nil {
		return ErrNoFile
	}
	return s.ask(ctx, func() error {
		if s.file != nil {
			return nil
		}
		file, err := openFile(s.path, s.opt.LockWait)
		if err == nil {
			err = file.load(s.resume)
		}
		if err != nil {
			return fmt.Errorf("kv: %s: %w", s.path, err)
		}
		s.file, s.heir = file, nil
		s.queue.bequeaths.Store(false)
		s.rewrite()
		return s.flush()
	})
}

// resume has a key of the file that is not there any more removed from it.
func (s *Store) resume(name string, r record) {
	s.mu.Lock()
	sp := s.space(name)
	s.mu.Unlock()
	sh := sp.shard(r.key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e := sh.entries[r.key]; e != nil {
		e.stored = true
		return
	}
	e := sp.insert(sh, r.key)
	sp.keys.Add(-1)
	e.live, e.stored = false, true
	sp.mark(sh, e)
}

// rewrite has everything written.
func (s *Store) rewrite() {
	for _, sp := range s.all() {
		for i := range sp.shards {
			sh := &sp.shards[i]
			sh.mu.Lock()
			for _, e := range sh.entries {
				sp.mark(sh, e)
			}
			sh.deltas = nil
			sh.mu.Unlock()
		}
	}
}

// Take does what another store's changes say: it is that store's [Heir]. What there is no
// room for is left out, and is in the error; the rest is done.
func (s *Store) Take(changes []Change) error {
	left := 0
	for i := range changes {
		c := &changes[i]
		if len(c.Space) == 0 || len(c.Space) > maxName || badKey(c.Key) || len(c.Value) > policy.MaxKVValue {
			return fmt.Errorf("kv: a change of the key %.32q in the space %.32q, which cannot be", c.Key, c.Space)
		}
		s.mu.Lock()
		sp := s.space(c.Space)
		if sp.max.Load() == 0 {
			sp.max.Store(DefaultMaxBytes) // nobody has asked for it yet
		}
		s.mu.Unlock()
		switch err := sp.take(c); {
		case errors.Is(err, policy.ErrKVFull), errors.Is(err, policy.ErrKVType):
			left++
		case err != nil:
			return err
		}
	}
	if left > 0 {
		return fmt.Errorf("kv: %d of %d changes had no room", left, len(changes))
	}
	return nil
}

// take does what one change says.
func (s *space) take(c *Change) error {
	sh := s.shard(c.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if c.Counter {
		_, err := s.add(sh, c.Key, c.Add, c.Expires)
		return err
	}
	value := c.Value
	if value == nil && !c.Gone {
		value = []byte{}
	}
	_, err := s.apply(sh, &change{key: c.Key, value: value, expires: c.Expires})
	return err
}

// bequeathed reports whether changes are told to an heir, or are about to be.
func (s *space) bequeathed() bool { return s.queue != nil && s.queue.bequeaths.Load() }

// replaced notes that an entry has another value, or is gone; sh is locked.
func (s *space) replaced(sh *shard, e *entry) {
	if s.bequeathed() {
		e.whole = true
		delete(sh.deltas, e.key)
	}
}

// grown notes that a counter has grown; sh is locked.
func (s *space) grown(sh *shard, e *entry, delta int64) {
	if !s.bequeathed() || e.whole {
		return
	}
	if sh.deltas == nil {
		sh.deltas = map[string]int64{}
	}
	sh.deltas[e.key] = sum(sh.deltas[e.key], delta)
}

// counted returns what a counter has grown by if nothing else has become of it, else nil,
// and begins anew; sh is locked.
func (sh *shard) counted(e *entry) *int64 {
	delta, grown := sh.deltas[e.key]
	whole := e.whole
	delete(sh.deltas, e.key)
	e.whole = false
	if !grown || whole || !e.live {
		return nil
	}
	return &delta
}

// keep writes changes, or tells the heir of them.
func (s *Store) keep(ops []op) (landed bool, err error) {
	if s.heir == nil {
		return s.file.write(ops)
	}
	changes := make([]Change, len(ops))
	for i := range ops {
		if changes[i], err = ops[i].told(); err != nil {
			return false, err
		}
	}
	err = s.heir(changes)
	return err == nil, err
}

// told is an op as the heir is told of it.
func (o *op) told() (Change, error) {
	c := Change{Space: o.space.name, Key: o.entry.key, Gone: o.data == nil}
	if c.Gone {
		return c, nil
	}
	r, err := decode(c.Space, c.Key, o.data)
	if err != nil {
		return c, err
	}
	c.Expires = r.expires
	if o.delta != nil && len(r.value) == binary.Size(*o.delta) {
		c.Counter, c.Add = true, *o.delta
		return c, nil
	}
	c.Value = r.value
	return c, nil
}
