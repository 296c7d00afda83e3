package chain

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// module is one version of one policy. Consecutive generations share the
// modules that did not change; a module is closed when the last generation that
// holds it has ended.
type module struct {
	name   string // the slot's name in the configuration
	number uint64 // the slot's generation number, from 1
	policy policy.Policy
	hooks  policy.Hooks
	since  time.Time
	queue  *queue // nil without an observer
	tap    *tap   // nil without a filter that only listens
	site   []policy.SiteCommand

	holders atomic.Int64
	calls   atomic.Uint64
	denied  atomic.Uint64
	failed  atomic.Uint64
}

// newModule fails where a policy declares what no chain can hold; nothing of it has
// begun then.
func newModule(name string, number uint64, p policy.Policy) (*module, error) {
	m := &module{name: name, number: number, policy: p, hooks: p.Hooks(), since: time.Now()}
	var err error
	if m.site, err = siteCommands(m.hooks.Site); err != nil {
		return nil, fmt.Errorf("policy %q: %w", name, err)
	}
	if m.hooks.Observer != nil {
		m.queue = newQueue(m)
	}
	if m.hooks.Filter != nil && m.hooks.Tap {
		m.tap = newTap(m)
	}
	return m, nil
}

// close waits for the events that are queued, for a bounded time, and closes the
// policy.
func (m *module) close() {
	m.stop()
	if c, ok := m.policy.(io.Closer); ok {
		_ = c.Close()
	}
}

// stop ends what runs beside the sessions for the policy, which goes on.
func (m *module) stop() {
	if m.queue != nil {
		m.queue.close()
	}
	if m.tap != nil {
		m.tap.close()
	}
}

const (
	queueLength = 8192            // events waiting for one policy
	queueDrain  = 5 * time.Second // how long a closing policy may take for them
)

// queue hands events to one observer, in order, off the sessions' path. When
// the observer falls behind, the oldest events are dropped and counted.
type queue struct {
	events  chan *policy.Event
	stop    context.CancelFunc
	done    chan struct{}
	dropped atomic.Uint64
	lost    atomic.Uint64

	mu sync.Mutex // makes dropping the oldest and adding the newest one step
}

func newQueue(m *module) *queue {
	ctx, cancel := context.WithCancel(context.Background())
	q := &queue{events: make(chan *policy.Event, queueLength), stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(q.done)
		for e := range q.events {
			m.calls.Add(1)
			if ctx.Err() != nil {
				q.dropped.Add(1)
			} else if err := m.hooks.Observer.Observe(ctx, e); err != nil {
				m.failed.Add(1)
				q.lost.Add(1)
			}
		}
	}()
	return q
}

func (q *queue) add(e *policy.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		select {
		case q.events <- e:
			return
		default:
		}
		select {
		case <-q.events:
			q.dropped.Add(1)
		default:
		}
	}
}

// close ends the queue after what waits in it was handed over. Nobody may add
// any more.
func (q *queue) close() {
	close(q.events)
	limit := time.AfterFunc(queueDrain, q.stop)
	<-q.done
	limit.Stop()
	q.stop()
}
