package edge

import (
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// PolicyStatus describes one policy that is in force, or a candidate. Numbers count
// from when it took its slot, and are exact when nothing runs.
type PolicyStatus struct {
	Name       string        // of the slot
	Generation uint64        // of the slot, from 1; each Swap and each Canary adds one
	Policy     policy.Policy // as it was given to New or Swap
	Since      time.Time     // when it took the slot
	Calls      uint64        // of its hooks that have ended, those of events too
	Denied     uint64        // refusals
	Failed     uint64        // calls that ended in an error
	Skipped    uint64        // calls that an open breaker kept away
	Stages     []StageStatus // that it takes part in, in their order
	Events     EventStatus   // zero without an observer
	TapDropped uint64        // chunks of bytes lost because its listening filter (Hooks.Tap) fell behind
	Breaker    BreakerStatus // of its questions
	Observer   BreakerStatus // the breaker of its events
	Trial      *TrialStatus  // of the candidate that may take its place; nil without
	Shadow     *ShadowStatus // of the candidate that is compared with it; nil without
}

// StageStatus counts what one policy has done at one stage.
type StageStatus struct {
	Stage    policy.Stage // at which
	Calls    uint64       // that have ended
	Verdicts [5]uint64    // of these, by policy.Verdict; a call that failed has none
	Failed   uint64       // calls that ended in an error
	Aborted  uint64       // calls that did as well, but because the client had gone
	Skipped  uint64       // questions that were not put, as the breaker was open
	// Latency counts the calls whose time was taken, one in 64, or one in 8 during a
	// trial: entry i those that took less than 64 ns << i and no less than half of
	// that; the last one holds all that is longer.
	Latency [32]uint64
}

// EventStatus counts the events of one policy. At every moment Added is the sum of
// Delivered, Lost, Dropped and Queued; with a spool, of Stored, Dropped and Queued.
type EventStatus struct {
	Added     uint64 // that were of interest
	Delivered uint64 // that the observer took; with a spool also those of earlier
	Lost      uint64 // by calls that failed, or while the breaker was open
	Dropped   uint64 // as the observer or the disk fell behind, or closing took too long
	Stored    uint64 // that were written to the spool
	Waiting   uint64 // in the spool, those of earlier runs too
	Gone      uint64 // from the spool since it was made: there was no room, or the disk lost them
	Queued    int    // that wait in memory, or are being handed over
}

// BreakerStatus tells how a breaker stands.
type BreakerStatus struct {
	Open     bool      // the policy is not called, but for probes
	Failures int       // in a row
	Probe    time.Time // when the policy may next be tried; zero unless Open
}

// TrialStatus describes a candidate that judges.
type TrialStatus struct {
	Candidate PolicyStatus // as if it were in force
	Percent   int          // of the sessions that it judges
	Until     time.Time    // when it is promoted; zero for never by itself
}

// ShadowStatus describes a candidate that is asked for comparison alone.
type ShadowStatus struct {
	Policy   policy.Policy // the candidate
	Since    time.Time     // when it began
	Compared uint64        // questions that it answered, or failed to
	Differed uint64        // of those
	Failed   uint64        // of those
	Dropped  uint64        // questions that it was too slow for
	Queued   int           // questions that wait
	// Differences are the last ones, at most 256, the oldest first.
	Differences []Difference
}

// Difference is a question that a candidate answered otherwise than the policy in
// force.
type Difference struct {
	Time             time.Time    // when it was asked
	Stage            policy.Stage // at which
	Op               policy.Op    // 0 at stages without
	Path             string       // what it was about: a path, or a command
	User             string       // who asked
	Session, Request uint64       // which question it was
	Main, Candidate  Outcome      // of the policy in force, and of the candidate
}

// Outcome is what one policy made of one question.
type Outcome struct {
	Verdict policy.Verdict // Pass beside Failed
	Failed  bool           // it gave none
	Code    int            // of a refusal
	Text    string         // of a refusal; of a failure, what failed
	Path    string         // that a path was rewritten to; of a login, its home; of a listing, what is hidden
	Path2   string         // likewise
}

// Status describes a running server.
type Status struct {
	Sessions  int  // that are open
	Transfers int  // of files and listings, and digests, that run
	Draining  bool // Shutdown was called
	// Generation counts the configurations, from 1; each Apply adds one.
	Generation uint64
	Since      time.Time // when that configuration came into force
	// OldSessions is the number of sessions that began with an earlier configuration.
	OldSessions int
	Policies    []PolicyStatus // in the order in which they are asked
	// Panics counts those that were recovered: each has ended a session at most, and is in
	// the log with its stack.
	Panics uint64
	// OldGenerations is the number of replaced policy generations that running
	// transfers still hold.
	OldGenerations int
	Budget         BudgetStatus // of memory and descriptors
	// Unannounced counts the connections that were closed as no proxy that is trusted has
	// said in time, and so that it can be understood, whose they are (Listener.Proxies).
	Unannounced uint64
}

// Status returns what the server is doing now. It may be called at any time.
func (s *Server) Status() Status {
	st := Status{OldGenerations: s.chain.Draining(), Draining: s.draining(), Budget: s.budget(), Panics: s.panics.Load(), Unannounced: s.unannounced.count.Load()}
	for _, m := range s.chain.Status() {
		st.Policies = append(st.Policies, policyStatus(m))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.now.Load()
	st.Sessions, st.Generation, st.Since = len(s.sessions), g.number, g.since
	st.OldSessions = st.Sessions - g.open
	for _, sess := range s.sessions {
		if sess.Transferring() {
			st.Transfers++
		}
	}
	return st
}

func policyStatus(m chain.ModuleStatus) PolicyStatus {
	st := PolicyStatus{Name: m.Name, Generation: m.Generation, Policy: m.Policy, Since: m.Since,
		Calls: m.Calls, Denied: m.Denied, Failed: m.Failed, Skipped: m.Skipped, Events: EventStatus(m.Events), TapDropped: m.TapDropped,
		Breaker: BreakerStatus(m.Breaker), Observer: BreakerStatus(m.Observer)}
	for _, stage := range m.Stages {
		st.Stages = append(st.Stages, StageStatus(stage))
	}
	if m.Trial != nil {
		st.Trial = &TrialStatus{policyStatus(m.Trial.Candidate), m.Trial.Percent, m.Trial.Until}
	}
	if m.Shadow != nil {
		shadow := shadowStatus(*m.Shadow)
		st.Shadow = &shadow
	}
	return st
}

func shadowStatus(in chain.ShadowStatus) ShadowStatus {
	st := ShadowStatus{Policy: in.Policy, Since: in.Since, Compared: in.Compared, Differed: in.Differed,
		Failed: in.Failed, Dropped: in.Dropped, Queued: in.Queued}
	for _, d := range in.Differences {
		st.Differences = append(st.Differences, Difference{d.Time, d.Stage, d.Op, d.Path, d.User, d.Session, d.Request,
			Outcome(d.Main), Outcome(d.Candidate)})
	}
	return st
}
