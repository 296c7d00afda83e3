//go:build !linux && !darwin

package main

import "errors"

// diskRoom is not known here.
func diskRoom(string) (room, error) { return room{}, errors.ErrUnsupported }
