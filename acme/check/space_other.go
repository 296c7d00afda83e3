//go:build !(linux || darwin || freebsd)

package check

import "errors"

// spaceOf does not know what is left.
func spaceOf(string) (room, error) { return room{}, errors.ErrUnsupported }
