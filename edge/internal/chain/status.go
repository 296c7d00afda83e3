package chain

import (
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// ModuleStatus describes one policy of the current generation, or a candidate.
type ModuleStatus struct {
	Name       string
	Generation uint64 // of the slot, from 1
	Policy     policy.Policy
	Since      time.Time
	Calls      uint64        // hook calls that have ended since then, of events too
	Denied     uint64        // refusals
	Failed     uint64        // calls that ended in an error
	Skipped    uint64        // calls that an open breaker kept away
	Stages     []StageStatus // that the policy takes part in, in their order
	Events     EventStatus   // zero without an observer
	TapDropped uint64        // chunks of bytes lost because a policy that listens fell behind
	Breaker    BreakerStatus // of the questions
	Observer   BreakerStatus // the breaker of events
	Trial      *TrialStatus  // of the candidate that may take its place; nil without
	Shadow     *ShadowStatus // of the candidate that is compared with it; nil without
}

// TrialStatus describes a candidate that judges.
type TrialStatus struct {
	Candidate ModuleStatus // as if it were in force
	Percent   int          // of the sessions that it judges
	Until     time.Time    // when it is promoted; zero for never by itself
}

// Status describes the policies of the current generation in order.
func (c *Chain) Status() []ModuleStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.front.Load().main
	out := make([]ModuleStatus, 0, len(g.modules))
	for _, m := range g.modules {
		st := m.status()
		if t := c.trial; t != nil && t.main == m {
			st.Trial = &TrialStatus{Candidate: t.candidate.status(), Percent: t.Percent}
			if t.For > 0 {
				st.Trial.Until = t.since.Add(t.For)
			}
		}
		if s := c.shadows[m.name]; s != nil {
			shadow := s.status()
			st.Shadow = &shadow
		}
		out = append(out, st)
	}
	return out
}

func (m *module) status() ModuleStatus {
	st := ModuleStatus{Name: m.name, Generation: m.number, Policy: m.policy, Since: m.since,
		Breaker: m.questions.status(), Observer: m.events.status()}
	for _, s := range partakes(m.hooks) {
		stage := m.meters[s].status(s)
		st.Calls += stage.Calls
		st.Denied += stage.Verdicts[policy.Deny] + stage.Verdicts[policy.Hide]
		st.Failed += stage.Failed
		st.Skipped += stage.Skipped
		st.Stages = append(st.Stages, stage)
	}
	if m.queue != nil {
		st.Events = m.queue.status()
	}
	if m.tap != nil {
		st.TapDropped = m.tap.dropped.Load()
	}
	return st
}

// partakes lists where a policy takes part.
func partakes(h policy.Hooks) []policy.Stage {
	var out []policy.Stage
	for s, in := range [policy.NumStages]bool{
		policy.StageAuth: h.Authenticator != nil, policy.StageFS: h.Authorizer != nil,
		policy.StageList: h.Lister != nil, policy.StageCmd: h.Commander != nil,
		policy.StageSite: h.Site != nil, policy.StageThrottle: h.Throttler != nil,
		policy.StageData: h.Filter != nil, policy.StageEvent: h.Observer != nil,
		policy.StageCert: h.Certifier != nil,
	} {
		if in {
			out = append(out, policy.Stage(s))
		}
	}
	return out
}
