//go:build !linux

package dtp

import "net"

// wakeEarly does nothing here.
func wakeEarly(net.Conn) {}

// Acknowledge does nothing here.
func Acknowledge(net.Conn) {}

// gather does nothing here.
func gather(net.Conn) {}
