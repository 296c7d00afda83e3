package main

import (
	"time"

	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/kv"
)

// A server that has been replaced tells its successor of the bans that its sessions still bring about. They go the
// way of what policies remember, which leads to whoever serves in the end, in a space of
// their own; whoever takes them there acts on them and keeps them in no file.
const (
	bansSpace = "succession/bans"
	bansBytes = 256 << 10 // some 2,000 bans; what does not fit is lost to the successor
)

// bequeathed is a ban for the successor.
type bequeathed struct {
	edge.Ban
	report []byte
}

// maxBequeathed bounds the bans that wait until it is known whether there is a successor, which takes
// half a minute at most.
const maxBequeathed = 1000

// banned is edge.Defence's Banned. A server that nobody replaces keeps its bans by itself, and so does one that
// takes its place back.
func (p *predecessor) banned(b edge.Ban, report []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at < phaseYielded || len(p.bans) == maxBequeathed {
		return
	}
	p.bans = append(p.bans, bequeathed{b, report})
	p.tellBans()
}

// tellBans tells the successor of what waits, if there is one by now. The caller holds mu.
func (p *predecessor) tellBans() {
	switch {
	case len(p.bans) == 0:
		return
	case p.at < phaseYielded:
		p.bans = nil
		return
	case p.at < phaseReplaced:
		return
	}
	space, err := p.in.store.Space(bansSpace, bansBytes)
	for _, b := range p.bans {
		if err == nil {
			err = space.Set(b.Who.String(), b.report, max(time.Second, time.Until(b.Until)))
		}
	}
	if p.bans = nil; err != nil {
		p.in.log.Warn("a ban is not told to the server that serves", "error", err)
	}
}

// heir takes what the server before tells of what it remembers, and bans whom it has banned.
func (in *instance) heir(changes []kv.Change) error {
	rest := make([]kv.Change, 0, len(changes))
	for i := range changes {
		switch c := &changes[i]; {
		case c.Space != bansSpace:
			rest = append(rest, *c)
		case len(c.Value) > 0:
			if err := in.server.Heed(c.Value); err != nil {
				in.log.Warn("a ban of the server before is not taken over", "address", c.Key, "error", err)
			}
		}
	}
	return in.store.Take(rest)
}
