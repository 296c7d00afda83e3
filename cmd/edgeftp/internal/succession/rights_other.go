//go:build !unix

package succession

import (
	"errors"
	"io"
	"net"
	"os"
)

// writeRights cannot pass descriptors here.
func writeRights(*net.UnixConn, []byte, []*os.File) error { return errors.ErrUnsupported }

// readRights fills b.
func readRights(c *net.UnixConn, b []byte) ([]*os.File, error) {
	_, err := io.ReadFull(c, b)
	return nil, err
}
