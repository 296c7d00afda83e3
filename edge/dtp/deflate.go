package dtp

import (
	"compress/zlib"
	"context"
	"fmt"
	"io"
)

// Deflate is transmission mode Z (draft-preston-ftpext-deflate-04 §3): what goes
// over the data connection is one stream of RFC 1950 (zlib). Text is converted
// first and compressed then. The zero value has the defaults.
//
// An upload must be a whole stream and nothing behind it; else it fails with
// ErrDeflate. That holds for an empty file too, which is a stream of a few bytes:
// no bytes at all are what a client leaves that failed before its first one. What
// ErrDeflate leaves in the file may hold a damaged part, unless the error is
// io.ErrUnexpectedEOF as well (cut short).
type Deflate struct {
	// Level is the effort of compressing, from 1 (fast) to 9 (small); 0 is 6, and
	// what lies outside is brought to the nearer end. It does not matter to
	// uploads.
	Level int
	// MaxRatio is how many times as large as its compressed form an upload may be,
	// not counting the first MiB of the file; 0 is 200, less than 0 no limit. Real
	// files seldom reach 20; runs of one byte, such as a disk image has, reach 1032,
	// the most that the format can express. What exceeds it fails with ErrRatio.
	MaxRatio int
}

const (
	defaultLevel = 6
	defaultRatio = 200
	ratioFree    = 1 << 20 // bytes of the file before the ratio is looked at
)

func (d *Deflate) level() int {
	if d.Level == 0 {
		return defaultLevel
	}
	return min(max(d.Level, zlib.BestSpeed), zlib.BestCompression)
}

func (d *Deflate) ratio() int64 {
	if d.MaxRatio == 0 {
		return defaultRatio
	}
	return int64(d.MaxRatio)
}

// deflater compresses what it is given and writes it out by the bufferful: the
// compressor itself writes a few hundred bytes at a time.
type deflater struct {
	m    *mover
	zw   *zlib.Writer // which writes to this deflater
	buf  *[]byte
	used int
}

func newDeflater(m *mover) *deflater {
	level := m.Deflate.level()
	z, ok := m.Buffers.zip[level].Get().(*deflater)
	if !ok {
		z = new(deflater)
		z.zw, _ = zlib.NewWriterLevel(z, level) // fails for other levels only
	}
	z.m, z.buf = m, m.Buffers.get()
	z.zw.Reset(z)
	return z
}

// release keeps the compressor, which is large, for another transfer.
func (z *deflater) release() {
	buffers := z.m.Buffers
	buffers.put(z.buf)
	pool := &buffers.zip[z.m.Deflate.level()]
	z.m, z.buf, z.used = nil, nil, 0
	pool.Put(z)
}

// put compresses b.
func (z *deflater) put(b []byte) error {
	if err := context.Cause(z.m.ctx); err != nil { // it may be long before anything is written
		return err
	}
	_, err := z.zw.Write(b)
	return err
}

// end finishes the stream.
func (z *deflater) end() error {
	if err := z.zw.Close(); err != nil {
		return err
	}
	return z.flush()
}

// Write takes compressed bytes.
func (z *deflater) Write(b []byte) (n int, err error) {
	for n < len(b) {
		if z.used == len(*z.buf) {
			if err := z.flush(); err != nil {
				return n, err
			}
		}
		k := copy((*z.buf)[z.used:], b[n:])
		z.used, n = z.used+k, n+k
	}
	return n, nil
}

func (z *deflater) flush() error {
	out := (*z.buf)[:z.used]
	z.used = 0
	return z.m.write(out)
}

// expander is what zlib.NewReader returns.
type expander interface {
	io.ReadCloser
	zlib.Resetter
}

// inflater expands what the client sends.
type inflater struct {
	m       *mover
	zr      expander // kept; nil before the first use
	begun   bool     // the header was read
	buf     *[]byte
	in      []byte // of buf: taken from the client and not expanded yet
	err     error  // what comes after in
	taken   int64  // bytes taken from the client, in included
	decoded int64
}

func newInflater(m *mover) *inflater {
	z, ok := m.Buffers.unzip.Get().(*inflater)
	if !ok {
		z = new(inflater)
	}
	z.m, z.buf = m, m.Buffers.get()
	return z
}

// release keeps the expander for another transfer.
func (z *inflater) release() {
	buffers := z.m.Buffers
	buffers.put(z.buf)
	*z = inflater{zr: z.zr}
	buffers.unzip.Put(z)
}

// take expands the next piece. It returns io.EOF when the stream and the
// connection have ended as they should.
func (z *inflater) take(b []byte) (int, error) {
	if !z.begun {
		if err := z.begin(); err != nil {
			return 0, z.wrong(err)
		}
	}
	n, err := z.zr.Read(b)
	z.decoded += int64(n)
	if z.excessive() {
		return 0, fmt.Errorf("%w: %w", ErrTooLarge, ErrRatio)
	}
	switch err {
	case nil:
		return n, nil
	case io.EOF:
		return n, z.end()
	}
	return n, z.wrong(err)
}

// begin reads the stream's header.
func (z *inflater) begin() error {
	z.begun = true
	if z.zr != nil {
		return z.zr.Reset(z, nil)
	}
	zr, err := zlib.NewReader(z)
	if err == nil {
		z.zr = zr.(expander) // as NewReader promises
	}
	return err
}

// excessive reports whether the client makes much of little.
func (z *inflater) excessive() bool {
	most := z.m.Deflate.ratio()
	return most > 0 && (z.decoded-ratioFree)/most > z.taken-int64(len(z.in))
}

// end sees to it that nothing follows the stream.
func (z *inflater) end() error {
	if z.more() {
		return fmt.Errorf("%w: there are bytes behind its end", ErrDeflate)
	}
	return z.err
}

// wrong tells a damaged stream from a broken connection.
func (z *inflater) wrong(err error) error {
	if z.err != nil && z.err != io.EOF {
		return z.err
	}
	return fmt.Errorf("%w: %w", ErrDeflate, err)
}

// more takes bytes from the client if there are none left, and reports whether
// there are any. If not, err says why.
func (z *inflater) more() bool {
	for len(z.in) == 0 && z.err == nil {
		var n int
		n, z.err = z.m.take(*z.buf)
		z.in, z.taken = (*z.buf)[:n], z.taken+int64(n)
	}
	return len(z.in) > 0
}

// Read hands compressed bytes to the expander.
func (z *inflater) Read(b []byte) (int, error) {
	if !z.more() {
		return 0, z.err
	}
	n := copy(b, z.in)
	z.in = z.in[n:]
	return n, nil
}

// ReadByte makes the expander take no more than it needs.
func (z *inflater) ReadByte() (byte, error) {
	if !z.more() {
		return 0, z.err
	}
	c := z.in[0]
	z.in = z.in[1:]
	return c, nil
}
