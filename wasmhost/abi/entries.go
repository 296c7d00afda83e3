package abi

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// entries builds one reply at the end of buf.
type entries struct {
	buf  []byte
	base int
	v    Verdict
	err  error
}

func (e *entries) verdict(h Hook, a policy.Verdict, final bool, code int) {
	e.v = Verdict{Action: a, Final: final, Code: code}
	if err := e.v.CheckFor(h); err != nil {
		e.fail("%s", err)
	}
}

func (e *entries) fail(format string, args ...any) {
	if e.err == nil {
		e.err = wrong(ErrEncode, format, args...)
	}
}

// keep takes an error that is of this package already.
func (e *entries) keep(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *entries) string(k Key, s string) {
	if s == "" {
		return
	}
	if err := checkString(ErrEncode, k, s); err != nil {
		e.keep(err)
		return
	}
	e.bytes(k, s)
}

func (e *entries) bytes(k Key, s string) {
	e.buf = binary.LittleEndian.AppendUint32(e.buf, uint32(k)|uint32(len(s))<<16)
	e.buf = append(e.buf, s...)
}

func (e *entries) raw(k Key, b []byte) {
	e.buf = binary.LittleEndian.AppendUint32(e.buf, uint32(k)|uint32(len(b))<<16)
	e.buf = append(e.buf, b...)
}

// number appends the bytes of a rewrite behind their number. The move comes first:
// data may lie where the number goes.
func (e *entries) number(data []byte) {
	at := len(e.buf)
	if n := at + 4 + len(data); n <= cap(e.buf) {
		e.buf = e.buf[:n]
		copy(e.buf[at+4:], data)
	} else {
		e.buf = append(append(e.buf, 0, 0, 0, 0), data...)
	}
	binary.LittleEndian.PutUint32(e.buf[at:], uint32(len(data)))
}

// bits appends a set up to its last byte that is not zero.
func (e *entries) bits(k Key, b *policy.Bits) {
	var raw [len(policy.Bits{}) * 8]byte
	n := 0
	for i := range raw {
		raw[i] = byte(b[i/8] >> (i % 8 * 8))
		if raw[i] != 0 {
			n = i + 1
		}
	}
	if n > 0 {
		e.raw(k, raw[:n])
	}
}

func (e *entries) uint(k Key, n int64, size int) {
	if n < 0 || size == 4 && n > math.MaxInt32 {
		e.fail("%s is out of range", k)
	}
	if n == 0 {
		return
	}
	e.buf = binary.LittleEndian.AppendUint32(e.buf, uint32(k)|uint32(size)<<16)
	for i := range size {
		e.buf = append(e.buf, byte(n>>(8*i)))
	}
}

func (e *entries) limits(l *policy.Limits) {
	e.uint(KeyRateDown, l.RateDown, 8)
	e.uint(KeyRateUp, l.RateUp, 8)
	e.uint(KeyMaxFileSize, l.MaxFileSize, 8)
	if l.DataTLS {
		e.uint(KeyDataTLS, 1, 1)
	}
}

func (e *entries) expires(t time.Time) {
	if t.IsZero() {
		return
	}
	if t.Year() < 1971 || t.Year() > 2200 {
		e.fail("EXPIRES in the year %d", t.Year())
		return
	}
	e.uint(KeyExpires, t.UnixNano(), 8)
}

// ttl appends a time to live in whole milliseconds, rounded up so that a short one
// does not become none.
func (e *entries) ttl(d time.Duration) {
	if d < 0 {
		e.fail("TTL_MS is negative")
		return
	}
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	e.uint(KeyTTL, min(ms, math.MaxInt32), 4)
}

// rules appends one entry for each rule.
func (e *entries) rules(list []policy.PathRule) {
	if len(list) > MaxRules {
		e.fail("%d rules, at most %d", len(list), MaxRules)
		return
	}
	for i := range list {
		r := &list[i]
		if err := checkString(ErrEncode, KeyRule, r.Dir); err != nil {
			e.keep(err)
			return
		}
		letters := r.Perms.String()
		e.bytes(KeyRule, r.Dir)
		recursive := byte(0)
		if r.Recursive {
			recursive = 1
		}
		start := len(e.buf) - len(r.Dir)
		e.buf = append(e.buf, 0)
		e.buf = append(e.buf, letters...)
		e.buf = append(e.buf, 0, recursive)
		binary.LittleEndian.PutUint16(e.buf[start-2:], uint16(len(e.buf)-start))
	}
}

// networks appends one entry for each network.
func (e *entries) networks(list []netip.Prefix) {
	if len(list) > MaxNetworks {
		e.fail("%d networks, at most %d", len(list), MaxNetworks)
		return
	}
	for _, n := range list {
		if !goodNetwork(n) {
			e.fail("%s %s is no network", KeyNetwork, n)
			return
		}
		e.bytes(KeyNetwork, n.String())
	}
}

func (e *entries) lenient(l policy.Lenience) {
	bits := int64(0)
	if l.Resumption {
		bits |= LenientResumption
	}
	if l.CloseNotify {
		bits |= LenientCloseNotify
	}
	e.uint(KeyLenient, bits, 1)
}

func (e *entries) finish() ([]byte, Verdict, error) {
	e.v.Len = len(e.buf) - e.base
	if e.err == nil && e.v.Len > MaxMailbox {
		e.fail("a reply of %d bytes", e.v.Len)
	}
	if e.err != nil {
		return e.buf[:e.base], Verdict{}, e.err
	}
	return e.buf, e.v, nil
}
