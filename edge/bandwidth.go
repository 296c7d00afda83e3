package edge

import "github.com/edgeftp/edgeftp/edge/internal/throttle"

// Rates are a limit in each direction, in bytes per second on the wire; zero or
// less is none.
type Rates struct {
	Down int64 // from the server to the client
	Up   int64 // from the client to the server
}

// Bandwidth is the limits on rates. A transfer is under its own, its session's, its
// user's, its listener's and the server's; all sessions of a user share the user's.
// The zero value limits nothing.
type Bandwidth struct {
	Server    Rates            // of all transfers together
	Listeners map[string]Rates // by Listener.Name
	User      Rates            // of a user whose login brings no rates (policy.Identity.Limits)
	Session   Rates            // of a session's transfers together
	Transfer  Rates            // of a transfer for which no policy names rates (the model's read_limit and write_limit)
}

func (b Bandwidth) tree() *throttle.Tree {
	t := throttle.NewTree(throttle.Rates(b.Server))
	t.SetDefaults(throttle.Rates(b.User), throttle.Rates(b.Session))
	t.SetTransfer(throttle.Rates(b.Transfer))
	for name, r := range b.Listeners {
		t.SetListener(name, throttle.Rates(r))
	}
	return t
}

// BandwidthStatus is the limits that are in force at one moment.
type BandwidthStatus struct {
	Server    Rates            // of all transfers together
	User      Rates            // of a user who brings none
	Session   Rates            // of a session that brings none
	Listeners []BandwidthLimit // those with a limit, by name
	Hosts     []BandwidthLimit // virtual hosts with a limit, by name
	Users     []BandwidthLimit // those with a limit, or with a word of LimitUser, by name
}

// BandwidthLimit is the limit of one listener or user.
type BandwidthLimit struct {
	Name     string // of the listener or user
	Rates    Rates  // zero in a direction without a limit
	Sessions int    // that share it; 0 of a listener
	Set      bool   // by LimitUser
}

func bandwidthLimits(in []throttle.Limit) []BandwidthLimit {
	out := make([]BandwidthLimit, len(in))
	for i, l := range in {
		out[i] = BandwidthLimit{Name: named(l.Name), Rates: Rates(l.Rates), Sessions: l.Sessions, Set: l.Set}
	}
	return out
}
