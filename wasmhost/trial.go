package wasmhost

import (
	"context"
	"fmt"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// trialTime bounds all tests of a module together.
const trialTime = 10 * time.Second

// Trial is a loaded policy in the world of its tests (ABI §8): instances of its own
// with the settings of the tests, and nothing around them but what the tests give. What
// it does touches neither the policy nor the server. It asks one question at a time and
// is not safe for concurrent use. Make it with [Policy.Trial].
type Trial struct {
	policy *Policy // has the engine of the one that is tried
	set    *cases.Set
	world  *cases.World
	verify func(ctx context.Context, hash, password string) (bool, error)
}

// Trial makes a trial with the settings and the world of the set. The caller closes it
// before the policy.
func (p *Policy) Trial(set *cases.Set) *Trial {
	t := &Trial{set: set, verify: p.verify, policy: &Policy{name: p.name, digest: p.digest, module: p.module, limits: p.limits,
		budgets: p.budgets, loaded: trialStart(), engine: p.engine, pool: newPool(p.module.limits.Instances), lines: newLimiter(),
		settings: set.Settings}}
	t.begin(p.caps)
	return t
}

// trialStart is when instances start in trials, so that each run is like the other.
func trialStart() time.Time { return time.Unix(1_700_000_000, 0) }

// begin makes the world anew. caps are what the policy has outside of it.
func (t *Trial) begin(caps *capabilities) {
	t.world = t.set.World()
	t.world.Verifier = t.verify
	t.policy.world, t.policy.caps = t.world, caps.trial(t.world)
}

// Again makes the world of the tests anew, and leaves the instances with all that
// they remember.
func (t *Trial) Again() {
	t.policy.idlers.Wait()
	t.begin(t.policy.caps)
}

// World is that of the tests, as it is now.
func (t *Trial) World() *cases.World { return t.world }

// Stats returns the numbers of the trial alone.
func (t *Trial) Stats() Stats { return t.policy.Stats() }

// Budget returns what bounds one call of the hook.
func (t *Trial) Budget(h abi.Hook) Budget { return t.policy.budgets[h] }

// Tried is what came of one question of a trial.
type Tried struct {
	*cases.Outcome
	// Calls are those of the guest: one, or several for a listing that did not fit its
	// mailbox, or none if no instance could be made.
	Calls []*Exchange
}

// Fuel returns the units of work of all calls together.
func (t *Tried) Fuel() (n int64) {
	for _, x := range t.Calls {
		n += x.Fuel
	}
	return n
}

// Took returns the time of all calls together.
func (t *Tried) Took() (d time.Duration) {
	for _, x := range t.Calls {
		d += x.Took
	}
	return d
}

// Memory returns the bytes of the instance's memory afterwards.
func (t *Tried) Memory() (n uint32) {
	for _, x := range t.Calls {
		n = max(n, x.Memory)
	}
	return n
}

// Ask asks one test in the world as it is. The test need not be one of the set's.
func (t *Trial) Ask(ctx context.Context, c *cases.Case) *Tried {
	got := new(Tried)
	t.policy.Watch(&Watcher{Tell: func(x *Exchange) { got.Calls = append(got.Calls, x) }})
	defer t.policy.Watch(nil)
	got.Outcome = c.Ask(ctx, t.policy.name, t.policy.Hooks(), t.world)
	return got
}

// Start starts an instance, for measurements, and keeps it for the first question.
func (t *Trial) Start() error {
	in, err := t.policy.newInstance()
	if err != nil {
		return err
	}
	t.policy.pool.add(in)
	return nil
}

// Asker returns a function that asks the test again and again, for measurements: it
// looks at nothing of the answer but its error.
func (t *Trial) Asker(ctx context.Context, c *cases.Case) func() error {
	return c.Asker(ctx, t.policy.name, t.policy.Hooks(), t.world)
}

// Replay asks a record as it is (ABI §3). What the guest asks the host is answered as
// in answers, each of which stands for one call of the same import with the same
// arguments, or with any if it has none. missed counts the calls that are not among
// them, and are the world's to answer. The error is the exchange's.
func (t *Trial) Replay(ctx context.Context, h abi.Hook, record []byte, answers []HostCall) (x *Exchange, missed int, err error) {
	used := make([]bool, len(answers))
	if answers != nil {
		t.policy.intercept = func(_ context.Context, c *HostCall) bool {
			if c.Import == abi.ImportLog || c.Import == abi.ImportMetric {
				return false // they are told nothing
			}
			for i := range answers {
				if then := &answers[i]; !used[i] && then.Import == c.Import && (then.In == nil || string(then.In) == string(c.In)) {
					used[i], c.Result, c.Out = true, then.Result, then.Out
					return true
				}
			}
			missed++
			return false
		}
		defer func() { t.policy.intercept = nil }()
	}
	x = new(Exchange)
	err = t.policy.Ask(policy.WithServices(ctx, t.world), h, record, x)
	return x, missed, err
}

// Close gives the instances back.
func (t *Trial) Close() {
	p := t.policy
	p.retired.Store(true)
	for _, in := range p.pool.drain() {
		in.close()
	}
	p.idlers.Wait()
}

// try runs the tests that the module brings: nothing of the server is touched, and
// nothing of what the tests did is kept.
func (p *Policy) try(ctx context.Context, section []byte) error {
	if section == nil {
		return nil
	}
	set, err := cases.Parse(section)
	if err != nil {
		return &LoadError{Code: CodeTests, Err: err, Found: abi.Clean(err.Error(), 500),
			Summary: fmt.Sprintf("policy %q brings tests that cannot be read", p.name),
			Help:    "guest-sdk/ABI.md says what the section " + abi.TestsSection + " holds"}
	}
	t := p.Trial(set)
	defer t.Close()
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	if err := set.RunIn(ctx, p.name, t.policy.Hooks(), t.world); err != nil {
		return &LoadError{Code: CodeTests, Err: err, Found: abi.Clean(firstLine(err.Error()), 500),
			Summary: fmt.Sprintf("policy %q fails a test that it brings", p.name),
			Help:    "edgeftp policy test tells more: the policy or its tests.json says the wrong thing"}
	}
	return nil
}

// trial returns capabilities that lead nowhere but into the world.
func (c *capabilities) trial(w *cases.World) *capabilities {
	t := &capabilities{random: w.Random, origins: c.origins, verify: c.verify, password: c.password, stat: c.stat, digest: c.digest}
	if c.kv != nil {
		t.kv = w.KV
	}
	if c.metrics != nil {
		t.metrics = newMetrics(c.metrics.policy, nowhere{})
	}
	return t
}

// nowhere takes numbers and forgets them.
type nowhere struct{}

func (nowhere) Metric(string, string, int32, int64) {}
