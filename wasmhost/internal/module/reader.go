package module

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrTruncated is what every read past the end of a module's bytes gives.
var ErrTruncated = errors.New("ends too early")

// reader reads the binary format from bytes that nobody has vetted. The first
// error sticks: every later read gives zero.
type reader struct {
	b    []byte
	off  int
	base int // added to off in errors
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: %w", r.base+r.off, err)
	}
}

func (r *reader) failf(format string, args ...any) {
	if r.err == nil {
		r.fail(fmt.Errorf(format, args...))
	}
}

func (r *reader) done() bool { return r.err != nil || r.off >= len(r.b) }

func (r *reader) byte() byte {
	if r.err != nil || r.off >= len(r.b) {
		r.fail(ErrTruncated)
		return 0
	}
	c := r.b[r.off]
	r.off++
	return c
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	if r.err == nil && r.off < len(r.b) && r.b[r.off] < 0x80 { // most numbers
		r.off++
		return uint32(r.b[r.off-1])
	}
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

// signed reads a signed LEB128 number of at most bits bits.
func (r *reader) signed(bits int) int64 {
	var v int64
	for shift := 0; shift < bits; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c&0x80 != 0 {
			continue
		}
		if rest := 64 - shift - 7; rest > 0 {
			v = v << rest >> rest
		}
		if shift+7 > bits && !fits(c, bits-shift) {
			r.failf("number above %d bits", bits)
		}
		return v
	}
	r.failf("number of more than %d bytes", (bits+6)/7)
	return 0
}

// fits reports whether the bits of a number's last byte above the first n are
// all like its sign.
func fits(c byte, n int) bool {
	top := int8(c<<1) >> n // the sign and what lies above it, n of 7 bits used
	return top == 0 || top == -1
}

// count reads the length of a vector and refuses one above limit, so that
// nothing is allocated on the word of the module.
func (r *reader) count(what string, limit int) int {
	n := r.u32()
	if r.err == nil && int64(n) > int64(limit) {
		r.failf("%d %s, at most %d are accepted", n, what, limit)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// room returns how many items of at least size bytes the rest can hold, at most n.
func (r *reader) room(n, size int) int { return min(n, (len(r.b)-r.off)/size) }

// take returns the next n bytes without copying them.
func (r *reader) take(n uint32) []byte {
	if r.err != nil || uint64(n) > uint64(len(r.b)-r.off) {
		r.fail(ErrTruncated)
		return nil
	}
	b := r.b[r.off : r.off+int(n) : r.off+int(n)]
	r.off += int(n)
	return b
}

// sub returns a reader of the next n bytes, with the errors of r.
func (r *reader) sub(n uint32) *reader {
	base := r.base + r.off
	return &reader{b: r.take(n), base: base, err: r.err}
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

func (r *reader) limits() Limits {
	flags := r.byte()
	if r.err == nil && flags > 1 {
		r.failf("limits of kind %d (shared and 64-bit ones are not accepted)", flags)
	}
	l := Limits{Min: r.u32()}
	if flags == 1 {
		l.HasMax, l.Max = true, r.u32()
	}
	return l
}

// valueType reads a value type, a reference type if ref.
func (r *reader) valueType(ref bool) ValueType {
	c := r.byte()
	if r.err == nil && (TypeName(c) == "" || ref && !IsRef(c)) {
		r.off--
		r.failf("value type 0x%02x%s", c, typeProposal(c))
	}
	return c
}

// typeProposal names where a byte that is no value type comes from.
func typeProposal(c byte) string {
	switch {
	case c == 0x69 || c == 0x74:
		return unsupported("exceptions")
	case c >= 0x63 && c <= 0x64:
		return unsupported("typed function references")
	case c >= 0x65 && c <= 0x73:
		return unsupported("garbage collection")
	}
	return ""
}

// AppendU32 appends v as unsigned LEB128.
func AppendU32(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// AppendS64 appends v as signed LEB128, as i32.const and i64.const have it.
func AppendS64(dst []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(dst, c)
		}
		dst = append(dst, c|0x80)
	}
}

// U32 reads an unsigned LEB128 number at the start of b, which a [Module] vouches
// for, and returns it with its length.
func U32(b []byte) (v uint32, n int) {
	for n < len(b) {
		c := b[n]
		v |= uint32(c&0x7f) << (7 * n)
		n++
		if c < 0x80 {
			break
		}
	}
	return v, n
}
