package dtp

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestArm: the deadline of a transfer that moves is set anew when half of its time is
// over, and never lies beyond the stall time.
func TestArm(t *testing.T) {
	for stall, period := range map[time.Duration]time.Duration{0: glance, time.Minute: glance, glance / 5: glance / 5} {
		synctest.Test(t, func(t *testing.T) {
			m, calls, at := mover{Transfer: &Transfer{Stall: stall}, tcp: true}, 0, time.Time{}
			set := func(d time.Time) error { calls, at = calls+1, d; return nil }
			pass := func(d time.Duration) { <-time.After(d) }
			m.alive()
			for range 10 { // pieces of a tenth of the half
				m.arm(set)
				if calls != 1 || time.Until(at) > period || time.Until(at) < period/2 {
					t.Fatalf("stall time %v: %d calls, the deadline is in %v", stall, calls, time.Until(at))
				}
				pass(period / 20)
				m.alive()
			}
			if m.arm(set); calls != 2 || time.Until(at) != period {
				t.Errorf("stall time %v: after half of it %d calls, the deadline is in %v", stall, calls, time.Until(at))
			}
			// A glance that finds nothing moved is followed by one at the end of the stall time.
			if stall == 0 || stall > glance {
				return
			}
			pass(period / 2)
			m.armed = time.Time{}
			if m.arm(set); time.Until(at) != period/2 {
				t.Errorf("stall time %v: the deadline is in %v", stall, time.Until(at))
			}
		})
	}
}
