//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/edgeftp/edgeftp/tests/bench/load/client"
	"github.com/edgeftp/edgeftp/tests/userpi"
)

// chunk is what is moved at once where something passes through memory.
const chunk = 256 << 10

// throwAway is a certificate that nobody vouches for.
func throwAway() (tls.Certificate, error) {
	conf, _, err := userpi.ThrowAway()
	if err != nil {
		return tls.Certificate{}, err
	}
	return conf.Certificates[0], nil
}

// bareServe does what the first byte says.
func bareServe(c *net.TCPConn, root string, conf *tls.Config) error {
	var mode [1]byte
	if _, err := io.ReadFull(c, mode[:]); err != nil {
		return err
	}
	switch mode[0] {
	case 'd', 'b', 'r', 'D', 'G':
		f, err := os.Open(filepath.Join(root, "pub", "big"))
		if err != nil {
			return err
		}
		defer f.Close()
		return bareDown(c, f, mode[0], conf)
	case 's', 'u', 'w', 'U', 'V':
		f, err := os.OpenFile(filepath.Join(root, "up", "bare"), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := bareUp(c, f, mode[0], conf); err != nil {
			return err
		}
	case 'l', 'L':
		if err := bareList(filepath.Join(root, "pub", map[byte]string{'l': "d10k", 'L': "d100k"}[mode[0]])); err != nil {
			return err
		}
	default:
		return fmt.Errorf("there is no path %q", mode)
	}
	_, err := c.Write([]byte{bareDone})
	return err
}

// bareDown sends the file.
func bareDown(c *net.TCPConn, f *os.File, mode byte, conf *tls.Config) error {
	switch mode {
	case 'd':
		_, err := io.Copy(c, f) // sendfile(2)
		return err
	case 'b':
		return blockingSendfile(c, f)
	case 'r':
		return through(c, f)
	}
	w := &client.Wire{Conn: c}
	t := tls.Server(w, conf)
	if err := t.Handshake(); err != nil {
		return err
	}
	if mode == 'G' { // the records of a chunk in one write
		w.Gather(chunk + chunk/4)
	}
	b := make([]byte, chunk)
	for {
		n, err := f.Read(b)
		if n > 0 {
			_, werr := t.Write(b[:n])
			if werr = errors.Join(werr, w.Flush()); werr != nil {
				return werr
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(t.CloseWrite(), w.Flush())
}

// blockingSendfile has one thread for the transfer and calls as long as the kernel
// likes, as servers do that are a process for each session.
func blockingSendfile(c *net.TCPConn, f *os.File) error {
	d, err := c.File() // Fd makes it block
	if err != nil {
		return err
	}
	defer d.Close()
	out, in := int(d.Fd()), int(f.Fd())
	for {
		n, err := unix.Sendfile(out, in, nil, 1<<30)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || n == 0:
			return err
		}
	}
}

// through copies through memory.
func through(w io.Writer, r io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, chunk))
	return err
}

// bareUp takes the file.
func bareUp(c *net.TCPConn, f *os.File, mode byte, conf *tls.Config) error {
	switch mode {
	case 's':
		return spliceUp(f, c)
	case 'u':
		_, err := io.Copy(f, c)
		return err
	case 'w':
		return through(f, c)
	case 'U':
		return through(f, tls.Server(c, conf))
	}
	t := tls.Server(&gulp{c, bufio.NewReaderSize(c, chunk)}, conf)
	w := bufio.NewWriterSize(f, chunk)
	if err := through(w, t); err != nil {
		return err
	}
	return w.Flush()
}

// gulp reads many records with one call.
type gulp struct {
	net.Conn
	r *bufio.Reader
}

// Read implements [net.Conn].
func (g *gulp) Read(p []byte) (int, error) { return g.r.Read(p) }

// spliceUp moves from the socket to the file by splice(2) through a pipe of 1 MiB,
// woken by 256 KiB.
func spliceUp(f *os.File, c *net.TCPConn) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	if _, err := unix.FcntlInt(uintptr(pipe[0]), unix.F_SETPIPE_SZ, 1<<20); err != nil {
		return err
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	out := int(f.Fd())
	if err := raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, chunk) }); err != nil {
		return err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, err := unix.Splice(int(fd), nil, pipe[1], nil, 1<<20, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
			switch {
			case errors.Is(err, unix.EAGAIN):
				return false
			case errors.Is(err, unix.EINTR):
			case err != nil || n == 0:
				failed = err
				return true
			default:
				if failed = drain(pipe[0], out, n); failed != nil {
					return true
				}
			}
		}
	})
	return errors.Join(failed, err)
}

// drain moves what is in the pipe to the file.
func drain(pipe, out int, n int64) error {
	for n > 0 {
		m, err := unix.Splice(pipe, nil, out, nil, int(n), unix.SPLICE_F_MOVE)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		n -= max(m, 0)
	}
	return nil
}

// bareList is what a LIST needs at least: getdents64(2), a look at each entry relative
// to the directory, and a line; it goes to /dev/null.
func bareList(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	fd := int(d.Fd())
	entries, out := make([]byte, 64<<10), make([]byte, 0, 128<<10)
	for {
		n, err := unix.ReadDirent(fd, entries)
		if err != nil {
			return err
		}
		if n == 0 {
			_, err = null.Write(out)
			return err
		}
		_, _, names := unix.ParseDirent(entries[:n], -1, nil)
		for _, name := range names {
			if out, err = line(out, fd, name); err != nil {
				return err
			}
		}
		if len(out) >= 64<<10 {
			if _, err := null.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
}

// line appends that of an entry.
func line(out []byte, fd int, name string) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return out, err
	}
	out = append(out, "-rw-r--r-- 1 ftp ftp "...)
	out = strconv.AppendInt(out, st.Size, 10)
	out = append(out, ' ')
	sec, nsec := st.Mtim.Unix()
	out = time.Unix(sec, nsec).UTC().AppendFormat(out, "Jan _2 15:04 ")
	out = append(out, name...)
	return append(out, '\r', '\n'), nil
}
