package dtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"time"
)

// mover is one transfer at work. All of it runs in one goroutine; ending ctx
// closes the connection underneath it.
type mover struct {
	*Transfer
	ctx    context.Context
	conn   net.Conn     // what bytes are read from and written to
	tcp    bool         // conn is a *net.TCPConn, which goes on after a deadline
	wire   *net.TCPConn // below TLS; nil if it is something else
	bare   bareConn     // conn, if the kernel may move its bytes by itself
	sealed *sealed      // conn, if protected
	pulse  pulse        // of the client, whoever waits for it: mover, or finConn below TLS
	spread Spreader     // the Limiter, if the kernel can pace what is sent
	rate   int64        // bytes per second at which it does; 0 is as fast as it can
	last   time.Time    // when a byte moved last, or nothing was due to
	owed   int64        // bytes taken from the client that the throttle was not told of
	most   int          // see piece
	asked  bool         // likewise
	armed  time.Time    // the deadline that is set is good until then, see arm
}

// bareConn is a *net.TCPConn that nothing stands before, or what stands for one.
type bareConn interface {
	io.ReaderFrom
	SetWriteDeadline(time.Time) error
}

// bare returns a connection as one whose bytes the kernel moves, nil if it cannot.
func bare(conn net.Conn, send bool) bareConn {
	switch c := conn.(type) {
	case *net.TCPConn:
		return c
	case FileTaker:
		if send && c.TakesFiles() {
			return c
		}
	}
	return nil
}

// send moves from the file to the client. What the kernel cannot do by itself is
// copied, as long as no byte of it is on its way.
func (m *mover) send() (int64, error) {
	file, most, exact := plainFile(m.Send)
	if file == nil || m.bare == nil {
		return m.sendBuffered()
	}
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil { // a pipe, for one
		return m.sendBuffered()
	}
	n, err := m.sendDirect(file, start, most)
	if err == nil && exact && n < most {
		err = ErrShort
	}
	if n > 0 || !m.unable(err) {
		return n, err
	}
	if _, err := file.Seek(start, io.SeekStart); err != nil {
		return 0, err
	}
	return m.sendBuffered()
}

// plainFile returns the file that r is, or is the beginning of, how much of it is to be
// read, and whether it must not be less; nil if r is something else.
func plainFile(r io.Reader) (file *os.File, most int64, exact bool) {
	most = math.MaxInt64
	switch part := r.(type) {
	case *io.LimitedReader:
		r, most = part.R, part.N
	case *Exact:
		r, most, exact = part.R, part.N, true
	}
	file, _ = r.(*os.File)
	return file, most, exact
}

// unable reports whether a direct transfer failed for a reason that a copy may not
// meet: one of the file or the kernel, not of the connection.
func (m *mover) unable(err error) bool {
	return err != nil && m.ctx.Err() == nil && !errors.Is(err, ErrBroken) && !errors.Is(err, ErrStalled)
}

// sendDirect hands pieces of the file to the socket: the runtime finds the two
// ends bare and uses sendfile(2).
func (m *mover) sendDirect(file *os.File, start, most int64) (total int64, err error) {
	if m.Limiter == nil { // whose pieces go when they are due
		gather(m.conn)
	}
	piece := &io.LimitedReader{R: file}
	for total < most {
		want := min(int64(m.piece()), most-total)
		piece.N = want
		m.pulse.begin()
		n, err := m.offer(file, want), error(nil)
		if piece.N -= n; piece.N > 0 {
			m.arm(m.bare.SetWriteDeadline)
			var more int64
			more, err = m.bare.ReadFrom(piece)
			n += more
		}
		total += n
		slow, err := m.look(n, err)
		if err != nil {
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
			if err := m.wait(n); err != nil {
				return total, err
			}
		}
		if n < want && !slow {
			break
		}
	}
	return total, nil
}

// glance is how long bytes move before the count is brought up to date: STAT is
// never further behind.
const glance = 250 * time.Millisecond

// alive notes that the client is not to blame for the time that has passed.
func (m *mover) alive() { m.last = time.Now() }

// look counts what a piece has moved. A piece that the glance has ended is slow,
// which is no error until nothing has moved for the stall time, or too little for the
// least rate.
func (m *mover) look(n int64, err error) (slow bool, _ error) {
	m.Progress.Add(n)
	if n > 0 {
		m.alive()
	}
	slowly := m.pulse.end(n)
	if slowly != nil && (err == nil || errors.Is(err, os.ErrDeadlineExceeded)) {
		return true, slowly
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false, netError(err)
	}
	m.armed = time.Time{}
	if m.Stall > 0 && time.Since(m.last) >= m.Stall {
		return true, ErrStalled
	}
	return true, nil
}

// soon is when the next glance is due, or the stall limit if that comes first. A
// connection of some other kind may not survive a deadline, and has the whole time.
func (m *mover) soon() time.Time {
	switch {
	case !m.tcp:
		return m.pulse.until(m.Stall)
	case m.Stall > 0:
		return time.Now().Add(min(glance, time.Until(m.last.Add(m.Stall))))
	}
	return time.Now().Add(glance)
}

// arm sees to it that a glance is due soon. Where a piece takes some microseconds the
// deadline is not set for each, but when half of its time is over: that is a
// fifteenth of what small pieces cost.
func (m *mover) arm(set func(time.Time) error) {
	if m.tcp && m.last.Before(m.armed) {
		return
	}
	_ = set(m.soon())
	m.armed = m.last.Add(glance / 2)
	if m.Stall > 0 {
		m.armed = m.last.Add(min(glance, m.Stall) / 2)
	}
}

// write sends b in pieces of the throttle's slice, so that the records of TLS are
// as small.
func (m *mover) write(b []byte) error {
	m.alive() // the file may have taken its time
	for len(b) > 0 {
		n, err := m.put(b[:min(len(b), pieceSize, m.slice())])
		if err != nil {
			return err
		}
		if n > 0 {
			if err := m.wait(int64(n)); err != nil {
				return err
			}
		}
		b = b[n:]
	}
	return nil
}

// put writes as much of b as goes before the next glance. A protected connection
// takes all of it and minds the stall time by itself.
func (m *mover) put(b []byte) (int, error) {
	if m.sealed == nil {
		m.arm(m.conn.SetWriteDeadline)
		m.pulse.begin()
		n, err := m.conn.Write(b)
		_, err = m.look(int64(n), broken(err))
		return n, err
	}
	n, err := m.sealed.send(b)
	m.Progress.Add(int64(n))
	return n, netError(broken(err))
}

// receive moves from the client to the file.
func (m *mover) receive() (int64, error) {
	if to, ok := m.Receive.(io.ReaderFrom); ok && m.bare != nil {
		return m.receiveDirect(to)
	}
	return m.receiveBuffered()
}

// receiveDirect hands pieces of the socket to the file: the runtime finds the
// two ends bare and uses splice(2).
func (m *mover) receiveDirect(to io.ReaderFrom) (total int64, err error) {
	piece := &io.LimitedReader{R: m.conn}
	for {
		want := int64(m.slice())
		if m.MaxBytes > 0 {
			want = min(want, m.MaxBytes-total+1)
		}
		piece.N = want
		m.arm(m.conn.SetReadDeadline)
		m.pulse.begin()
		n, err := to.ReadFrom(piece)
		total += n
		slow, err := m.look(n, err)
		if m.MaxBytes > 0 && total > m.MaxBytes {
			return total, ErrTooLarge
		}
		if err != nil {
			return total, err
		}
		if n > 0 {
			if err := m.wait(n); err != nil {
				return total, err
			}
		}
		if n < want && !slow {
			return total, nil
		}
	}
}

// farewell announces the end of a protected connection (RFC 8446 §6.1). The
// client's own end is not waited for after a download: it has nothing to say that
// counts, and some send it only after the reply.
func (m *mover) farewell() error {
	if err := m.sealed.CloseWrite(); err != nil {
		return netError(broken(err))
	}
	return nil
}

// broken marks an error that can only come from the connection.
func broken(err error) error {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ErrTruncated) || errors.Is(err, ErrSlow) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}
