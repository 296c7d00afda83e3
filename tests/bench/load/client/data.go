//go:build linux

package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// dropped is how much the kernel drops at once.
const dropped = 4 << 20

// Drop counts what comes until the end and lets the kernel drop it (MSG_TRUNC of
// tcp(7)), so that a download costs no copy to the client. With bulk the client is
// woken when 256 KiB are there.
func (k *Kit) Drop(d *net.TCPConn, bulk bool) (int64, error) {
	raw, err := d.SyscallConn()
	if err != nil {
		return 0, err
	}
	if bulk {
		if err := raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, 256<<10) }); err != nil {
			return 0, err
		}
	}
	var total int64
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, _, err := unix.Recvfrom(int(fd), k.drop, unix.MSG_TRUNC|unix.MSG_DONTWAIT)
			switch {
			case errors.Is(err, unix.EAGAIN):
				return false
			case errors.Is(err, unix.EINTR):
			case err != nil:
				failed = err
				return true
			case n == 0:
				return true
			default:
				total += int64(n)
			}
		}
	})
	return total, errors.Join(failed, err)
}

// SendFile sends size bytes of a file's beginning by sendfile(2).
func SendFile(d *net.TCPConn, src *os.File, size int64) error {
	raw, err := d.SyscallConn()
	if err != nil {
		return err
	}
	var off int64
	in := int(src.Fd())
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for off < size {
			n, err := unix.Sendfile(int(fd), in, &off, int(min(size-off, 4<<20)))
			switch {
			case errors.Is(err, unix.EAGAIN):
				return false
			case errors.Is(err, unix.EINTR):
			case err != nil:
				failed = err
				return true
			case n == 0:
				failed = io.ErrUnexpectedEOF
				return true
			}
		}
		return true
	})
	return errors.Join(failed, err)
}

// Retrieve downloads and returns the bytes that came; over TLS about as many.
func (c *Conn) Retrieve(line string, bulk bool) (int64, error) {
	d, err := c.Open(line)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	var n int64
	if c.tls == nil {
		n, err = c.kit.Drop(d, bulk)
	} else {
		n, err = c.kit.Follow(d, c.tls)
	}
	if err != nil {
		return n, fmt.Errorf("%s: %w", line, err)
	}
	d.Close()
	return n, c.Done()
}

// Source is what is uploaded: the beginning of a file or, without one, bytes.
type Source struct {
	File  *os.File
	Size  int64 // of the file's beginning
	Bytes []byte
}

// Store uploads.
func (c *Conn) Store(line string, src Source) error {
	d, err := c.Open(line)
	if err != nil {
		return err
	}
	defer d.Close()
	if c.tls == nil {
		err = src.plain(d)
	} else {
		err = c.kit.sealed(d, c.tls, src)
	}
	if err == nil {
		err = d.CloseWrite()
	}
	if err == nil {
		err = c.Done()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return nil
}

func (s Source) plain(d *net.TCPConn) error {
	if s.File != nil {
		return SendFile(d, s.File, s.Size)
	}
	_, err := d.Write(s.Bytes)
	return err
}

// sealed uploads over TLS: of a file as many bytes of the pattern, which is what the
// file holds.
func (k *Kit) sealed(d *net.TCPConn, conf *tls.Config, src Source) error {
	t, w, err := Handshake(d, conf)
	if err != nil {
		return err
	}
	if src.File == nil {
		if _, err := t.Write(src.Bytes); err != nil {
			return err
		}
		return t.CloseWrite()
	}
	return k.Pour(t, w, src.Size)
}

// Pour sends size bytes of the pattern over TLS in gathered records, and the end.
func (k *Kit) Pour(t *tls.Conn, w *Wire, size int64) error {
	w.Gather(256 << 10)
	for left := size; left > 0; {
		n, err := t.Write(k.pattern[:min(left, int64(len(k.pattern)))])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	if err := t.CloseWrite(); err != nil {
		return err
	}
	return w.Flush()
}

// Handshake begins TLS on a data connection.
func Handshake(d *net.TCPConn, conf *tls.Config) (*tls.Conn, *Wire, error) {
	w := &Wire{Conn: d}
	t := tls.Client(w, conf)
	_ = d.SetDeadline(time.Now().Add(Patience))
	if err := t.Handshake(); err != nil {
		return nil, nil, fmt.Errorf("TLS of the data connection: %w", err)
	}
	return t, w, d.SetDeadline(time.Time{})
}

// Follow begins TLS and then follows the records without deciphering them, until one
// that closes or the end. It returns how much they carry.
func (k *Kit) Follow(d *net.TCPConn, conf *tls.Config) (int64, error) {
	t, w, err := Handshake(d, conf)
	if err != nil {
		return 0, err
	}
	b := k.pool.Get().(*[]byte)
	defer k.pool.Put(b)
	start := w.in.payload
	for !w.in.closed {
		_ = d.SetReadDeadline(time.Now().Add(Patience))
		n, err := d.Read(*b)
		w.in.feed((*b)[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return w.in.payload - start, err
		}
	}
	_ = t.CloseWrite() // the server may have gone
	return w.in.payload - start, nil
}
