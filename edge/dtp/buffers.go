package dtp

import "sync"

// The sizes of buffers, in bytes.
const (
	bufferSize = 256 << 10 // the default: 16 TLS records
	leastSize  = 4 << 10
	mostSize   = 4 << 20
)

// Buffers lends the buffers, and the compressors of MODE Z, to transfers that the
// kernel cannot do by itself. Each such transfer holds one buffer while it runs;
// one that converts line ends or compresses holds one more for each. The zero
// value lends buffers of 256 KiB. It is safe for concurrent use and must not be
// copied.
type Buffers struct {
	size  int // 0 is bufferSize
	pool  sync.Pool
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
