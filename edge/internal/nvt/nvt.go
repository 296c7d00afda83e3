// Package nvt converts between the server's text files and NVT-ASCII, the
// representation that TYPE A puts on a data connection (RFC 959 §3.1.1.1): every
// line ends in CR LF on the wire and in LF alone in a file.
//
// The converters are streaming and exact: whatever way the bytes are cut into
// pieces, the result is the same. They hold one bit of state and no buffer, so a
// transfer may keep them by value.
package nvt

import "bytes"

// Encoder turns file text into NVT-ASCII (RFC 959 §3.1.1.1): an LF becomes CR LF
// unless a CR stands before it already. The zero value is at the start of a
// stream. An Encoder belongs to one goroutine.
type Encoder struct {
	cr bool // the last byte of the stream so far is a CR
}

// Append appends the encoded form of src to dst and returns it. The result is at
// most twice as long as src. The two slices must not overlap. An Encoder holds
// nothing back, so the end of a stream needs no call.
func (e *Encoder) Append(dst, src []byte) []byte {
	for len(src) > 0 {
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			e.cr = src[len(src)-1] == '\r'
			return append(dst, src...)
		}
		cr := e.cr
		if i > 0 {
			cr = src[i-1] == '\r'
		}
		dst = append(dst, src[:i]...)
		if !cr {
			dst = append(dst, '\r')
		}
		dst = append(dst, '\n')
		e.cr = false
		src = src[i+1:]
	}
	return dst
}

// Decoder turns NVT-ASCII into file text (RFC 959 §3.1.1.1): CR LF becomes LF.
// A CR before anything else is kept, so that a file which is not text after all
// loses no more than it must. The zero value is at the start of a stream. A
// Decoder belongs to one goroutine.
type Decoder struct {
	cr bool // a CR was read whose successor decides what becomes of it
}

// Append appends the decoded form of src to dst and returns it. The result is at
// most one byte longer than src, because a CR at the end of the piece before is
// held back until its successor is known. The two slices must not overlap. After
// the last piece, call Flush.
func (d *Decoder) Append(dst, src []byte) []byte {
	if len(src) == 0 {
		return dst
	}
	if d.cr && src[0] != '\n' {
		dst = append(dst, '\r')
	}
	d.cr = false
	for {
		i := bytes.IndexByte(src, '\r')
		if i < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:i]...)
		src = src[i+1:]
		if len(src) == 0 {
			d.cr = true
			return dst
		}
		if src[0] != '\n' {
			dst = append(dst, '\r')
		}
	}
}

// Flush ends the stream: a CR that was its very last byte is appended to dst.
// The Decoder is then at the start of a new stream.
func (d *Decoder) Flush(dst []byte) []byte {
	if d.cr {
		d.cr = false
		dst = append(dst, '\r')
	}
	return dst
}
