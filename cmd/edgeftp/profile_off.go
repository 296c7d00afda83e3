//go:build !profile

package main

// profiled runs the program; the build tag profile has another one.
func profiled(run func() int) int { return run() }
