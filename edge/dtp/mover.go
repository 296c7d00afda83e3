package dtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/nvt"
)

// mover is one transfer at work. All of it runs in one goroutine; ending ctx
// closes the connection underneath it.
type mover struct {
	*Transfer
	ctx    context.Context
	conn   net.Conn  // what bytes are read from and written to
	sealed *sealed   // conn, if protected
	last   time.Time // when a direct transfer last moved a byte
}

// direct reports whether the kernel may move the bytes by itself.
func (m *mover) direct() bool {
	_, tcp := m.conn.(*net.TCPConn)
	return tcp && !m.ASCII
}

// send moves from the file to the client.
func (m *mover) send() (int64, error) {
	if _, ok := m.Send.(*os.File); ok && m.direct() {
		return m.sendDirect(m.conn.(*net.TCPConn))
	}
	return m.sendBuffered()
}

// sendDirect hands pieces of the file to the socket: the runtime finds the two
// ends bare and uses sendfile(2).
func (m *mover) sendDirect(conn *net.TCPConn) (total int64, err error) {
	file := m.Send.(*os.File)
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	m.last = time.Now()
	for {
		piece := &io.LimitedReader{R: file, N: int64(m.Limiter.Slice())}
		want := piece.N
		_ = conn.SetWriteDeadline(m.soon())
		n, err := conn.ReadFrom(piece)
		total += n
		slow, err := m.look(n, err)
		if err != nil || n < want && !slow {
			return total, err
		}
		if slow {
			// Where the kernel cannot do it, the runtime reads ahead of what it
			// has written.
			if _, err := file.Seek(start+total, io.SeekStart); err != nil {
				return total, err
			}
		}
		if n > 0 {
			if err := m.rest(n); err != nil {
				return total, err
			}
		}
	}
}

// glance is how long the kernel moves bytes by itself before the count is
// brought up to date: STAT is never further behind.
const glance = 250 * time.Millisecond

// look counts what a piece has moved. A piece that the glance has ended is slow,
// which is no error until nothing has moved for the stall time.
func (m *mover) look(n int64, err error) (slow bool, _ error) {
	m.Progress.bytes.Add(n)
	if n > 0 {
		m.last = time.Now()
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false, netError(err)
	}
	if m.Stall > 0 && time.Since(m.last) >= m.Stall {
		return true, ErrStalled
	}
	return true, nil
}

// soon is when the next glance is due, or the stall limit if that comes first.
func (m *mover) soon() time.Time {
	next := glance
	if m.Stall > 0 {
		next = min(next, m.Stall)
	}
	return time.Now().Add(next)
}

// rest lets the throttle have its time, which is not the client's fault.
func (m *mover) rest(n int64) error {
	err := m.Limiter.Wait(m.ctx, int(n))
	m.last = time.Now()
	return err
}

// sendBuffered reads, converts and writes.
func (m *mover) sendBuffered() (total int64, err error) {
	buf := m.Buffers.get()
	defer m.Buffers.put(buf)
	var enc nvt.Encoder
	var text []byte
	for {
		n, err := m.Send.Read((*buf)[:min(len(*buf), m.Limiter.Slice())])
		out := (*buf)[:n]
		if m.ASCII {
			text = enc.Append(text[:0], out)
			out = text
		}
		if werr := m.write(out); werr != nil {
			return total, werr
		}
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// write sends b, allowing each record of it the stall time.
func (m *mover) write(b []byte) error {
	const record = 16 << 10
	for len(b) > 0 {
		part := b[:min(len(b), m.step(record))]
		m.extend(m.conn.SetWriteDeadline)
		n, err := m.conn.Write(part)
		m.Progress.bytes.Add(int64(n))
		slow := n > 0 && m.sealed == nil && errors.Is(err, os.ErrDeadlineExceeded) // but moving
		if err != nil && !slow {
			return netError(broken(err))
		}
		if err := m.Limiter.Wait(m.ctx, n); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// step is how much is written at once: as much as there is, unless the client
// must be seen to read within the stall time.
func (m *mover) step(record int) int {
	if m.Stall > 0 {
		return 4 * record
	}
	return bufferSize
}

// receive moves from the client to the file.
func (m *mover) receive() (int64, error) {
	if to, ok := m.Receive.(io.ReaderFrom); ok && m.direct() {
		return m.receiveDirect(m.conn.(*net.TCPConn), to)
	}
	return m.receiveBuffered()
}

// receiveDirect hands pieces of the socket to the file: the runtime finds the
// two ends bare and uses splice(2).
func (m *mover) receiveDirect(conn *net.TCPConn, to io.ReaderFrom) (total int64, err error) {
	m.last = time.Now()
	for {
		piece := &io.LimitedReader{R: conn, N: int64(m.Limiter.Slice())}
		if m.MaxBytes > 0 {
			piece.N = min(piece.N, m.MaxBytes-total+1)
		}
		want := piece.N
		_ = conn.SetReadDeadline(m.soon())
		n, err := to.ReadFrom(piece)
		total += n
		slow, err := m.look(n, err)
		if m.MaxBytes > 0 && total > m.MaxBytes {
			return total, ErrTooLarge
		}
		if err != nil || n < want && !slow {
			return total, err
		}
		if n > 0 {
			if err := m.rest(n); err != nil {
				return total, err
			}
		}
	}
}

// receiveBuffered reads, converts and writes.
func (m *mover) receiveBuffered() (total int64, err error) {
	buf := m.Buffers.get()
	defer m.Buffers.put(buf)
	var dec nvt.Decoder
	var text []byte
	for {
		n, err := m.fill((*buf)[:min(len(*buf), m.Limiter.Slice())])
		in := (*buf)[:n]
		if m.ASCII {
			if text = dec.Append(text[:0], in); err == io.EOF {
				text = dec.Flush(text)
			}
			in = text
		}
		if m.MaxBytes > 0 && total+int64(len(in)) > m.MaxBytes {
			return total, ErrTooLarge
		}
		written, werr := m.Receive.Write(in)
		if total += int64(written); werr != nil {
			return total, werr
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, netError(broken(err))
		}
		if err := m.Limiter.Wait(m.ctx, n); err != nil {
			return total, err
		}
	}
}

// fill reads until the buffer is full or something ends it, so that the file is
// written in large pieces.
func (m *mover) fill(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		m.extend(m.conn.SetReadDeadline)
		k, err = m.conn.Read(b[n:])
		n += k
		m.Progress.bytes.Add(int64(k))
	}
	return n, err
}

// extend allows the next piece the stall time.
func (m *mover) extend(set func(time.Time) error) {
	if m.Stall > 0 {
		_ = set(time.Now().Add(m.Stall))
	}
}

// farewell announces the end of a protected connection (RFC 8446 §6.1). The
// client's own end is not waited for after a download: it has nothing to say that
// counts, and some send it only after the reply.
func (m *mover) farewell() error {
	m.extend(m.conn.SetWriteDeadline)
	if err := m.sealed.CloseWrite(); err != nil {
		return netError(broken(err))
	}
	return nil
}

// broken marks an error that can only come from the connection.
func broken(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ErrTruncated) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}
