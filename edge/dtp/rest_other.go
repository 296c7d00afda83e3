//go:build !linux

package dtp

import "errors"

// rest is not to be had here: what shutdown(2) does to a listening socket is known of
// Linux alone.
func (*socket) rest() error { return errors.ErrUnsupported }

func (*socket) wake() error { return errors.ErrUnsupported }
