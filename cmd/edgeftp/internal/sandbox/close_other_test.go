//go:build !linux

package sandbox

// child is of Linux alone.
func child(string) int { return 1 }
