package edge

import (
	"sync/atomic"

	"github.com/edgeftp/edgeftp/edge/dtp"
	"github.com/edgeftp/edgeftp/edge/pi"
)

// StorageStatus is what the storage could not do, by its cause.
type StorageStatus = pi.StorageStatus

// OperationStatus is what the storage was asked of one kind, and how that went.
type OperationStatus = pi.OperationStatus

// Operations returns what sessions have asked of the storage since the start, each kind of it
// in the same order.
func (s *Server) Operations() []OperationStatus { return s.asked.Status() }

// ListenerCounts is what the sessions of one listener do now and have done, as far as no
// event tells it. Listeners of one name are one.
type ListenerCounts struct {
	Name string // of the listener
	// Of the sessions that are open: how many nobody is logged in on, how many transfer
	// something, and how many others there are.
	Login, Transfer, Quiet int
	Unknown                uint64          // commands that the server does not have, of which no event tells
	Ports                  int             // passive ports that there are; 0 is the kernel's choice
	Storage                StorageStatus   // what the storage could not do
	Data                   dtp.TallyStatus // ports, data connections and what they are waited for
}

// tally is what counts for the listeners of a name.
type tally struct {
	name  string
	ports int
	*counters
}

// counters are kept as long as the server: sessions hold them.
type counters struct {
	data    dtp.Tally
	storage pi.StorageTally
	unknown atomic.Uint64
}

// countersOf returns what counts for a listener, and notes how many passive ports it has.
func (s *Server) countersOf(l *Listener) *counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.tallies {
		if t := &s.tallies[i]; t.name == l.Name {
			t.ports = l.Passive.Ports.Len()
			return t.counters
		}
	}
	s.tallies = append(s.tallies, tally{l.Name, l.Passive.Ports.Len(), new(counters)})
	return s.tallies[len(s.tallies)-1].counters
}

// Counts returns what every listener's sessions do and have done, in the order in which
// the listeners were first used. It looks at every session: call it as somebody looks,
// not for each client.
func (s *Server) Counts() []ListenerCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]ListenerCounts, len(s.tallies))
	index := make(map[string]*ListenerCounts, len(out))
	for i, t := range s.tallies {
		out[i] = ListenerCounts{Name: t.name, Ports: t.ports, Unknown: t.unknown.Load(), Storage: t.storage.Status(), Data: t.data.Status()}
		index[t.name] = &out[i]
	}
	for _, sess := range s.sessions {
		switch c := index[sess.Listener()]; {
		case c == nil:
		case !sess.Inside():
			c.Login++
		case sess.Transferring():
			c.Transfer++
		default:
			c.Quiet++
		}
	}
	return out
}
