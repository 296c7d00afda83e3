package dtp

import "time"

// pulse measures how fast a client takes or sends, over windows of the time for which
// it was waited for. Without a least rate it does nothing.
type pulse struct {
	least  int64 // bytes per second
	window time.Duration

	since time.Time     // when the wait began that is under way
	spent time.Duration // of the window, in waits that are over
	moved int64         // bytes, meanwhile
}

func newPulse(least int64, window time.Duration) pulse {
	if window <= 0 {
		window = LeastWindowDefault
	}
	return pulse{least: max(0, least), window: window}
}

// begin notes that the client is waited for.
func (p *pulse) begin() {
	if p.least > 0 {
		p.since = time.Now()
	}
}

// end notes that the wait is over and has moved n bytes. It fails with ErrSlow when a
// window has passed with too few of them.
func (p *pulse) end(n int64) error {
	if p.least == 0 {
		return nil
	}
	p.spent, p.moved = p.spent+time.Since(p.since), p.moved+n
	if p.spent < p.window {
		return nil
	}
	slow := float64(p.moved) < float64(p.least)*p.spent.Seconds()
	p.spent, p.moved = 0, 0
	if slow {
		return ErrSlow
	}
	return nil
}

// until is when a wait that begins now has to end: with the window, or after the stall
// time if that is shorter. Zero is never.
func (p *pulse) until(stall time.Duration) time.Time {
	d := stall
	if p.least > 0 && (d <= 0 || p.window-p.spent < d) {
		d = p.window - p.spent
	}
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}
