package chain

import "github.com/edgeftp/edgeftp/edge/policy"

// generation is an immutable list of policies, flattened once into one slice
// for each stage.
type generation struct {
	modules []*module
	auth    []authStage
	fs      [numOps][]fsStage // by operation: those that it is of interest to
	event   [numEvents][]*module
	stages
	bytes      bool // some policy inspects or replaces the bytes of transfers
	authorizes bool // some policy has a part in stage fs
	observes   bool // some policy has a part in stage event

	refs refs
}

type authStage struct {
	*module
	hook policy.Authenticator
}

type fsStage struct {
	*module
	hook policy.Authorizer
}

// newGeneration takes one reference on each module.
func newGeneration(modules []*module) *generation {
	g := &generation{modules: modules}
	g.refs.word.Store(1)
	for _, m := range modules {
		m.holders.Add(1)
		if h := m.hooks.Authenticator; h != nil {
			g.auth = append(g.auth, authStage{m, h})
		}
		if h := m.hooks.Authorizer; h != nil {
			g.authorizes = true
			for op := range g.fs {
				if m.interest.ops[op] {
					g.fs[op] = append(g.fs[op], fsStage{m, h})
				}
			}
		}
		if m.hooks.Observer != nil {
			g.observes = true
			for k := range g.event {
				if m.interest.events[k] {
					g.event[k] = append(g.event[k], m)
				}
			}
		}
		g.join(m)
		g.bytes = g.bytes || m.hooks.Filter != nil && !m.hooks.Tap
	}
	return g
}
