package wasmhost

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// trialTime bounds all tests of a module together.
const trialTime = 10 * time.Second

// maxTrialValues is how many bytes of values a trial may keep.
const maxTrialValues = 1 << 20

// trial runs the tests that the module brings, in instances of their own with the
// settings of the tests: nothing of the server is touched, and nothing of what the
// tests did is kept.
func (p *Policy) trial(ctx context.Context, section []byte) error {
	if section == nil {
		return nil
	}
	set, err := cases.Parse(section)
	if err != nil {
		return &LoadError{Code: CodeTests, Err: err, Found: abi.Clean(err.Error(), 500),
			Summary: fmt.Sprintf("policy %q brings tests that cannot be read", p.name),
			Help:    "guest-sdk/ABI.md says what the section " + abi.TestsSection + " holds"}
	}
	t := &Policy{name: p.name, digest: p.digest, module: p.module, limits: p.limits, budgets: p.budgets, loaded: p.loaded,
		engine: p.engine, pool: newPool(p.module.limits.Instances), lines: p.lines, caps: p.caps.trial(), settings: set.Settings, intercept: p.intercept}
	defer t.leave()
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	if err := set.Run(ctx, p.name, t.Hooks()); err != nil {
		return &LoadError{Code: CodeTests, Err: err, Found: abi.Clean(firstLine(err.Error()), 500),
			Summary: fmt.Sprintf("policy %q fails a test that it brings", p.name),
			Help:    "build it again from its source, whose tests should say the same"}
	}
	return nil
}

// leave closes the instances of a trial, and not the engine, which is not its own.
func (p *Policy) leave() {
	p.retired.Store(true)
	for _, in := range p.pool.drain() {
		in.close()
	}
	p.idlers.Wait()
}

// trial returns capabilities that lead nowhere: values that are empty and thrown
// away, numbers that nobody keeps, and no way to the server or out of it.
func (c *capabilities) trial() *capabilities {
	t := &capabilities{random: io.Reader(c.random), password: c.password}
	if c.kv != nil {
		t.kv = &policy.MemKV{MaxBytes: maxTrialValues}
	}
	if c.metrics != nil {
		t.metrics = newMetrics(c.metrics.policy, nowhere{})
	}
	return t
}

// nowhere takes numbers and forgets them.
type nowhere struct{}

func (nowhere) Metric(string, string, int32, int64) {}
