//go:build !unix

package dtp

// Ready reports whether a connection waits to be accepted. It is not known
// here, and 150 is a correct reply in either case.
func (p *Passive) Ready() bool { return false }
