//go:build linux

package client

import (
	"net"
	"time"
)

// framing follows TLS records without deciphering them (RFC 8446 §5.1).
type framing struct {
	header  [5]byte
	have    int // of the header
	left    int // of the record
	payload int64
	closed  bool // an alert went by
}

// The types of records.
const (
	typeAlert = 21
	typeData  = 23
)

// overhead is what a record of AES-GCM of TLS 1.3 has beside its payload: the type
// within, and the tag. One of TLS 1.2 has 24: the payload is counted a little high.
const overhead = 17

func (f *framing) feed(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, len(p))
			f.left -= n
			p = p[n:]
			continue
		}
		n := copy(f.header[f.have:], p)
		f.have += n
		p = p[n:]
		if f.have < len(f.header) {
			return
		}
		f.have = 0
		f.left = int(f.header[3])<<8 | int(f.header[4])
		switch {
		case f.header[0] == typeAlert, f.header[0] == typeData && f.left == 2+overhead:
			f.closed = true // an alert of TLS 1.2; what in TLS 1.3 has the length of one
		case f.header[0] == typeData:
			f.payload += int64(max(0, f.left-overhead))
		}
	}
}

// Wire is a connection below TLS that follows what comes and can gather what goes.
type Wire struct {
	net.Conn
	in  framing
	out []byte // its capacity is how much is gathered; none: nothing is
}

// Read implements [net.Conn].
func (w *Wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.in.feed(p[:n])
	return n, err
}

// Gather puts records together until there are size bytes, or [Wire.Flush].
func (w *Wire) Gather(size int) { w.out = make([]byte, 0, size) }

// Write implements [net.Conn].
func (w *Wire) Write(p []byte) (int, error) {
	if len(w.out)+len(p) > cap(w.out) {
		if err := w.Flush(); err != nil {
			return 0, err
		}
	}
	if len(p) > cap(w.out) {
		return w.Conn.Write(p)
	}
	w.out = append(w.out, p...)
	return len(p), nil
}

// Flush sends what was gathered.
func (w *Wire) Flush() error {
	if len(w.out) == 0 {
		return nil
	}
	_, err := w.Conn.Write(w.out)
	w.out = w.out[:0]
	return err
}

// SetWriteDeadline does nothing: [crypto/tls.Conn.CloseWrite] leaves one that has
// passed behind, and what was gathered would not go.
func (w *Wire) SetWriteDeadline(time.Time) error { return nil }
