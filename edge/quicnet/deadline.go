package quicnet

import (
	"sync"
	"time"
)

// deadline is that of Accept: a channel that is closed when it has passed.
type deadline struct {
	mu     sync.Mutex
	timer  *time.Timer
	set    int // how often it was changed
	passed chan struct{}
}

// move changes it; the zero time is none.
func (d *deadline) move(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if d.passed == nil || isClosed(d.passed) {
		d.passed = make(chan struct{})
	}
	if t.IsZero() {
		return
	}
	passed, mine := d.passed, d.set
	end := func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.set == mine {
			close(passed)
		}
	}
	if left := time.Until(t); left > 0 {
		d.timer = time.AfterFunc(left, end)
		return
	}
	close(passed)
}

// wait returns the channel.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.passed == nil {
		d.passed = make(chan struct{})
	}
	return d.passed
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
