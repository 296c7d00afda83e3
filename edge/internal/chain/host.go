package chain

import (
	"fmt"
	"slices"
)

// parts are what the policies of some hosts alone make of a generation, by the host's
// name.
type parts map[string]*part

// elsewhere stands for all hosts that no policy names.
const elsewhere = "\x00"

// newParts returns a part for each host that a policy names, nil where none does. What
// is asked of every host is in each of them, in its place.
func newParts(modules []*module) parts {
	var all parts
	for _, m := range modules {
		for _, host := range m.options.Hosts {
			if all == nil {
				all = parts{}
			}
			if host != "" && all[host] == nil {
				all[host] = &part{}
			}
		}
	}
	if all != nil {
		all[elsewhere] = &part{}
	}
	for host, p := range all {
		for _, m := range modules {
			if m.options.of(host) {
				p.add(m)
			}
		}
	}
	return all
}

// of reports whether the policy is asked about the sessions of a host.
func (o *Options) of(host string) bool { return o.Hosts == nil || slices.Contains(o.Hosts, host) }

// checkHosts refuses a list that is no choice.
func (o *Options) checkHosts() error {
	for i, host := range o.Hosts {
		switch {
		case slices.Contains(o.Hosts[:i], host):
			return fmt.Errorf("the host %q is named twice", host)
		case host == elsewhere:
			return fmt.Errorf("the host %q cannot be", host)
		}
	}
	return nil
}

// of returns the policies that are asked about the sessions of a host. Of one that no
// policy names these are the ones that are asked everywhere: a policy for the sessions
// of no host is not among them.
func (g *generation) of(host string) *part {
	if g.hosts == nil || host == "" {
		return &g.part
	}
	if p := g.hosts[host]; p != nil {
		return p
	}
	return g.hosts[elsewhere]
}

// In returns the lease as one of a session that has become one of another host; one that
// holds nothing stays as it is.
func (l Lease) In(host string) Lease {
	if l.gen != nil {
		l.host = host
	}
	return l
}

// mine is the part of the lease's own generation, which is there.
func (l Lease) mine() *part { return l.gen.of(l.host) }
