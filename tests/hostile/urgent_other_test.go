//go:build !unix

package hostile

import (
	"io"
	"net"
)

// sendUrgent sends plain bytes where urgent ones cannot be had.
func sendUrgent(conn net.Conn, text string) error {
	_, err := io.WriteString(conn, text)
	return err
}
