package kv

import (
	"sync/atomic"
	"time"
)

// queue counts the changes that are not on the disk yet, and wakes the writer. The
// entries themselves are in the queues of their shards.
type queue struct {
	unwritten atomic.Int64
	since     atomic.Int64 // when the oldest of them was made, nanoseconds since 1970
	many      int64
	some      chan struct{} // there is something to write
	enough    chan struct{} // there is much to write
	bequeaths atomic.Bool   // an heir has the file, or is about to
}

func newQueue(many int) *queue {
	return &queue{many: int64(many), some: make(chan struct{}, 1), enough: make(chan struct{}, 1)}
}

// grown counts one change more.
func (q *queue) grown() {
	switch q.unwritten.Add(1) {
	case 1:
		q.since.Store(time.Now().UnixNano())
		signal(q.some)
	case q.many:
		signal(q.enough)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// lag is for how long the oldest change has been waiting.
func (q *queue) lag() time.Duration {
	if q.unwritten.Load() == 0 {
		return 0
	}
	return max(0, time.Duration(time.Now().UnixNano()-q.since.Load()))
}
