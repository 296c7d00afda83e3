//go:build !linux

package dtp

import "net"

// wakeEarly does nothing here.
func wakeEarly(net.Conn) {}

// acknowledge does nothing here.
func acknowledge(net.Conn) {}
