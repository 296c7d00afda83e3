//go:build !unix

package acme

import "errors"

func makeFIFO(string) error { return errors.ErrUnsupported }
