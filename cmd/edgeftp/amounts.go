package main

import (
	"fmt"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// amount is a number of bytes for people: three digits and a unit of ten.
func amount(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), 0
	for v >= 999.5 && unit < len("kMGTPE") {
		v /= 1000
		unit++
	}
	digits := 0
	if v < 9.95 {
		digits = 1
	}
	return fmt.Sprintf("%.*f %cB", digits, v, "kMGTPE"[unit-1])
}

// speed is bytes per second for people.
func speed(n int64) string { return amount(n) + "/s" }

// doneOf is how far a transfer is.
func doneOf(t *control.Transfer) string {
	if t.Size <= 0 || t.Bytes > t.Size {
		return amount(t.Bytes)
	}
	return fmt.Sprintf("%d%% of %s", int(100*float64(t.Bytes)/float64(t.Size)), amount(t.Size))
}

// limitOf is the limit that holds for a transfer.
func limitOf(t *control.Transfer) string {
	if t.Limit == 0 {
		return "-"
	}
	return speed(t.Limit)
}

// sealOf is how a data connection is protected; r is for a TLS session that was resumed.
func sealOf(t *control.Transfer) string {
	if t.Resumed {
		return t.TLS + "r"
	}
	return dash(t.TLS)
}

// lasting is a time for people, in its two greatest units.
func lasting(d time.Duration) string {
	d = max(0, d).Truncate(time.Second)
	day := 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
}

// quantity is a number of things.
func quantity(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
