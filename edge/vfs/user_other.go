//go:build !linux

package vfs

import "fmt"

// rights are never had here: this host's threads have no identity of their own,
// or Go cannot give it to them.
type rights struct{}

func newRights(Credentials) (*rights, error) {
	return nil, fmt.Errorf("%w: this needs Linux", ErrNoAsUser)
}

// run is never reached.
func (*rights) run(func() error) error { return ErrNoAsUser }
