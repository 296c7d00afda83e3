package workshop

import (
	"context"
	"errors"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Budget is what the tests cost of what there is.
type Budget struct {
	Fuel      Cost   `json:"fuel"` // the test that came nearest to its limit
	Time      Cost   `json:"time_ns"`
	Memory    uint64 `json:"memory"` // bytes of an instance after the tests
	MemoryMax uint64 `json:"memory_limit"`
	Soak      *Soak  `json:"soak,omitempty"`
}

// Cost is the greatest cost of one question.
type Cost struct {
	Test  string `json:"test"`
	Value int64  `json:"value"`
	Limit int64  `json:"limit"`
}

func (c *Cost) take(test string, value, limit int64) {
	if c.Test == "" || float64(value)/float64(limit) > float64(c.Value)/float64(c.Limit) {
		*c = Cost{test, value, limit}
	}
}

// Soak is what very many questions do to an instance.
type Soak struct {
	Questions int    `json:"questions"`
	Half      uint64 `json:"memory_half_way"`
	End       uint64 `json:"memory"`
	Closed    uint64 `json:"closed"` // instances that had to be closed on the way
	Grows     bool   `json:"grows"`
}

func (s *Shop) budget(ctx context.Context, all []*wasmhost.Tried, results []TestResult, o TestOptions) (*Budget, error) {
	t := s.policy.Trial(s.Set)
	defer t.Close()
	b := &Budget{MemoryMax: uint64(s.pages()) << 16}
	for i, one := range all {
		hook := hookOf(one.Case.Hook)
		limit := t.Budget(hook)
		b.Fuel.take(results[i].Name, one.Fuel(), limit.Fuel)
		b.Time.take(results[i].Name, int64(one.Took()), int64(limit.Time))
		b.Memory = max(b.Memory, uint64(one.Memory()))
	}
	if o.Questions <= 0 {
		return b, nil
	}
	var err error
	b.Soak, err = s.soak(ctx, t, all, o)
	return b, err
}

// pages are what an instance may have at most.
func (s *Shop) pages() uint32 {
	const server = 256 // as wasmhost.Config has it
	if own := s.Facts.Manifest.Limits.MemoryPages; own > 0 {
		return min(own, server)
	}
	return server
}

func hookOf(name string) abi.Hook {
	for h := abi.HookAuth; int(h) < abi.NumHooks; h++ {
		if h.String() == name {
			return h
		}
	}
	return 0
}

// soak asks the tests over and over. Those that cost an instance are left out: an
// instance that is new each time tells nothing.
func (s *Shop) soak(ctx context.Context, t *wasmhost.Trial, all []*wasmhost.Tried, o TestOptions) (*Soak, error) {
	var list []*wasmhost.Tried
	for _, one := range all {
		var fault *wasmhost.CallError
		if !errors.As(one.Cause, &fault) || fault.Cause == wasmhost.CauseFailed {
			list = append(list, one)
		}
	}
	k := new(Soak)
	if len(list) == 0 {
		return k, nil
	}
	end := time.Now().Add(o.SoakTime)
	var samples []uint64
	every := max(1, o.Questions/20)
	// A heap that is collected grows for a while and then no more: as long as it does,
	// there are more questions, and time.
	for limit := o.Questions; limit <= soakRounds*o.Questions; limit *= 2 {
		for ; k.Questions < limit && ctx.Err() == nil && time.Now().Before(end); k.Questions++ {
			if k.Questions%every == 0 {
				samples = append(samples, t.Stats().Memory)
			}
			_ = t.Asker(ctx, list[k.Questions%len(list)].Case)() // the tests have looked at the answers
		}
		st := t.Stats()
		if len(samples) == 0 {
			break // there was no time at all
		}
		k.Half, k.End, k.Closed = samples[len(samples)/2], st.Memory, st.Closed
		if k.Grows = k.End > k.Half; !k.Grows || k.Questions < limit {
			break
		}
	}
	return k, ctx.Err()
}

// soakRounds is by how much more is asked at most where memory grows.
const soakRounds = 16
