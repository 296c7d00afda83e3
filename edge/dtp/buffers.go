package dtp

import "sync"

// The sizes of buffers, in bytes.
const (
	bufferSize = 256 << 10 // the default: 16 TLS records
	leastSize  = 4 << 10
	mostSize   = 4 << 20
)

// Buffers lends the buffers, and the compressors of MODE Z, to transfers that the
// kernel cannot do by itself. Each such transfer holds one buffer while it runs, a
// small one at first; one that converts line ends or compresses holds one more for
// each, and so does an upload over TLS. Of a buffer larger than 48 KiB is used what goes
// out in whole pieces of 48 KiB, so of 256 KiB it is 240. The zero value lends buffers of
// 256 KiB. It is safe for concurrent use and must not be copied.
type Buffers struct {
	size  int // 0 is bufferSize
	pool  sync.Pool
	small sync.Pool     // of gatherSize
	zip   [10]sync.Pool // of *deflater, by level
	unzip sync.Pool     // of *inflater
}

// NewBuffers returns Buffers of size bytes each; 0 or less is the default of 256
// KiB, and what lies outside of 4 KiB to 4 MiB is brought to the nearer of the
// two. (The model's ac_in_buffer_size and ac_out_buffer_size: one NewBuffers for
// each direction. Its auto_sized_buffers needs no setting: no piece is larger than
// what the limiter's slice allows.)
func NewBuffers(size int) *Buffers {
	if size <= 0 {
		size = bufferSize
	}
	return &Buffers{size: min(max(size, leastSize), mostSize)}
}

// Size returns the size of each buffer in bytes.
func (b *Buffers) Size() int {
	if b.size == 0 {
		return bufferSize
	}
	return b.size
}

func (b *Buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	s := make([]byte, b.Size())
	return &s
}

func (b *Buffers) put(p *[]byte) { b.pool.Put(p) }

// getSmall lends a buffer for a short file, or for the records of one piece.
func (b *Buffers) getSmall() *[]byte {
	if p, ok := b.small.Get().(*[]byte); ok {
		return p
	}
	s := make([]byte, min(gatherSize, b.Size()))
	return &s
}

func (b *Buffers) putSmall(p *[]byte) { b.small.Put(p) }

// loan is what one transfer has of Buffers: small ones until it is known that the file
// is not, because most files are, and their transfers are many.
type loan struct {
	from      *Buffers
	buf, text []byte // text is nil where line ends are not converted
	whole     bool
	a, b      *[]byte // whose they are
}

func (b *Buffers) lend(text bool) loan {
	l := loan{from: b, a: b.getSmall()}
	l.buf = even(*l.a, text)
	if text {
		l.b = b.getSmall()
		l.text = *l.b
	}
	return l
}

// grow takes whole buffers instead, once a small one has been full. It reports that
// it did.
func (l *loan) grow(moved int64) bool {
	if l.whole || moved < int64(len(l.buf)) {
		return false
	}
	text := l.b != nil
	l.end()
	l.whole, l.a = true, l.from.get()
	l.buf = even(*l.a, text)
	if text {
		l.b = l.from.get()
		l.text = *l.b
	}
	return true
}

// even is as much of b as goes out in full pieces; of text nobody knows.
func even(b []byte, text bool) []byte {
	if text || len(b) < pieceSize {
		return b
	}
	return b[:len(b)-len(b)%pieceSize]
}

// end gives them back.
func (l *loan) end() {
	put := l.from.putSmall
	if l.whole {
		put = l.from.put
	}
	put(l.a)
	if l.b != nil {
		put(l.b)
	}
	l.a, l.b, l.buf, l.text = nil, nil, nil, nil
}
