package secret

import "time"

// Patience has verifications wait for as long as d: for tests on a machine that has
// much else to do.
func (v *Verifier) Patience(d time.Duration) { v.longest = d }

// remembers returns how many matches are remembered.
func (v *Verifier) remembers() int {
	v.memory.mu.Lock()
	defer v.memory.mu.Unlock()
	return len(v.memory.until)
}
