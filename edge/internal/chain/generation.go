package chain

import "github.com/edgeftp/edgeftp/edge/policy"

// generation is an immutable list of policies, flattened once into one slice
// for each stage.
type generation struct {
	modules []*module
	part          // of sessions of no host, or of one that no policy is for alone
	hosts   parts // of the others; nil where no policy is for some hosts alone
	bytes   bool  // some policy inspects or replaces the bytes of transfers

	refs refs
}

// part is the policies of a generation that are asked about the sessions of one host.
type part struct {
	auth  []authStage
	fs    [numOps][]fsStage // by operation: those that it is of interest to
	event [numEvents][]*module
	stages
	authorizes bool // some policy has a part in stage fs
	observes   bool // some policy has a part in stage event
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
	g := &generation{modules: modules, hosts: newParts(modules)}
	g.refs.word.Store(1)
	for _, m := range modules {
		m.holders.Add(1)
		g.bytes = g.bytes || m.hooks.Filter != nil && !m.hooks.Tap
		if m.options.of("") {
			g.part.add(m)
		}
	}
	return g
}

// add adds one policy to the stages in which it takes part.
func (p *part) add(m *module) {
	if h := m.hooks.Authenticator; h != nil {
		p.auth = append(p.auth, authStage{m, h})
	}
	if h := m.hooks.Authorizer; h != nil {
		p.authorizes = true
		for op := range p.fs {
			if m.interest.ops[op] {
				p.fs[op] = append(p.fs[op], fsStage{m, h})
			}
		}
	}
	if m.hooks.Observer != nil {
		p.observes = true
		for k := range p.event {
			if m.interest.events[k] {
				p.event[k] = append(p.event[k], m)
			}
		}
	}
	p.join(m)
}
