package wasmhost

import (
	"math"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Budget bounds one call of a guest in two ways. The time is what a client waits
// at most; the fuel is the same on every machine and on every run, so that an
// author can measure it. The zero value stands for the hook's default.
type Budget struct {
	Time time.Duration // wall clock, with the wait for an instance, without its start
	Fuel int64         // units of work, see package meter
}

// Budgets holds a Budget for each hook. Index 0 is the start of an instance, up to
// and with edgeftp_config.
type Budgets [abi.NumHooks]Budget

// The defaults. A deadline leaves room for a scheduler that is busy and a guest
// that collects garbage; the fuel is what a guest should need at most, some
// milliseconds of work for a decision.
const (
	million     = 1_000_000
	decideTime  = 50 * time.Millisecond
	decideFuel  = 20 * million
	startFuel   = 2_000 * million
	patientTime = time.Second
)

// standard is the hook's default.
func standard(h abi.Hook) Budget {
	switch h {
	case 0:
		return Budget{5 * time.Second, startFuel}
	case abi.HookAuth, abi.HookCert:
		return Budget{250 * time.Millisecond, 200 * million}
	case abi.HookSite:
		return Budget{patientTime, 500 * million}
	case abi.HookData:
		return Budget{100 * time.Millisecond, 50 * million}
	case abi.HookEvent, abi.HookIdle:
		return Budget{patientTime, 500 * million}
	}
	return Budget{decideTime, decideFuel}
}

// fetchTime is what the hooks auth and cert have at least in a policy that may
// fetch.
const fetchTime = 2 * time.Second

// withDefaults fills in what is zero.
func (b Budgets) withDefaults() Budgets {
	for h := range b {
		def := standard(abi.Hook(h))
		if b[h].Time <= 0 {
			b[h].Time = def.Time
		}
		if b[h].Fuel <= 0 {
			b[h].Fuel = def.Fuel
		}
	}
	return b
}

// within returns the budgets under a policy's limits. The start of an instance is
// the host's business and keeps its own.
func (l Limits) within(b Budgets) Budgets {
	for h := 1; h < len(b); h++ {
		b[h].Time, b[h].Fuel = narrower(b[h].Time, l.Deadline), narrower(b[h].Fuel, int64(min(l.Fuel, math.MaxInt64)))
	}
	return b
}
