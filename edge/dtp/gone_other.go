//go:build !unix

package dtp

import "net"

// Gone cannot be told here.
func Gone(net.Conn) bool { return false }
