package edge

import "github.com/edgeftp/edgeftp/edge/internal/throttle"

// Rates are a limit in each direction, in bytes per second on the wire; zero or
// less is none.
type Rates = throttle.Rates

// Bandwidth is the limits on rates. A transfer is under its own, its session's, its
// user's, its listener's and the server's; all sessions of a user share the user's.
// The zero value limits nothing.
type Bandwidth struct {
	Server    Rates
	Listeners map[string]Rates // by Listener.Name
	User      Rates            // of a user whose login brings no rates (policy.Identity.Limits)
	Session   Rates
	Transfer  Rates // of a transfer for which no policy names rates (the model's read_limit and write_limit)
}

func (b Bandwidth) tree() *throttle.Tree {
	t := throttle.NewTree(b.Server)
	t.SetDefaults(b.User, b.Session)
	for name, r := range b.Listeners {
		t.SetListener(name, r)
	}
	return t
}

// BandwidthStatus is the limits that are in force.
type BandwidthStatus = throttle.Snapshot

// Bandwidth returns the limits that are in force.
func (s *Server) Bandwidth() BandwidthStatus { return s.tree.Snapshot() }

// LimitServer changes the server's rates. Transfers that run follow at once, here
// and in the functions below.
func (s *Server) LimitServer(r Rates) { s.tree.Server().Set(r) }

// LimitListener changes the rates of one listener.
func (s *Server) LimitListener(name string, r Rates) { s.tree.SetListener(name, r) }

// LimitUser sets the rates of one user, over what logins bring, until FreeUser. Zero
// rates lift the limit.
func (s *Server) LimitUser(name string, r Rates) { s.tree.SetUser(name, r) }

// FreeUser takes LimitUser back: what the latest login brought holds again.
func (s *Server) FreeUser(name string) { s.tree.ClearUser(name) }

// LimitDefaults changes the rates of users and sessions that bring none of their own.
func (s *Server) LimitDefaults(user, session Rates) { s.tree.SetDefaults(user, session) }

// BandwidthLimit is the limit of one listener or user in a BandwidthStatus.
type BandwidthLimit = throttle.Limit
