package defender

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"time"
	"unicode/utf8"
)

// MaxBlob is the greatest length of what Snapshot returns and Restore takes, in
// bytes.
const MaxBlob = 1 << 20

// The form of a blob: the magic line, the wall clock's seconds, records that each
// begin with their kind, and the CRC-32 of all that. Numbers are big-endian, times
// are seconds before that clock, or after it for an end. There is no room for all
// that a Defender may know: bans come first, then where users have logged in from,
// then the highest scores.
const (
	magic = "edgeftp defender 1\n"

	kindOrder byte = 'O'
	kindHost  byte = 'H'
	kindOwner byte = 'U'

	hostSize   = 1 + 16 + 4 + 4 + 2 + 2 + 1 + 2 + 4
	ownersSize = 192 << 10 // that they may take together
	never      = 1<<32 - 1 // in the place of seconds
	mostAge    = epoch / 2
)

// ErrDamaged says that a blob cannot be read.
var ErrDamaged = errors.New("what was kept of bans is damaged")

// Snapshot returns what is to outlive a restart.
func (d *Defender) Snapshot(now time.Time) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.tick(now)
	b := blob(now)
	for p, o := range d.orders.by {
		if o.ever || at < o.until {
			b = o.append(b, p, at)
		}
	}
	owners := d.appendOwners(nil, at)
	room := MaxBlob - len(b) - len(owners) - crc32.Size
	d.hosts.each(gone+1, func(k key, h *host) bool {
		if room -= hostSize; room < 0 {
			return false
		}
		b = h.append(b, k, at, d.conf.Within)
		return true
	})
	return sealed(append(b, owners...))
}

// blob begins one.
func blob(now time.Time) []byte {
	return binary.BigEndian.AppendUint64([]byte(magic), uint64(now.Unix()))
}

// sealed is a blob with its end.
func sealed(b []byte) []byte { return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)) }

func (d *Defender) appendOwners(b []byte, at time.Duration) []byte {
	d.owners.each(gone+1, func(n name, o *owner) bool {
		b = append(append(b, kindOwner), n[:]...)
		b = append(b, byte(o.n))
		for _, h := range o.home[:o.n] {
			b = appendSeconds(h.net.append(b), at-h.last)
		}
		return len(b) < ownersSize
	})
	return b
}

func (k key) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, k.hi), k.lo)
}

// appendSeconds rounds up, so that a ban does not end early; what is over is 0.
func appendSeconds(b []byte, d time.Duration) []byte {
	d = min(max(0, d), mostAge)
	return binary.BigEndian.AppendUint32(b, uint32((d+time.Second-1)/time.Second))
}

func (o *order) append(b []byte, p netip.Prefix, at time.Duration) []byte {
	a := p.Addr().As16()
	b = append(append(b, kindOrder), a[:]...)
	four := byte(0)
	if p.Addr().Is4() {
		four = 1
	}
	b = append(b, four, byte(p.Bits()))
	b = appendSeconds(b, at-o.since)
	if o.ever {
		b = binary.BigEndian.AppendUint32(b, never)
	} else {
		b = appendSeconds(b, o.until-at)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(min(o.times, 1<<16-1)))
	return append(append(b, byte(len(o.why))), o.why...)
}

func (h *host) append(b []byte, k key, at, within time.Duration) []byte {
	b = k.append(append(b, kindHost))
	if h.banned && at < h.until {
		b = appendSeconds(appendSeconds(b, at-h.since), h.until-at)
	} else {
		b = binary.BigEndian.AppendUint32(appendSeconds(b, at-h.until), never)
	}
	b = binary.BigEndian.AppendUint16(b, h.times)
	b = binary.BigEndian.AppendUint16(b, h.score)
	b = append(b, byte(h.why))
	b = binary.BigEndian.AppendUint16(b, uint16(min(h.points.sum(at, within), 1<<16-1)))
	if !h.recent(at) {
		return binary.BigEndian.AppendUint32(b, never)
	}
	return appendSeconds(b, at-h.login)
}

// Restore takes over what Snapshot of an earlier Defender returned. It is for one
// that knows nobody yet, and leaves it so after an error, which is ErrDamaged. A wall
// clock that has gone back since counts as one that has stood still: no ban lasts
// longer than it would have, and none by score longer than Config.MostBan.
func (d *Defender) Restore(blob []byte, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	fresh, err := d.parse(blob, now)
	if err == nil {
		d.hosts, d.crowds, d.owners, d.orders = fresh.hosts, fresh.crowds, fresh.owners, fresh.orders
	}
	return err
}

// parse makes a Defender that knows what a blob says, by d's ticks.
func (d *Defender) parse(blob []byte, now time.Time) (*Defender, error) {
	r := reader{b: blob}
	if len(blob) > MaxBlob || len(blob) < len(magic)+8+crc32.Size {
		return nil, fmt.Errorf("%w: it is %d bytes long", ErrDamaged, len(blob))
	}
	body := blob[:len(blob)-crc32.Size]
	if string(r.take(len(magic))) != magic {
		return nil, fmt.Errorf("%w: it is of another version, or of something else", ErrDamaged)
	}
	if binary.BigEndian.Uint32(blob[len(body):]) != crc32.ChecksumIEEE(body) {
		return nil, fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	}
	saved := time.Unix(int64(binary.BigEndian.Uint64(r.take(8))), 0)
	r.b = r.b[:len(r.b)-crc32.Size]
	in := restoring{d: New(d.conf, d.base), at: d.tick(now), gone: min(max(0, now.Round(0).Sub(saved)), mostAge)}
	for len(r.b) > 0 {
		switch r.take(1)[0] {
		case kindOrder:
			in.order(&r)
		case kindHost:
			in.host(&r)
		case kindOwner:
			in.owner(&r)
		default:
			r.bad = true
		}
		if r.bad {
			return nil, fmt.Errorf("%w: a record makes no sense", ErrDamaged)
		}
	}
	return in.d, nil
}

// reader takes a blob apart. What is beyond its end is zeros, and bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.bad, r.b = true, nil
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u16() int { return int(binary.BigEndian.Uint16(r.take(2))) }

// seconds returns a time, or that there is none.
func (r *reader) seconds() (time.Duration, bool) {
	n := binary.BigEndian.Uint32(r.take(4))
	return min(time.Duration(n)*time.Second, mostAge), n != never
}

func (r *reader) key() key {
	b := r.take(16)
	k := key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	var a [16]byte
	copy(a[:], b)
	if h, _ := hostOf(netip.AddrFrom16(a)); h != k {
		r.bad = true
	}
	return k
}

// restoring turns the times of a blob into ticks.
type restoring struct {
	d    *Defender
	at   time.Duration
	gone time.Duration // since the blob was made
}

func (in *restoring) order(r *reader) {
	var a [16]byte
	copy(a[:], r.take(16))
	addr := netip.AddrFrom16(a)
	if r.take(1)[0] == 1 {
		addr = addr.Unmap()
	}
	p := netip.PrefixFrom(addr, int(r.take(1)[0]))
	who, ok := Clean(p)
	age, dated := r.seconds()
	left, ends := r.seconds()
	o := &order{since: in.at - in.gone - age, until: in.at + left - in.gone, ever: !ends, times: r.u16()}
	o.why = string(r.take(int(r.take(1)[0])))
	if !ok || who != p || !dated || len(o.why) > maxWhy || !utf8.ValidString(o.why) || line(o.why) != o.why ||
		len(in.d.orders.by) >= maxOrders || in.d.orders.by[who] != nil {
		r.bad = true
		return
	}
	if o.ever || in.at < o.until {
		in.d.orders.set(who, o)
	}
}

func (in *restoring) host(r *reader) {
	k := r.key()
	age, dated := r.seconds()
	left, holds := r.seconds()
	h := host{times: uint16(r.u16()), score: uint16(r.u16()), why: Offence(r.take(1)[0]), since: in.at - in.gone - age, until: in.at - in.gone - age}
	points := r.u16()
	login, entered := r.seconds()
	if !dated || h.why > Crowding || holds && h.times == 0 || in.d.hosts.find(k) != nil {
		r.bad = true
	}
	if r.bad {
		return
	}
	if holds {
		h.banned, h.until = true, in.at+min(left, in.d.conf.MostBan)-in.gone
	}
	h.login, h.entered = in.at-in.gone-login, entered
	if points > 0 && in.gone < in.d.conf.Within { // as if it were of now: it counts a little longer
		h.points.add(in.at, in.d.conf.Within, points)
	}
	if to := in.d.host(k, in.at); to != nil {
		*to = h
		in.d.hosts.settle(k, in.at)
	}
}

func (in *restoring) owner(r *reader) {
	n := name(r.take(16))
	var o owner
	count := int(r.take(1)[0])
	if count == 0 || count > homes || in.d.owners.find(n) != nil {
		r.bad = true
		return
	}
	for range count {
		k := r.key()
		age, dated := r.seconds()
		if !dated || k.network() != k {
			r.bad = true
		}
		o.enter(home{k, in.at - in.gone - age})
	}
	if r.bad {
		return
	}
	*in.d.owners.hold(n, in.at) = o
	in.d.owners.settle(n, in.at)
}
