package edge

import "github.com/edgeftp/edgeftp/edge/internal/chain"

// PolicyStatus describes one policy that is in force.
type PolicyStatus = chain.ModuleStatus

// Status describes a running server.
type Status struct {
	Sessions  int
	Transfers int
	Draining  bool
	Policies  []PolicyStatus
	// OldGenerations is the number of replaced policy generations that running
	// transfers still hold.
	OldGenerations int
}

// Status returns what the server is doing now.
func (s *Server) Status() Status {
	st := Status{Policies: s.chain.Status(), OldGenerations: s.chain.Draining(), Draining: s.draining()}
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
