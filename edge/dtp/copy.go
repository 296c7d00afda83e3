package dtp

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/edgeftp/edgeftp/edge/internal/nvt"
)

// sendBuffered reads, converts, compresses and writes.
func (m *mover) sendBuffered() (int64, error) {
	if m.Deflate == nil {
		return m.pump(m.slice, m.write)
	}
	z := newDeflater(m)
	defer z.release()
	n, err := m.pump(m.Buffers.Size, z.put)
	if err != nil {
		return n, err
	}
	return n, z.end()
}

// pump reads the file in pieces of at most size bytes and puts them out, converted.
func (m *mover) pump(size func() int, put func([]byte) error) (total int64, err error) {
	l := m.Buffers.lend(m.ASCII)
	defer l.end()
	var enc nvt.Encoder
	for {
		l.grow(total)
		room := len(l.buf)
		if m.ASCII {
			room /= 2 // every byte may become two
		}
		n, err := m.Send.Read(l.buf[:min(room, size())])
		out := l.buf[:n]
		if m.ASCII {
			out = enc.Append(l.text[:0], out)
		}
		if perr := put(out); perr != nil {
			return total, perr
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

// receiveBuffered reads, expands, converts and writes.
func (m *mover) receiveBuffered() (int64, error) {
	if m.Deflate == nil {
		return m.fetch(m.take)
	}
	z := newInflater(m)
	defer z.release()
	return m.fetch(z.take)
}

// fetch takes pieces until their end, io.EOF, and writes them to the file.
func (m *mover) fetch(take func([]byte) (int, error)) (total int64, err error) {
	l := m.Buffers.lend(m.ASCII)
	defer l.end()
	var dec nvt.Decoder
	for err == nil {
		if l.grow(total) && m.sealed != nil {
			m.sealed.gulp()
		}
		room := len(l.buf)
		if m.ASCII {
			room -= 2 // a CR that was held back, before the piece and behind it
		}
		var n int
		n, err = take(l.buf[:room])
		in := l.buf[:n]
		if m.ASCII {
			if in = dec.Append(l.text[:0], in); err == io.EOF {
				in = dec.Flush(in)
			}
		}
		if m.MaxBytes > 0 && total+int64(len(in)) > m.MaxBytes {
			return total, ErrTooLarge
		}
		if len(in) == 0 {
			continue
		}
		written, werr := m.Receive.Write(in)
		if total += int64(written); werr != nil {
			return total, werr
		}
	}
	if err != io.EOF {
		return total, err
	}
	return total, m.pay()
}

// take reads what the client sends: a buffer or a slice full, so that the file is
// written in large pieces, or less before the end. The throttle has its time for a
// piece before the next is taken.
func (m *mover) take(b []byte) (n int, err error) {
	if err := m.pay(); err != nil {
		return 0, err
	}
	b = b[:min(len(b), m.slice())]
	for n < len(b) && err == nil {
		var k int
		k, err = m.read(b[n:])
		n += k
		m.Progress.Add(int64(k))
	}
	m.owed = int64(n)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, netError(broken(err))
}

// read reads what there is, within the stall time. A protected connection minds that,
// and the least rate, by itself.
func (m *mover) read(b []byte) (n int, err error) {
	if m.sealed != nil {
		return m.conn.Read(b)
	}
	for began := time.Now(); ; {
		if end := m.pulse.until(m.Stall); !end.IsZero() {
			_ = m.conn.SetReadDeadline(end)
		}
		m.pulse.begin()
		n, err = m.conn.Read(b)
		slow := m.pulse.end(int64(n))
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if slow != nil && (late || err == nil) {
			return n, slow
		}
		if !late || n > 0 || m.Stall > 0 && time.Since(began) >= m.Stall {
			return n, err
		}
	}
}
