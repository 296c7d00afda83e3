package quota

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// period is a day and a month, both counted in UTC.
type period struct {
	day   int64 // since 1970
	month int64 // since the year 0
}

func periodOf(t time.Time) period {
	t = t.UTC()
	day := t.Unix() / 86400
	if t.Unix()%86400 < 0 {
		day--
	}
	return period{day, int64(t.Year())*12 + int64(t.Month())}
}

// change is what an upload adds.
type change struct {
	bytes, files int64
	period       period // in which it was charged
}

// record is one account's counters as they are kept.
type record struct {
	bytes, files           int64
	day                    int64
	dayBytes, dayFiles     int64
	month                  int64
	monthBytes, monthFiles int64
}

const (
	recordForm = 1 // the first byte of a record
	recordSize = 1 + 8*8
)

// errRecord: what is kept is no record, so nothing is known about the account.
var errRecord = errors.New("quota: the counters are damaged")

// errBusy: others have written first, as often as it was tried.
var errBusy = errors.New("quota: too many uploads at one time")

func parseRecord(b []byte) (record, error) {
	if b == nil {
		return record{}, nil
	}
	if len(b) != recordSize || b[0] != recordForm {
		return record{}, errRecord
	}
	var r record
	for i, n := range r.numbers() {
		*n = int64(binary.LittleEndian.Uint64(b[1+8*i:]))
	}
	return r, nil
}

func (r *record) numbers() [8]*int64 {
	return [...]*int64{&r.bytes, &r.files, &r.day, &r.dayBytes, &r.dayFiles, &r.month, &r.monthBytes, &r.monthFiles}
}

func (r record) encode() []byte {
	b := append(make([]byte, 0, recordSize), recordForm)
	for _, n := range r.numbers() {
		b = binary.LittleEndian.AppendUint64(b, uint64(*n))
	}
	return b
}

// in returns the record as it stands in a period: what was added in another day or
// month does not count.
func (r record) in(now period) record {
	if r.day != now.day {
		r.day, r.dayBytes, r.dayFiles = now.day, 0, 0
	}
	if r.month != now.month {
		r.month, r.monthBytes, r.monthFiles = now.month, 0, 0
	}
	return r
}

// lifetime is how long the record says anything: as long as something is stored,
// else until the month is over.
func (r record) lifetime() time.Duration {
	if r.bytes > 0 || r.files > 0 {
		return 0
	}
	return 32 * 24 * time.Hour
}

// room is what may still be added.
type room struct{ bytes, files int64 }

// unlimited stands for no limit.
const unlimited = math.MaxInt64

func (r room) narrow(other room) room {
	return room{min(r.bytes, other.bytes), min(r.files, other.files)}
}

// fits reports whether there is room for what a change adds. What adds nothing
// always fits.
func (r room) fits(c change) bool {
	return (c.bytes <= 0 || c.bytes <= r.bytes) && (c.files <= 0 || c.files <= r.files)
}

func (r record) left(l Limits, now period) room {
	r = r.in(now)
	of := func(limit, used int64) int64 {
		if limit == 0 {
			return unlimited
		}
		return max(limit-used, 0)
	}
	return room{
		bytes: min(of(l.Bytes, r.bytes), of(l.DayBytes, r.dayBytes), of(l.MonthBytes, r.monthBytes)),
		files: min(of(l.Files, r.files), of(l.DayFiles, r.dayFiles), of(l.MonthFiles, r.monthFiles)),
	}
}

// add adds without leaving int64, and so that no counter is below zero.
func add(n, delta int64) int64 {
	sum := n + delta
	if delta > 0 && sum < n {
		return math.MaxInt64
	}
	return max(sum, 0)
}

func (p *Policy) read(acc account) (record, error) {
	b, _ := p.config.KV.Get(acc.key)
	return parseRecord(b)
}

// maxTries bounds the work of one change. Of those that try at one time one always
// gets through.
const maxTries = 10000

// update changes one record in one step. f returns false to leave it as it is.
func (p *Policy) update(ctx context.Context, key string, f func(*record) bool) error {
	for range maxTries {
		old, found := p.config.KV.Get(key)
		if !found {
			old = nil
		}
		r, err := parseRecord(old)
		if err != nil || !f(&r) {
			return err
		}
		done, err := p.config.KV.CompareAndSwap(key, old, r.encode(), r.lifetime())
		if done || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return errBusy
}

// charge adds what grows to an account if it fits, and returns what was left
// before. A shadow looks and writes nothing.
func (p *Policy) charge(ctx context.Context, acc account, c change, shadow bool) (left room, err error) {
	err = p.update(ctx, acc.key, func(r *record) bool {
		left = r.left(acc.limits, c.period)
		if shadow || !left.fits(c) || c.bytes <= 0 && c.files <= 0 {
			return false
		}
		*r = r.in(c.period)
		grown := max(c.bytes, 0)
		r.bytes, r.dayBytes, r.monthBytes = add(r.bytes, grown), add(r.dayBytes, grown), add(r.monthBytes, grown)
		r.files, r.dayFiles, r.monthFiles = add(r.files, c.files), add(r.dayFiles, c.files), add(r.monthFiles, c.files)
		return true
	})
	return left, err
}

// giveBack takes a charge back, also from the day and the month if they are still
// those of the charge.
func (p *Policy) giveBack(ctx context.Context, acc account, c change) error {
	grown := max(c.bytes, 0)
	if grown == 0 && c.files == 0 {
		return nil
	}
	return p.update(ctx, acc.key, func(r *record) bool {
		r.bytes, r.files = add(r.bytes, -grown), add(r.files, -c.files)
		if r.day == c.period.day {
			r.dayBytes, r.dayFiles = add(r.dayBytes, -grown), add(r.dayFiles, -c.files)
		}
		if r.month == c.period.month {
			r.monthBytes, r.monthFiles = add(r.monthBytes, -grown), add(r.monthFiles, -c.files)
		}
		return true
	})
}

// apply takes off what is no longer stored.
func (p *Policy) apply(ctx context.Context, acc account, c change, now time.Time) error {
	return p.update(ctx, acc.key, func(r *record) bool {
		if *r == (record{}) {
			return false // nothing was ever charged
		}
		*r = r.in(periodOf(now))
		r.bytes, r.files = add(r.bytes, c.bytes), add(r.files, c.files)
		return true
	})
}

// noteTime is how long a charge waits for the event that settles it. It comes when
// the file was published, or was not.
const noteTime = 10 * time.Minute

// note remembers what an upload was charged until its event comes.
func (p *Policy) note(m *policy.Meta, path string, c change) error {
	sum := sha256.Sum256([]byte(path))
	b := binary.LittleEndian.AppendUint64(nil, uint64(c.bytes))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.files))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.period.day))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.period.month))
	return p.config.KV.Set(noteKey(m), append(b, sum[:]...), noteTime)
}

// take returns what note remembered, once. The path tells an upload from one of a
// process before this one, whose sessions had the same numbers.
func (p *Policy) take(m *policy.Meta, path string) (c change, found bool, err error) {
	sum := sha256.Sum256([]byte(path))
	b, ok := p.config.KV.Get(noteKey(m))
	if !ok || len(b) != 32+len(sum) || string(b[32:]) != string(sum[:]) {
		return change{}, false, nil
	}
	at := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
	c = change{at(0), at(1), period{at(2), at(3)}}
	found, err = p.config.KV.CompareAndSwap(noteKey(m), b, nil, 0)
	return c, found, err
}

func noteKey(m *policy.Meta) string {
	return "p/" + strconv.FormatUint(m.Session.ID, 36) + "/" + strconv.FormatUint(m.Request, 36)
}

// key names an account. A name that is too long for a key, or might be taken for a
// digest, stands there as its digest.
func key(kind, name string) string {
	if len(name) <= 128 && name != "" && name[0] != '#' {
		return kind + name
	}
	sum := sha256.Sum256([]byte(name))
	return kind + "#" + hex.EncodeToString(sum[:])
}
