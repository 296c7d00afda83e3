package listing

import (
	"math"
	"time"
)

// clock writes times in one zone. It remembers the day that it has written last, and
// for how long the zone has the offset that it had then: files of a directory share
// them more often than not, and a time of the same day costs some divisions, where
// time.AppendFormat takes 70 nanoseconds. The zero value writes UTC. It is used by one
// goroutine.
type clock struct {
	zone       *time.Location // nil is UTC
	known      bool           // from, until and offset are
	from       int64          // Unix seconds at which the offset begins
	until      int64          // and ends
	offset     int64          // seconds east of UTC
	today      bool           // the rest is known
	day        int64          // since 1970, in the zone
	year       int
	month      time.Month
	dayOfMonth int
	stamp      [8]byte // the day as digits, if its year has four
}

// at goes to the day of a time, and returns the second of that day.
func (c *clock) at(t time.Time) int {
	sec := t.Unix()
	if !c.known || sec < c.from || sec >= c.until {
		c.turn(t)
	}
	local := sec + c.offset
	day := local / secondsOfDay
	second := int(local % secondsOfDay)
	if second < 0 {
		day, second = day-1, second+secondsOfDay
	}
	if !c.today || day != c.day {
		c.today, c.day = true, day
		c.year, c.month, c.dayOfMonth = t.In(c.location()).Date()
		put2(c.stamp[0:], c.year/100)
		put2(c.stamp[2:], c.year%100)
		put2(c.stamp[4:], int(c.month))
		put2(c.stamp[6:], c.dayOfMonth)
	}
	return second
}

const secondsOfDay = 24 * 60 * 60

func (c *clock) location() *time.Location {
	if c.zone == nil {
		return time.UTC
	}
	return c.zone
}

// turn finds the offset of a time, and how long it holds.
func (c *clock) turn(t time.Time) {
	t = t.In(c.location())
	_, offset := t.Zone()
	c.known, c.today, c.offset = true, false, int64(offset)
	c.from, c.until = math.MinInt64, math.MaxInt64
	begins, ends := t.ZoneBounds()
	if !begins.IsZero() {
		c.from = begins.Unix()
	}
	if !ends.IsZero() {
		c.until = ends.Unix()
	}
}

// tellable reports whether the day's year has four digits.
func (c *clock) tellable() bool { return 0 <= c.year && c.year <= 9999 }

// appendStamp writes RFC 3659 §2.3's time-val without a fraction.
func (c *clock) appendStamp(dst []byte, second int) []byte {
	var text [14]byte
	copy(text[:], c.stamp[:])
	put2(text[8:], second/3600)
	put2(text[10:], second/60%60)
	put2(text[12:], second%60)
	return append(dst, text[:]...)
}

// put2 writes two digits over what is there.
func put2(text []byte, n int) { text[0], text[1] = '0'+byte(n/10), '0'+byte(n%10) }

// appendDate writes the day as ls does, "Jan _2" for package time.
func (c *clock) appendDate(dst []byte) []byte {
	const months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	dst = append(dst, months[3*(c.month-1):3*c.month]...)
	if c.dayOfMonth < 10 {
		return append(dst, ' ', ' ', '0'+byte(c.dayOfMonth))
	}
	return append2(append(dst, ' '), c.dayOfMonth)
}

// append2 writes two digits.
func append2(dst []byte, n int) []byte { return append(dst, '0'+byte(n/10), '0'+byte(n%10)) }
