//go:build !unix

package pi

// direct is empty: every write may wait.
type direct struct{}

func (p *prompt) attempt([]byte) int { return 0 }
