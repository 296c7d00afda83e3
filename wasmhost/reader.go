package wasmhost

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// errTruncated is what every read past the end of a module's bytes gives.
var errTruncated = errors.New("ends too early")

// reader reads the WebAssembly binary format (core specification §5) from bytes
// that nobody has vetted. The first error sticks: every later read gives zero.
type reader struct {
	b   []byte
	off int
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: %w", r.off, err)
	}
}

func (r *reader) done() bool { return r.err != nil || r.off >= len(r.b) }

func (r *reader) byte() byte {
	if r.err != nil || r.off >= len(r.b) {
		r.fail(errTruncated)
		return 0
	}
	c := r.b[r.off]
	r.off++
	return c
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if v > 0xffffffff {
				r.fail(errors.New("number above 32 bits"))
				return 0
			}
			return uint32(v)
		}
	}
	r.fail(errors.New("number of more than 5 bytes"))
	return 0
}

// count reads the length of a vector and refuses one above limit, so that
// nothing is allocated on the word of the module.
func (r *reader) count(what string, limit int) int {
	n := r.u32()
	if r.err == nil && int64(n) > int64(limit) {
		r.fail(fmt.Errorf("%d %s, at most %d are accepted", n, what, limit))
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// take returns the next n bytes without copying them.
func (r *reader) take(n uint32) []byte {
	if r.err != nil || uint64(n) > uint64(len(r.b)-r.off) {
		r.fail(errTruncated)
		return nil
	}
	b := r.b[r.off : r.off+int(n)]
	r.off += int(n)
	return b
}

// name reads a UTF-8 name.
func (r *reader) name() string {
	b := r.take(r.u32())
	if !utf8.Valid(b) {
		r.fail(errors.New("name is not UTF-8"))
		return ""
	}
	return string(b)
}

// limits are the size bounds of a table or a memory.
type limits struct {
	flags    byte
	min, max uint32
	hasMax   bool
}

func (r *reader) limits() limits {
	l := limits{flags: r.byte()}
	if r.err == nil && l.flags > 1 {
		r.fail(fmt.Errorf("limits of kind %d (shared and 64-bit ones are not accepted)", l.flags))
	}
	l.min = r.u32()
	if l.flags == 1 {
		l.hasMax, l.max = true, r.u32()
	}
	return l
}

// appendU32 appends v as unsigned LEB128.
func appendU32(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}
