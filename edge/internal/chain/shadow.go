package chain

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

const (
	shadowQueue   = 1024 // questions that wait for a candidate
	shadowEntries = 256  // differences that are kept
)

// Outcome is what one policy made of one question.
type Outcome struct {
	Verdict policy.Verdict // Pass beside Failed
	Failed  bool           // it gave none
	Code    int            // of a refusal
	Text    string         // of a refusal; of a failure, what failed
	Path    string         // that a path was rewritten to; of a login, its home; of a listing, what is hidden
	Path2   string         // likewise
}

// answer makes the outcome of an answer.
func answer(a policy.Answer, err error) Outcome {
	if err != nil {
		return Outcome{Failed: true, Text: err.Error()}
	}
	return Outcome{Verdict: a.Verdict, Code: a.Code, Text: a.Text, Path: a.Path, Path2: a.Path2}
}

// differs reports whether a client or an operator could tell two outcomes apart.
// Why something failed is not compared.
func (o Outcome) differs(p Outcome) bool {
	if o.Failed && p.Failed {
		return false
	}
	return o != p
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

// shadow asks a candidate the questions of a slot, off the sessions' path, and
// compares. A question that finds the queue full is dropped and counted.
type shadow struct {
	policy policy.Policy
	hooks  policy.Hooks
	seen   *interest
	clean  func(string) (string, error)
	end    *ending
	queue  chan *mirrored
	stop   context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	st   ShadowStatus // Differences is a ring
	next int          // of the ring
}

// mirrored is a copy of a question, with what the policy in force made of it.
type mirrored struct {
	Difference
	session policy.Session
	ask     func(ctx context.Context) Outcome
}

// Shadow has p asked copies of the questions that the policy called name answers,
// at the stages auth, fs, list, cmd and throttle, and compares the answers. Nothing
// waits for p, its answers have no effect, and it never sees a password. What
// differs is in Status until EndShadow. A swap of the slot leaves the shadow there,
// to be compared with the new policy. After an error p is still the caller's.
func (c *Chain) Shadow(name string, p policy.Policy) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if c.shadows[name] != nil {
		return fmt.Errorf("%w: %q has a shadow", ErrShadow, name)
	}
	d, err := c.draft(Slot{Name: name, Policy: p})
	if err != nil {
		return err
	}
	modules := c.front.Load().main.modules
	for _, m := range modules {
		if owned(m.policy, p) || c.trial != nil && owned(c.trial.candidate.policy, p) {
			return fmt.Errorf("policy %q is in force already, and would be closed twice", m.name)
		}
	}
	for _, m := range modules {
		if m.name != name {
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		s := &shadow{policy: p, hooks: d.hooks, seen: d.interest, clean: c.conf.Clean, end: c.end, queue: make(chan *mirrored, shadowQueue),
			stop: cancel, done: make(chan struct{}), st: ShadowStatus{Policy: p, Since: time.Now()}}
		c.shadows[name] = s
		c.living.Add(1)
		go s.run(ctx, name)
		go func() {
			defer c.living.Done()
			<-ctx.Done()
			if !c.end.await(s.done, func() {}) {
				c.end.leave(name, "a question for comparison")
			}
		}()
		c.follow(modules)
		return nil
	}
	return fmt.Errorf("%w: %q", ErrNoSlot, name)
}

// EndShadow ends the comparison, closes the candidate and returns what was found.
func (c *Chain) EndShadow(name string) (ShadowStatus, error) {
	c.mu.Lock()
	s := c.shadows[name]
	if s == nil {
		c.mu.Unlock()
		return ShadowStatus{}, fmt.Errorf("%w: %q has no shadow", ErrShadow, name)
	}
	delete(c.shadows, name)
	c.follow(c.front.Load().main.modules)
	c.mu.Unlock()
	s.stop()
	<-s.done
	return s.status(), nil
}

// run asks until ctx ends, and closes the candidate.
func (s *shadow) run(ctx context.Context, name string) {
	defer close(s.done)
	for ctx.Err() == nil {
		select {
		case q := <-s.queue:
			err := s.end.guard(func() error {
				q.Candidate = q.ask(ctx)
				return nil
			})
			if err != nil {
				q.Candidate = answer(policy.Answer{}, err)
			}
			s.record(&q.Difference)
		case <-ctx.Done():
		}
	}
	if c, ok := s.policy.(io.Closer); ok {
		s.end.close(name, c.Close)
	}
}

func (s *shadow) record(d *Difference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Compared++
	if d.Candidate.Failed {
		s.st.Failed++
	}
	if !d.Main.differs(d.Candidate) {
		return
	}
	s.st.Differed++
	if len(s.st.Differences) < shadowEntries {
		s.st.Differences = append(s.st.Differences, *d)
		return
	}
	s.st.Differences[s.next] = *d
	s.next = (s.next + 1) % shadowEntries
}

func (s *shadow) status() ShadowStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.st
	st.Queued = len(s.queue)
	st.Differences = append(append([]Difference(nil), s.st.Differences[s.next:]...), s.st.Differences[:s.next]...)
	return st
}
