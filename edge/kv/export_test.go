package kv

import "github.com/edgeftp/edgeftp/edge/policy"

// Sweep removes the keys whose time is over.
func (s *Store) Sweep() {
	for s.sweepOnce() {
	}
}

// Lost is what the shards of all spaces hold of keys that are not there.
func (s *Store) Lost() (n int) {
	for _, sp := range s.all() {
		for i := range sp.shards {
			sh := &sp.shards[i]
			sh.mu.Lock()
			for _, e := range sh.entries {
				if !e.live {
					n++
				}
			}
			sh.mu.Unlock()
		}
	}
	return n
}

// LogEvery is how often a failure is told of.
const LogEvery = logEvery

// Held is how many entries a KV has, also of keys that are not there.
func Held(p policy.KV) (n int) {
	for i := range p.(*space).shards {
		n += len(p.(*space).shards[i].entries)
	}
	return n
}
