package edge

import (
	"strings"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/internal/budget"
)

// memory makes the budget of Limits.Memory. It tells the log when it shuts and opens,
// not each client whom it turns away.
func (s *Server) memory(limit int64) *budget.Memory {
	log := s.log
	return budget.New(limit, func(shut bool, used, limit int64) {
		if shut {
			log.Warn("the memory budget is nearly used up: new sessions are turned away with 421 until there is room", "used", used, "budget", limit)
			return
		}
		log.Info("the memory budget has room again for new sessions", "used", used, "budget", limit)
	})
}

// BudgetStatus tells how the budgets stand.
type BudgetStatus struct {
	Memory     int64 // Limits.Memory in bytes; 0 without a budget
	MemoryUsed int64 // bytes in use or reserved; 0 without a budget
	MemoryFull bool  // no session begins until there is room
	// Descriptors is Limits.Descriptors; 0 without a budget.
	Descriptors int
	// Sessions is how many there may be at once: Limits.Sessions, or what the
	// descriptors are enough for; 0 without a limit.
	Sessions int
	// Worst is how many bytes so many sessions take beside the program itself when each
	// makes the costliest transfer or listing there is, and the passwords that are
	// verified at once; 0 without a limit of sessions. More than Memory is no fault:
	// the budget is what keeps it from coming to that.
	Worst int64
	// What was refused since the server was made: connections for want of memory and
	// of descriptors, and transfers for want of memory.
	NoMemory, NoDescriptors, NoTransfer uint64
}

func (s *Server) budget() BudgetStatus {
	m, g := s.gate.memory.State(), s.now.Load()
	l := g.conf.Limits
	return BudgetStatus{Memory: m.Limit, MemoryUsed: m.Used, MemoryFull: m.Shut, Descriptors: l.Descriptors, Sessions: l.most(), Worst: g.worst(),
		NoMemory: m.Turned, NoDescriptors: s.gate.short.Load(), NoTransfer: m.Refused}
}

// worst is BudgetStatus.Worst.
func (g *generation) worst() int64 {
	const entry = 1280 // bytes of one that is held to be sorted: on average no more
	n := int64(g.conf.Limits.most())
	if n == 0 {
		return 0
	}
	t := dtp.Transfer{Protect: &dtp.Protection{}, Send: strings.NewReader(""), ASCII: true, Buffers: g.shared.Buffers}
	listing := t.Memory() + entry*int64(g.conf.Listing.Limits.Held())
	if !g.conf.Transfer.NoDeflate {
		t.Deflate = &dtp.Deflate{}
	}
	return n*(sessionMemory+max(t.Memory(), listing)) + g.verifier.Memory()
}
