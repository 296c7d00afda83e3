//go:build !linux

package dtp

import "net"

// setBacklog does nothing here.
func setBacklog(*net.TCPListener, int) error { return nil }
