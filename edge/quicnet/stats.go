package quicnet

import (
	"maps"
	"sync"
)

// Refusal says why something was not let in.
type Refusal string

// The refusals. Of connections: RefusedAddress, RefusedAdmission, RefusedClosing; of
// streams: the others.
const (
	RefusedAddress   Refusal = "address"   // too many connections of one client
	RefusedAdmission Refusal = "admission" // Config.Admit
	RefusedClosing   Refusal = "closing"   // the listener is closed
	RefusedSessions  Refusal = "sessions"  // too many control sessions of one connection
	RefusedToken     Refusal = "token"     // a second stream with the same token
	RefusedProtocol  Refusal = "protocol"  // an unknown type, or a malformed head
)

// Stats are what a Listener has seen.
type Stats struct {
	FTP, HTTP  int    // connections that are open
	Sessions   int    // control sessions that are open, those that wait for Accept among them
	Handshakes uint64 // completed
	Failed     uint64 // handshakes that began and came to no end
	Retries    uint64 // datagrams that were answered with Retry; a client's first word may take two
	// Refused counts connections by datagrams, too.
	Refused map[Refusal]uint64
}

// counts are Stats in the making.
type counts struct {
	mu sync.Mutex
	Stats
}

func (c *counts) change(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.Stats)
}

func (c *counts) refuse(why Refusal) {
	c.change(func(s *Stats) {
		if s.Refused == nil {
			s.Refused = map[Refusal]uint64{}
		}
		s.Refused[why]++
	})
}

func (c *counts) read() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.Stats
	s.Refused = maps.Clone(s.Refused)
	return s
}
