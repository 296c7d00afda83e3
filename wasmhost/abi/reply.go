package abi

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// reply holds the decoded entries of one reply.
type reply struct {
	seen  uint64 // bits by key
	text  [NumKeys]string
	num   [NumKeys]uint64
	perm  policy.Perms
	raw   []byte
	bits  policy.Bits
	lines []string
	rules []policy.PathRule
	nets  []netip.Prefix
}

func (r *reply) has(k Key) bool { return r.seen&(1<<k) != 0 }

// decode checks a whole reply of a hook.
func (r *reply) decode(h Hook, v Verdict, b []byte, strict bool) error {
	if err := v.CheckFor(h); err != nil {
		return err
	}
	if v.Len != len(b) {
		return wrong(ErrReply, "the verdict says %d bytes, there are %d", v.Len, len(b))
	}
	for len(b) > 0 {
		if len(b) < 4 {
			return wrong(ErrReply, "ends inside an entry")
		}
		k, n := Key(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
		if len(b)-4 < n {
			return wrong(ErrReply, "key %d says %d bytes, %d are left", uint16(k), n, len(b)-4)
		}
		if err := r.entry(h, k, b[4:4+n], strict); err != nil {
			return err
		}
		b = b[4+n:]
	}
	switch {
	case v.Action == Fail:
		return failed(r.text[KeyText])
	case r.has(KeyText) && (h == HookSite || h == HookThrottle):
		return wrong(ErrReply, "the hook %s takes TEXT beside fail alone", h)
	}
	return nil
}

// entry takes one entry if the hook does.
func (r *reply) entry(h Hook, k Key, b []byte, strict bool) error {
	switch {
	case k == 0:
		return wrong(ErrReply, "key 0")
	case k >= NumKeys && strict:
		return wrong(ErrReply, "unknown key %d", uint16(k))
	case k >= NumKeys:
		return nil
	case !k.Supported():
		return wrong(ErrUnsupported, "%s", k)
	case !k.Takes(h):
		return wrong(ErrReply, "the hook %s takes no %s", h, k)
	case r.has(k) && !k.Repeats():
		return wrong(ErrReply, "%s is given twice", k)
	}
	r.seen |= 1 << k
	return r.value(k, b)
}

// value checks and stores the bytes of one entry by its kind.
func (r *reply) value(k Key, b []byte) error {
	switch k.info().kind {
	case kindText, kindPath:
		s := string(b)
		r.text[k] = s
		return checkString(ErrReply, k, s)
	case kindPerms:
		p, err := policy.ParsePerms(string(b))
		if err != nil {
			return wrong(ErrReply, "%s: %s", k, err)
		}
		r.perm = p
	case kindBytes:
		if len(b) > policy.MaxState {
			return wrong(ErrReply, "%s has %d bytes, at most %d", k, len(b), policy.MaxState)
		}
		r.raw = append([]byte(nil), b...)
	case kindBits:
		if len(b) > len(policy.Bits{})*8 {
			return wrong(ErrReply, "%s has %d bytes, at most %d", k, len(b), len(policy.Bits{})*8)
		}
		for i, c := range b {
			r.bits[i/8] |= uint64(c) << (i % 8 * 8)
		}
	case kindCarry:
		if len(b) > policy.MaxCarry {
			return wrong(ErrReply, "%s has %d bytes, at most %d", k, len(b), policy.MaxCarry)
		}
		r.raw = b // of a chunk: it may point into the guest's memory
	case kindLine:
		return r.line(string(b))
	case kindRule:
		return r.rule(string(b))
	case kindNetwork:
		return r.network(string(b))
	default:
		return r.number(k, b)
	}
	return nil
}

func (r *reply) line(s string) error {
	if len(r.lines) == policy.MaxLines {
		return wrong(ErrReply, "more than %d lines", policy.MaxLines)
	}
	r.lines = append(r.lines, s)
	return checkString(ErrReply, KeyLine, s)
}

// rule reads the directory, the letters and the flag, with a NUL between two.
func (r *reply) rule(s string) error {
	dir, rest, _ := strings.Cut(s, "\x00")
	letters, flag, ok := strings.Cut(rest, "\x00")
	if !ok || flag != "\x00" && flag != "\x01" {
		return wrong(ErrReply, "RULE is not a directory, letters and a truth")
	}
	if len(r.rules) == MaxRules {
		return wrong(ErrReply, "more than %d rules", MaxRules)
	}
	perms, err := policy.ParsePerms(letters)
	if err != nil {
		return wrong(ErrReply, "RULE: %s", err)
	}
	r.rules = append(r.rules, policy.PathRule{Dir: dir, Perms: perms, Recursive: flag == "\x01"})
	return checkString(ErrReply, KeyRule, dir)
}

// network reads a network. One that is none, or has bits behind its length, is not taken for
// another: it would let in who was not meant, or keep out who was.
func (r *reply) network(s string) error {
	if len(r.nets) == MaxNetworks {
		return wrong(ErrReply, "more than %d networks", MaxNetworks)
	}
	n, err := netip.ParsePrefix(s)
	if err != nil || !goodNetwork(n) {
		return wrong(ErrReply, "NETWORK %s is no network: write it like 192.0.2.0/24 or 2001:db8::/32", strconv.Quote(Clean(s, 60)))
	}
	r.nets = append(r.nets, n)
	return nil
}

// goodNetwork reports whether a network has its one form: no bits behind its length, and
// IPv4 not written as IPv6.
func goodNetwork(n netip.Prefix) bool { return n.IsValid() && n == n.Masked() && !n.Addr().Is4In6() }

func (r *reply) number(k Key, b []byte) error {
	size := k.info().kind.size()
	if len(b) != size {
		return wrong(ErrReply, "%s has %d bytes, want %d", k, len(b), size)
	}
	var n uint64
	for i, c := range b {
		n |= uint64(c) << (8 * i)
	}
	if n > math.MaxInt64 || size == 4 && n > math.MaxInt32 || size == 1 && n > k.info().kind.most() {
		return wrong(ErrReply, "%s is out of range", k)
	}
	r.num[k] = n
	return nil
}

func (r *reply) limits() policy.Limits {
	return policy.Limits{
		RateDown: int64(r.num[KeyRateDown]), RateUp: int64(r.num[KeyRateUp]),
		MaxFileSize: int64(r.num[KeyMaxFileSize]), DataTLS: r.num[KeyDataTLS] == 1,
	}
}

// checkString is the rule for texts and paths, the same at both ends.
func checkString(kind error, k Key, s string) error {
	if is := k.info().kind; is == kindText || is == kindLine {
		if !OneLine(s, MaxText) {
			return wrong(kind, "%s is not one line of UTF-8 of at most %d bytes", k, MaxText)
		}
		return nil
	}
	if !strings.HasPrefix(s, "/") || len(s) > MaxPath || strings.ContainsAny(s, "\x00\r\n") {
		return wrong(kind, "%s is not an absolute path of at most %d bytes", k, MaxPath)
	}
	return nil
}
