package wasmhost

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// maxCached is how many answers are kept for one policy.
const maxCached = 4096

// cache keeps answers that their policy allowed to be used again. The key is the
// whole question but for its session, number and time. The zero value is empty,
// and costs a question one look at a flag until the policy has first allowed it.
type cache struct {
	active atomic.Bool
	hits   atomic.Uint64

	mu      sync.Mutex
	answers map[string]cached
	space   []byte // in which keys are made
}

type cached struct {
	answer policy.Answer
	until  time.Time
}

// find returns the kept answer to a question, if there is one. It is for a cache
// that is active.
func (c *cache) find(slot string, a *policy.Action) (policy.Answer, bool) {
	if a.Session == nil || len(a.Session.State[slot]) > 0 {
		return policy.Answer{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.key(slot, a) {
		return policy.Answer{}, false
	}
	got, ok := c.answers[string(c.space)]
	if !ok || !time.Now().Before(got.until) {
		return policy.Answer{}, false
	}
	c.hits.Add(1)
	return got.answer, true
}

// keep takes note of an answer, if its policy and its session allow that.
func (c *cache) keep(slot string, a *policy.Action, answer policy.Answer) {
	if answer.TTL <= 0 || len(a.Session.State[slot]) > 0 {
		return
	}
	c.active.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.key(slot, a) {
		return
	}
	if c.answers == nil {
		c.answers = map[string]cached{}
	}
	if len(c.answers) >= maxCached {
		c.shrink()
	}
	c.answers[string(c.space)] = cached{answer, time.Now().Add(answer.TTL)}
}

// shrink makes room: what is over goes first, and if that was little then
// everything, because finding the oldest costs more than asking again.
func (c *cache) shrink() {
	now := time.Now()
	for k, v := range c.answers {
		if !now.Before(v.until) {
			delete(c.answers, k)
		}
	}
	if len(c.answers) > maxCached*3/4 {
		clear(c.answers)
	}
}

// key writes a question's key into the space. A question that cannot be written has
// none. The caller holds mu.
func (c *cache) key(slot string, a *policy.Action) bool {
	rec, err := abi.AppendAction(c.space[:0], slot, a)
	if err != nil {
		return false
	}
	binary.LittleEndian.PutUint64(rec[abi.OffSession:], 0)
	binary.LittleEndian.PutUint64(rec[abi.OffRequest:], 0)
	binary.LittleEndian.PutUint64(rec[abi.OffTime:], 0)
	c.space = rec
	return true
}
