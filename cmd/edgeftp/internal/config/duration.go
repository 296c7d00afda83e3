package config

import (
	"strconv"
	"strings"
	"time"
)

var errDuration = fault{"is not a duration", "write it like 30s, 5m, 1h30m or 14d"}

// parseDuration reads a duration of at least least: Go's form, with days before
// it ("14d", "1h30m").
func parseDuration(s string, least time.Duration) (time.Duration, error) {
	d, err := readDuration(s, least)
	if err == errDuration {
		err = fault{errDuration.what, meant(guessDuration(s), errDuration.help)}
	}
	return d, err
}

func readDuration(s string, least time.Duration) (time.Duration, error) {
	bad := errDuration
	if s == "" {
		return 0, bad
	}
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil || strings.ContainsAny(rest, "-+ ") {
		if strings.HasPrefix(s, "-") {
			return 0, fault{"is negative", bad.help}
		}
		return 0, bad
	}
	d := time.Duration(0)
	if rest != "" {
		if f, err := strconv.ParseFloat(rest, 64); err == nil && f == 0 && least > 0 {
			return 0, fault{"is too short", "the least is " + least.String()}
		} else if err == nil {
			return 0, fault{"has no unit", "write " + rest + "s for seconds, or " + rest + "m for minutes"}
		}
		if d, err = time.ParseDuration(rest); err != nil {
			return 0, bad
		}
	}
	switch most := 3650 * 24 * time.Hour; {
	case n > 3650 || d > most-time.Duration(n)*24*time.Hour:
		return 0, fault{"is longer than ten years", bad.help}
	case time.Duration(n)*24*time.Hour+d < least:
		return 0, fault{"is too short", "the least is " + least.String()}
	}
	return time.Duration(n)*24*time.Hour + d, nil
}

// parseTimeout reads a duration of at least a millisecond, or 0 for none.
func parseTimeout(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	d, err := parseDuration(s, 0)
	if err == nil && d > 0 && d < time.Millisecond {
		return 0, fault{"is too short", "the least is " + time.Millisecond.String() + ", or 0 for no limit"}
	}
	return d, err
}

// formatDuration writes d so that parseDuration reads it.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// ParseDuration reads a duration as the configuration file has it, such as 90s, 2h or
// 30d, of a millisecond at least.
func ParseDuration(s string) (time.Duration, error) {
	d, err := parseDuration(s, time.Millisecond)
	return d, worded(s, err)
}
