package edge

import (
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// PolicyStatus describes one policy that is in force. Numbers count from when it
// took its slot.
type PolicyStatus struct {
	Name       string        // of the slot
	Generation uint64        // of the slot, from 1; each Swap adds one
	Policy     policy.Policy // as it was given to New or Swap
	Since      time.Time     // when it took the slot
	Calls      uint64        // of its hooks, events included
	Denied     uint64        // refusals
	Failed     uint64        // calls that ended in an error
	Queued     int           // events that wait for its observer
	Dropped    uint64        // events lost because its observer fell behind
	TapDropped uint64        // chunks of bytes lost because its listening filter (Hooks.Tap) fell behind
}

// Status describes a running server.
type Status struct {
	Sessions  int            // that are open
	Transfers int            // of files and listings, and digests, that run
	Draining  bool           // Shutdown was called
	Policies  []PolicyStatus // in the order in which they are asked
	// OldGenerations is the number of replaced policy generations that running
	// transfers still hold.
	OldGenerations int
}

// Status returns what the server is doing now. It may be called at any time.
func (s *Server) Status() Status {
	st := Status{OldGenerations: s.chain.Draining(), Draining: s.draining()}
	for _, m := range s.chain.Status() {
		st.Policies = append(st.Policies, PolicyStatus(m))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Sessions = len(s.sessions)
	for _, sess := range s.sessions {
		if sess.Transferring() {
			st.Transfers++
		}
	}
	return st
}
