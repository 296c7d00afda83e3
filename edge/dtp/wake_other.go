//go:build !linux

package dtp

import "net"

// wakeEarly does nothing here.
func wakeEarly(net.Conn) {}
