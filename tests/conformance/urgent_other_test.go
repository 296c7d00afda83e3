//go:build !unix

package conformance

import "net"

// urgent sends the bytes as any others.
func urgent(conn net.Conn, text string) error {
	_, err := conn.Write([]byte(text))
	return err
}
