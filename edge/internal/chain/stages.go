package chain

import (
	"fmt"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// stages are the policies of a generation in their order, once for each stage but
// the three that every policy may have had from the beginning.
type stages struct {
	list     []listStage
	command  []commandStage
	site     []siteStage
	throttle []throttleStage
	data     []dataStage
	cert     []certStage
	clashes  []clash
}

// join adds one policy to the stages in which it takes part.
func (s *stages) join(m *module) {
	if h := m.hooks.Lister; h != nil {
		s.list = append(s.list, listStage{m, h})
	}
	if h := m.hooks.Commander; h != nil {
		s.command = append(s.command, commandStage{m, h})
	}
	s.joinSite(m)
	if h := m.hooks.Throttler; h != nil {
		s.throttle = append(s.throttle, throttleStage{m, h})
	}
	if h := m.hooks.Filter; h != nil {
		s.data = append(s.data, dataStage{m, h})
	}
	if h := m.hooks.Certifier; h != nil {
		s.cert = append(s.cert, certStage{m, h})
	}
}

// Asks reports whether any policy of the lease's generation takes part in a stage,
// so that a question need not be made for nobody. It is true where the lease holds
// nothing: the question is refused then.
func (l Lease) Asks(stage policy.Stage) bool {
	if l.gen == nil {
		return true
	}
	g := l.mine()
	switch stage {
	case policy.StageAuth:
		return len(g.auth) > 0
	case policy.StageFS:
		return g.authorizes
	case policy.StageList:
		return len(g.list) > 0
	case policy.StageCmd:
		return len(g.command) > 0
	case policy.StageSite:
		return len(g.site) > 0
	case policy.StageThrottle:
		return len(g.throttle) > 0
	case policy.StageData:
		return len(g.data) > 0
	case policy.StageEvent:
		return g.observes
	case policy.StageCert:
		return len(g.cert) > 0
	}
	return false
}

// Authorizes reports whether Authorize would ask any policy about an operation; if not,
// everything is granted as it stands. It is true where the lease holds nothing, and where
// its generation was ended: another one answers then.
func (l Lease) Authorizes(op policy.Op) bool {
	if l.gen == nil || l.gen.refs.ended() {
		return true
	}
	if int(op) >= numOps {
		return false
	}
	stages := l.mine().fs[op]
	for i := range stages {
		if !stages[i].dormant() {
			return true
		}
	}
	return false
}

// meant refuses the verdicts that a stage has no use for: Rewrite, and those that do
// not exist.
func meant(v policy.Verdict, stage policy.Stage) error {
	switch v {
	case policy.Pass, policy.Allow, policy.Deny, policy.Hide:
		return nil
	}
	return fmt.Errorf("verdict %v has no meaning at the stage %v", v, stage)
}
