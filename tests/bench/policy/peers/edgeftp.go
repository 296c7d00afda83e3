package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/edgeftp/edgeftp/edge/internal/chain"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/tests/bench/policy/guests"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// authorizer asks a policy by itself.
func authorizer(fs policy.Authorizer) ask {
	ctx := context.Background()
	return func(q *policy.Action) (policy.Verdict, error) {
		a, err := fs.Authorize(ctx, q)
		return a.Verdict, err
	}
}

func nothing() error { return nil }

// ours are the policy linked in, in each language, and in chains.
func ours(withGo bool) func(context.Context) ([]contestant, error) {
	return func(ctx context.Context) ([]contestant, error) {
		all := []contestant{{"native", authorizer(guests.Native{}), nothing}}
		h, err := wasmhost.New(ctx, wasmhost.Config{Budgets: wasmhost.Budgets{abi.HookFS: {Time: patience}}})
		if err != nil {
			return nil, err
		}
		for _, name := range guests.Small() {
			module, err := guests.Module(name)
			if err != nil {
				return all, err
			}
			p, err := h.Load(ctx, name, module, wasmhost.LoadOptions{})
			if err != nil {
				return all, err
			}
			all = append(all, contestant{"edgeftp " + name, authorizer(p.Hooks().Authorizer), p.Close})
		}
		if withGo {
			module, err := guests.Go(ctx)
			if err != nil {
				return all, err
			}
			p, err := h.Load(ctx, "go", module, wasmhost.LoadOptions{})
			if err != nil {
				return all, err
			}
			all = append(all, contestant{"edgeftp write-once-go", authorizer(p.Hooks().Authorizer), p.Close})
		}
		native, err := chained("a chain of three native", guests.Native{}, guests.Native{}, guests.Native{})
		if err != nil {
			return all, err
		}
		three, err := threeGuests(ctx, h)
		return append(all, native, three), err
	}
}

// threeGuests is a chain of three modules in three languages.
func threeGuests(ctx context.Context, h *wasmhost.Host) (contestant, error) {
	var policies []policy.Policy
	for _, name := range []string{"write-once-c", "write-once-zig", "write-once-rs"} {
		module, err := guests.Module(name)
		if err != nil {
			return contestant{}, err
		}
		p, err := h.Load(ctx, name, module, wasmhost.LoadOptions{})
		if err != nil {
			return contestant{}, err
		}
		policies = append(policies, p)
	}
	return chained("edgeftp, a chain of three", policies...)
}

// chained asks policies as a session does: through a lease of the chain, which lasts
// for the command.
func chained(name string, policies ...policy.Policy) (contestant, error) {
	var slots []chain.Slot
	for i, p := range policies {
		slots = append(slots, chain.Slot{Name: fmt.Sprint("p", i), Policy: p})
	}
	c, err := chain.New(chain.Config{Clean: func(s string) (string, error) { return s, nil }}, slots...)
	if err != nil {
		return contestant{}, err
	}
	ctx := context.Background()
	decide := func(q *policy.Action) (policy.Verdict, error) {
		l := c.Lease(q.Session.ID)
		_, no := l.Authorize(ctx, q)
		l.Release()
		switch {
		case no == nil:
			return policy.Pass, nil
		case no.Failed:
			return policy.Deny, errors.Join(no, no.Cause)
		}
		return policy.Deny, nil
	}
	return contestant{name, decide, func() error { c.Close(); return nil }}, nil
}
