//go:build unix

package succession

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// writeRights writes b, and descriptors with it. They are asked for in a way that leaves
// them as they are: os.File.Fd would make a socket blocking that the server accepts on.
func writeRights(c *net.UnixConn, b []byte, files []*os.File) error {
	fds := make([]int, 0, len(files))
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { fds = append(fds, int(fd)) })
		}
		if err != nil {
			return err
		}
	}
	n, _, err := c.WriteMsgUnix(b, unix.UnixRights(fds...), nil)
	runtime.KeepAlive(files)
	if err == nil && n < len(b) {
		_, err = c.Write(b[n:])
	}
	return err
}

// readRights fills b, and returns the descriptors that came with it.
func readRights(c *net.UnixConn, b []byte) (files []*os.File, err error) {
	defer func() {
		if err != nil {
			closeFiles(files)
			files = nil
		}
	}()
	oob := make([]byte, unix.CmsgSpace(4*(maxFiles+1)))
	for done := 0; done < len(b); {
		n, o, flags, _, err := c.ReadMsgUnix(b[done:], oob)
		if o > 0 {
			more, bad := rights(oob[:o])
			files = append(files, more...)
			if err = errors.Join(err, bad); bad != nil {
				return files, err
			}
		}
		switch {
		case err != nil:
			return files, err
		case flags&unix.MSG_CTRUNC != 0:
			return files, errors.New("more descriptors came than there is room for")
		case n == 0 && done == 0:
			return files, io.EOF
		case n == 0:
			return files, io.ErrUnexpectedEOF
		}
		done += n
	}
	return files, nil
}

// rights takes descriptors out of control messages.
func rights(oob []byte) (files []*os.File, err error) {
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for i := range list {
		fds, err := unix.ParseUnixRights(&list[i])
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), fmt.Sprintf("socket %d", fd)))
		}
	}
	return files, nil
}
