//go:build !linux

package identity

import "errors"

// Become fails: it is known how to prove what is left of root's rights on Linux alone.
func (u *User) Become(bool) error {
	return errors.New("the process can become another user on Linux alone\n   = help: start it as that user")
}

// Renounce does nothing: there are no capabilities here.
func Renounce() error { return nil }
