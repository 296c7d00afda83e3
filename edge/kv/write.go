package kv

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

const (
	batchKeys  = 4096    // in one transaction, about
	batchBytes = 8 << 20 // and so many bytes, about
	encodeHold = 32      // keys that are copied while a shard is locked
)

// op is one key to be written or removed.
type op struct {
	space *space
	shard *shard
	entry *entry
	data  []byte // the record, nil removes the key
	delta *int64 // what a counter has grown by since the heir was told, if that is all that became of it
}

// write is the writer: the only one that touches the file.
func (s *Store) write() {
	defer close(s.written)
	// A file that somebody cut short is a fault in memory where it is mapped.
	debug.SetPanicOnFault(true)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for waiting, failed := true, false; ; {
		enough := s.queue.enough
		if failed {
			enough = nil
		}
		select {
		case <-s.queue.some:
			if !waiting {
				timer.Reset(s.opt.FlushEvery)
				waiting = true
			}
			continue
		case <-enough:
			failed = s.flush() != nil
		case <-timer.C:
			failed = s.flush() != nil
		case a := <-s.asks:
			err := a.do()
			failed = err != nil
			a.reply <- err
		case <-s.stop:
			s.closeErr = s.finish()
			return
		}
		// What is left was changed meanwhile, or could not be written.
		if waiting = s.queue.unwritten.Load() > 0; waiting {
			timer.Reset(s.opt.FlushEvery)
		} else {
			timer.Stop()
		}
	}
}

// finish is the last write.
func (s *Store) finish() error {
	err := s.flush()
	if err != nil {
		err = fmt.Errorf("kv: %s: %d changes could not be written: %w", s.path, s.queue.unwritten.Load(), err)
	}
	if s.file != nil {
		err = errors.Join(err, s.file.close())
	}
	return err
}

// flush writes everything that was changed before it was called.
func (s *Store) flush() error {
	began := time.Now()
	var b batch
	for _, sp := range s.all() {
		for i := range sp.shards {
			sh := &sp.shards[i]
			sh.mu.Lock()
			left := sh.dirty.len()
			sh.mu.Unlock()
			for left > 0 {
				left -= b.collect(sp, sh, min(left, encodeHold))
				if !b.full() {
					continue
				}
				if err := s.commit(&b); err != nil {
					return err
				}
			}
		}
	}
	if err := s.commit(&b); err != nil {
		return err
	}
	if s.queue.unwritten.Load() > 0 {
		s.queue.since.Store(began.UnixNano())
	}
	return nil
}

// batch is what one transaction writes.
type batch struct {
	ops   []op
	bytes int
}

func (b *batch) full() bool { return len(b.ops) >= batchKeys || b.bytes >= batchBytes }

// collect copies n changed keys of a shard, which may have fewer meanwhile.
func (b *batch) collect(sp *space, sh *shard, n int) int {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i := 0; i < n && sh.dirty.len() > 0; i++ {
		e := sh.dirty.pop()
		e.flying = true
		o := op{space: sp, shard: sh, entry: e}
		if e.live {
			o.data = encode(sp.name, e)
			b.bytes += len(o.data)
		}
		o.delta = sh.counted(e)
		b.ops = append(b.ops, o)
	}
	return n
}

// commit writes a batch and empties it.
func (s *Store) commit(b *batch) error {
	if len(b.ops) == 0 {
		return nil
	}
	landed, err := s.keep(b.ops)
	for i := range b.ops {
		s.settle(&b.ops[i], landed, err != nil)
	}
	s.trouble.note(s, err)
	clear(b.ops)
	b.ops, b.bytes = b.ops[:0], 0
	return err
}

// settle notes what became of an op: whether the file has it now, and whether it
// must be tried again.
func (s *Store) settle(o *op, landed, again bool) {
	e := o.entry
	o.shard.mu.Lock()
	defer o.shard.mu.Unlock()
	e.flying = false
	e.whole = e.whole || again // the heir may have it, or not
	if landed {                // what was removed without certainty is removed once more
		e.stored = o.data != nil || again && e.stored
	}
	switch {
	case !e.live && !e.stored: // there is nothing to be done
		if e.queued < 0 {
			s.queue.unwritten.Add(-1)
			delete(o.shard.entries, e.key)
			return
		}
		o.space.forget(o.shard, e)
		s.queue.unwritten.Add(-1)
	case again && e.queued < 0:
		o.shard.dirty.push(e)
	default:
		s.queue.unwritten.Add(-1)
	}
}
