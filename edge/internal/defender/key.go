package defender

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

// key is an address or the beginning of one, without a pointer: of IPv4 in the
// form that RFC 4291 §2.5.5.2 maps it to.
type key struct{ hi, lo uint64 }

const mapped = 0xffff << 32 // above an IPv4 address in lo

// hostOf is what is held responsible: an IPv4 address, or the /64 that one IPv6
// client has at least (RFC 4291 §2.5.4). It is false for what is no address.
func hostOf(a netip.Addr) (key, bool) {
	if !a.IsValid() {
		return key{}, false
	}
	b := a.As16()
	k := key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	if k.hi != 0 || k.lo&^(1<<32-1) != mapped {
		k.lo = 0
	}
	return k, true
}

// v4 reports whether the key is of IPv4. No /64 is: its lower half is empty.
func (k key) v4() bool { return k.hi == 0 && k.lo != 0 }

// network is the /24 or /48 around a host.
func (k key) network() key {
	if k.v4() {
		return key{0, k.lo &^ 0xff}
	}
	return key{k.hi &^ 0xffff, 0}
}

// prefix is the key as an address with so many bits of IPv4, or of IPv6.
func (k key) prefix(four, six int) netip.Prefix {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	if k.v4() {
		return netip.PrefixFrom(netip.AddrFrom16(b).Unmap(), four)
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), six)
}

func (k key) hostPrefix() netip.Prefix    { return k.prefix(32, 64) }
func (k key) networkPrefix() netip.Prefix { return k.prefix(24, 48) }

// name stands for a user. It is of fixed length, whatever a stranger gave.
type name [16]byte

func nameOf(user string) name {
	sum := sha256.Sum256([]byte(user))
	return name(sum[:16])
}

// Host returns what one client is held to be, for bans and for the number of its
// sessions: the /32 or /64 of its address, false for what is no address.
func Host(a netip.Addr) (netip.Prefix, bool) {
	k, ok := hostOf(a)
	if !ok {
		return netip.Prefix{}, false
	}
	return k.hostPrefix(), true
}

// keyOf is hostOf for a prefix that Host may have returned.
func keyOf(p netip.Prefix) (key, bool) {
	k, ok := hostOf(p.Addr())
	return k, ok && k.hostPrefix() == p
}

// list is a set of prefixes in which the longest one that holds an address counts.
type list[V any] struct {
	by   map[netip.Prefix]V
	four [33]int // how many prefixes there are of each length, of IPv4
	six  [129]int
}

func newList[V any]() *list[V] { return &list[V]{by: map[netip.Prefix]V{}} }

func (l *list[V]) count(p netip.Prefix) *int {
	if p.Addr().Is4() {
		return &l.four[p.Bits()]
	}
	return &l.six[p.Bits()]
}

func (l *list[V]) set(p netip.Prefix, v V) {
	if _, there := l.by[p]; !there {
		*l.count(p)++
	}
	l.by[p] = v
}

func (l *list[V]) delete(p netip.Prefix) {
	if _, there := l.by[p]; there {
		*l.count(p)--
		delete(l.by, p)
	}
}

// longest visits the prefixes that hold a, the longest first, until visit returns
// true.
func (l *list[V]) longest(a netip.Addr, visit func(netip.Prefix, V) bool) {
	if len(l.by) == 0 {
		return
	}
	counts := l.six[:]
	if a.Is4() {
		counts = l.four[:]
	}
	for bits := len(counts) - 1; bits >= 0; bits-- {
		if counts[bits] == 0 {
			continue
		}
		p, _ := a.Prefix(bits)
		if v, there := l.by[p]; there && visit(p, v) {
			return
		}
	}
}

// Clean returns a prefix as it is kept: masked, and of IPv4 where it is one mapped
// into IPv6. It is false for what is none.
func Clean(p netip.Prefix) (netip.Prefix, bool) {
	if !p.IsValid() {
		return p, false
	}
	a, bits := p.Addr().WithZone(""), p.Bits()
	if a.Is4In6() && bits >= 96 {
		a, bits = a.Unmap(), bits-96
	}
	return netip.PrefixFrom(a, bits).Masked(), true
}
