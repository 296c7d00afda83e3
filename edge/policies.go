package edge

import (
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// Options say how the server treats one policy. The zero value works.
type Options struct {
	// FailOpen lists stages at which a failure of the policy counts as no opinion
	// instead of a refusal. StageAuth and StageCert cannot be among them.
	FailOpen []policy.Stage
	// Breaker says when a policy that only fails is no longer called.
	Breaker Breaker
	// Spool is a directory in which the policy's events are kept until it took them,
	// across restarts; empty keeps them in memory, and drops the oldest of more than
	// 8192. It is used by one slot, takes up to 64 MiB, and drops the oldest then. Where
	// a process has it that gives its place away (Server.Pause), the next one has DIR~2,
	// and hands over what the first one left when that has ended. An event that the policy
	// fails to take is handed over again, by and by once a minute, or when its policy.Later
	// says; after a crash some are handed over twice. Their sessions have no State. Until
	// the slot is given up, no swap changes anything about it.
	Spool string
	// Hosts are the virtual hosts whose sessions the policy is asked about and told of,
	// by Host.Name, an empty one for the sessions of none; nil: all. A policy with hosts is
	// not told of what belongs to no session, unless an empty name is among them. A session
	// that comes to a host by a name, before its login, is the policy's from there on.
	Hosts []string
}

// Breaker says when a policy that only fails is no longer called: its questions
// are then answered as if it had failed, until a probe succeeds. Failures to take
// events are counted apart, and keep no question away. Zero in any field is the
// default that it names.
type Breaker struct {
	Failures int           // in a row that open it, 10; negative: it never opens
	Sessions int           // that they come from at least, 3
	Pause    time.Duration // before the first probe, 1 s; it doubles with each that fails
	MaxPause time.Duration // that it does not grow beyond, 60 s
}

// Trial says for whom and for how long a candidate judges, and what ends it. The
// zero value is everybody, until Promote or Rollback, under the default limits.
type Trial struct {
	Percent int           // of the sessions, 1 to 100; 0 is 100
	For     time.Duration // then it is promoted; 0: never by itself
	Limits  TrialLimits   // what rolls it back
}

// TrialLimits are what rolls a candidate back by itself, within a second of the
// breach. Zero in any field is the default that it names, a negative number turns
// the rule off.
type TrialLimits struct {
	// It is rolled back when at least so many calls failed, and they are more than
	// FailureRate of its calls.
	Failures    int     // 5
	FailureRate float64 // percent; 1
	// It is rolled back when the share of refusals among the answers differs from
	// that of the policy in force by more than Drift, once each of the two has given
	// MinAnswers. Where the candidate judges every session, it is held against what
	// the policy in force answered before.
	Drift      float64 // percentage points; 10
	MinAnswers int     // 100
	// It is rolled back when 99 of 100 calls are answered within a time that is
	// Slower times that of the policy in force or more, and longer than Latency, once
	// MinSamples calls of each were measured. Times are known to the power of two.
	Slower     float64       // 5
	Latency    time.Duration // 1 ms
	MinSamples int           // 100
}

// PolicyChange tells of a trial that has ended.
type PolicyChange struct {
	Kind       policy.EventKind // EventPolicySwapped or EventPolicyRolledBack
	Name       string           // of the slot
	Generation uint64           // of the slot, that is in force now
	Candidate  uint64           // generation that was on trial
	Text       string           // why, in one line
}

func (s Slot) chained() chain.Slot {
	return chain.Slot{Name: s.Name, Policy: s.Policy,
		Options: chain.Options{FailOpen: s.Options.FailOpen, Breaker: chain.Breaker(s.Options.Breaker),
			Spool: openLineage(s.Options.Spool), Hosts: s.Options.Hosts}}
}

func chained(slots []Slot) []chain.Slot {
	out := make([]chain.Slot, len(slots))
	for i, s := range slots {
		out[i] = s.chained()
	}
	return out
}

// Swap puts p in the place of the policy called name, and returns the slot's new
// generation number. Running transfers keep the policies they began with, for at
// most 30 seconds; those whose bytes pass through a policy of stage data, to their
// end. After an error nothing has changed and p is the caller's.
func (s *Server) Swap(name string, p policy.Policy) (uint64, error) { return s.chain.Swap(name, p) }

// SwapAll does what Swap does for several slots, with their options, all at once
// or, after an error, none. It returns the generation numbers in order.
func (s *Server) SwapAll(slots ...Slot) ([]uint64, error) { return s.chain.SwapAll(chained(slots)...) }

// ReplacePolicies puts a whole new list in the place of Config.Policies. A policy
// that is the same value as before under the same name stays as it is; one that is
// in the list no longer is closed once no transfer holds it. After an error nothing
// has changed, and what is new in the list is the caller's.
func (s *Server) ReplacePolicies(slots ...Slot) error { return s.chain.Replace(chained(slots)...) }

// Shadow has p asked copies of the questions that the policy called name answers,
// and compares the answers. No session waits for p, its answers have no effect, and
// it never sees a password. What differs is in Status until EndShadow. After an
// error p is the caller's.
func (s *Server) Shadow(name string, p policy.Policy) error { return s.chain.Shadow(name, p) }

// EndShadow ends a comparison, closes its candidate and returns what was found.
func (s *Server) EndShadow(name string) (ShadowStatus, error) {
	st, err := s.chain.EndShadow(name)
	return shadowStatus(st), err
}

// Canary lets p judge some sessions, or all of them, in the place of the policy
// called name, which is kept. It ends by Promote, by Rollback, by itself at the end
// of its time, or with a rollback when it breaches its limits: observers are told,
// and Config.PolicyChanged. Until then the policies cannot be changed otherwise. It
// returns p's generation number. After an error p is the caller's.
func (s *Server) Canary(name string, p policy.Policy, t Trial) (uint64, error) {
	return s.chain.Canary(name, p, chain.Trial{Percent: t.Percent, For: t.For, Limits: chain.Limits(t.Limits)})
}

// Promote ends the trial of a slot in the candidate's favour, and returns its
// generation number.
func (s *Server) Promote(name string) (uint64, error) { return s.chain.Promote(name) }

// Rollback ends the trial of a slot, and returns the generation number of the
// policy that stays. It brings no policy back that a Swap has replaced.
func (s *Server) Rollback(name string) (uint64, error) { return s.chain.Rollback(name) }

// changed tells of a trial that has ended.
func (s *Server) changed(c chain.Change) {
	s.Tell(policy.Event{Kind: c.Kind, Text: c.Text, Policy: c.Name, Generation: c.Generation})
	if tell := s.now.Load().conf.PolicyChanged; tell != nil {
		tell(PolicyChange(c))
	}
}
