package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Nearest returns the candidate that is the fewest edits from s, or nothing if all are
// far: two letters exchanged count as one edit, as does a dash for an underscore.
func Nearest(s string, candidates []string) string {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	best, least := "", 1+max(1, len(s)/3)
	if len(s) > 3 {
		least = max(least, 3)
	}
	for _, c := range candidates {
		if d := distance(plain(s), plain(c)); d < least && d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// distance is how many edits make b of a.
func distance(a, b string) int {
	d := levenshtein.ComputeDistance(a, b)
	runes := []rune(a)
	for i := 0; i+1 < len(runes) && len(runes) < 64; i++ {
		runes[i], runes[i+1] = runes[i+1], runes[i]
		d = min(d, 1+levenshtein.ComputeDistance(string(runes), b))
		runes[i], runes[i+1] = runes[i+1], runes[i]
	}
	return d
}

// guessDuration is the duration that was meant, in the form that is taken, or nothing.
func guessDuration(s string) string {
	word := map[string]string{"ms": "ms", "msec": "ms", "millisecond": "ms", "s": "s", "sec": "s", "second": "s", "m": "m", "min": "m", "minute": "m",
		"h": "h", "hr": "h", "hour": "h", "d": "d", "day": "d"}
	parts := regexp.MustCompile(`(\d+) *([A-Za-z]+)[ ,]*`)
	if parts.ReplaceAllString(strings.TrimSpace(s), "") != "" {
		if m := regexp.MustCompile(`^(\d+)h ?(\d+)$`).FindStringSubmatch(s); m != nil {
			return m[1] + "h" + m[2] + "m"
		}
		return ""
	}
	made := ""
	for _, m := range parts.FindAllStringSubmatch(s, -1) {
		unit := strings.ToLower(m[2])
		n, err := strconv.Atoi(m[1])
		if w := strings.TrimSuffix(unit, "s"); err == nil && (w == "week" || w == "w") && n < 500 {
			made += strconv.Itoa(7*n) + "d"
			continue
		}
		if word[unit] == "" {
			unit = strings.TrimSuffix(unit, "s")
		}
		if word[unit] == "" {
			return ""
		}
		made += m[1] + word[unit]
	}
	if _, err := readDuration(made, 0); err != nil {
		return ""
	}
	return made
}

// guessSize is the size that was meant, in the form that is taken, or nothing. Bits
// become bytes, and fractions those of a smaller unit.
func guessSize(s string) string {
	m := regexp.MustCompile(`^(\d+)(?:\.(\d{1,3}))? *([A-Za-z]+)$`).FindStringSubmatch(strings.NewReplacer("/second", "", "/sec", "", "/s", "", "ps", "").Replace(s))
	if m == nil {
		return ""
	}
	unit, bits := m[3], false
	if lower := strings.ToLower(unit); strings.HasSuffix(lower, "bit") || strings.HasSuffix(lower, "bits") {
		unit, bits = strings.TrimSuffix(strings.TrimSuffix(lower, "s"), "bit"), true
	}
	size := uint64(0)
	for _, u := range units() {
		for _, name := range []string{u.name, strings.TrimSuffix(u.name, "B"), strings.TrimSuffix(u.name, "B") + "byte", strings.TrimSuffix(u.name, "B") + "bytes"} {
			if strings.EqualFold(unit, name) {
				size = u.size
			}
		}
	}
	n, err := strconv.ParseFloat(m[1]+"."+m[2]+"0", 64)
	if bits {
		n /= 8
	}
	if n *= float64(size); err != nil || n < 1 || n > math.MaxInt64/2 || n != math.Trunc(n) {
		return ""
	}
	return formatSize(int64(n))
}

// meant words a guess for help.
func meant(guess, otherwise string) string {
	if guess == "" {
		return otherwise
	}
	return "write " + guess + " (forms: " + strings.TrimPrefix(otherwise, "write it like ") + ")"
}
