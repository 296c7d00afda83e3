package throttle

// Rates are a limit in each direction, in bytes per second on the wire. Zero or
// less is none.
type Rates struct {
	Down int64 // from the server to the client
	Up   int64 // from the client to the server
}

// or returns r, with other's rate in a direction in which r has none.
func (r Rates) or(other Rates) Rates {
	if r.Down <= 0 {
		r.Down = other.Down
	}
	if r.Up <= 0 {
		r.Up = other.Up
	}
	return r
}

// Node is one limit of the tree: a [Bucket] for each direction. The zero value does
// not limit. A Node is safe for concurrent use and must not be copied.
type Node struct{ down, up Bucket }

// NewNode returns a Node of these rates.
func NewNode(r Rates) *Node {
	n := new(Node)
	n.Set(r)
	return n
}

// Set changes the rates, as [Bucket.SetRate] does. Transfers under the node follow
// at once.
func (n *Node) Set(r Rates) {
	n.down.SetRate(r.Down)
	n.up.SetRate(r.Up)
}

// Rates returns the rates, 0 where there is no limit.
func (n *Node) Rates() Rates { return Rates{Down: n.down.Rate(), Up: n.up.Rate()} }

// clear reports whether nothing that has moved is still to be paid for.
func (n *Node) clear() bool { return n.down.clear() && n.up.clear() }

// Chain returns the Limiter of one transfer: downwards if down is set, under nodes,
// given narrowest first (transfer, session, user, listener, server). Nil nodes are
// left out. If none is left it returns nil, which limits nothing for ever; a node
// without a limit may still be given one while the transfer runs.
func Chain(down bool, nodes ...*Node) *Limiter {
	buckets := make([]*Bucket, 0, len(nodes))
	for _, n := range nodes {
		switch {
		case n == nil:
		case down:
			buckets = append(buckets, &n.down)
		default:
			buckets = append(buckets, &n.up)
		}
	}
	if len(buckets) == 0 {
		return nil
	}
	return NewLimiter(buckets...)
}
