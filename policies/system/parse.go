package system

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// user is a line of passwd(5). Its hash is what stands in the second field.
type user struct {
	Account
	line int // where the hash stands
}

// lines yields the lines of an account file with their numbers, from 1, without
// those that are empty or a comment, and without those that stand for a directory
// service ("+", "-").
func lines(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		n := 0
		for line := range strings.Lines(text) {
			n++
			line = strings.TrimRight(line, "\r\n")
			if line != "" && !strings.ContainsRune("#+-", rune(line[0])) && !yield(n, line) {
				return
			}
		}
	}
}

// fields splits a line into as many fields as its form has.
func fields(n int, line string, want int) ([]string, error) {
	f := strings.Split(line, ":")
	switch {
	case len(f) != want:
		return nil, fmt.Errorf("line %d: %d fields, not %d", n, len(f), want)
	case f[0] == "" || !utf8.ValidString(f[0]) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return nil, fmt.Errorf("line %d: no name, or a control character", n)
	}
	return f, nil
}

// parsePasswd reads passwd(5): name, password, UID, GID, comment, home, shell.
func parsePasswd(text string) ([]user, error) {
	var all []user
	known := map[string]bool{}
	for n, line := range lines(text) {
		f, err := fields(n, line, 7)
		if err != nil {
			return nil, err
		}
		u := user{Account{Name: f[0], hash: f[1], Home: f[5], Shell: f[6]}, n}
		if u.Shell == "" {
			u.Shell = "/bin/sh" // passwd(5)
		}
		if u.UID, err = number(f[2]); err == nil {
			u.GID, err = number(f[3])
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", n, err)
		case known[u.Name]:
			return nil, fmt.Errorf("line %d: %q is there twice", n, u.Name)
		case !strings.HasPrefix(u.Home, "/"):
			u.Home = "/"
		}
		known[u.Name] = true
		all = append(all, u)
	}
	return all, nil
}

// secret is a line of shadow(5).
type secret struct {
	hash    string
	expires time.Time // zero never
	line    int
}

// parseShadow reads shadow(5): name, password, day of the last change, least and
// greatest age, days of warning, days of grace, day of expiry, nothing.
func parseShadow(text string) (map[string]secret, error) {
	all := map[string]secret{}
	for n, line := range lines(text) {
		f, err := fields(n, line, 9)
		if err != nil {
			return nil, err
		}
		if _, twice := all[f[0]]; twice {
			return nil, fmt.Errorf("line %d: %q is there twice", n, f[0])
		}
		var days [9]int64 // -1 for an empty field
		for i := 2; i < 8; i++ {
			if days[i], err = day(f[i]); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
		all[f[0]] = secret{f[1], expiry(days[2], days[4], days[6], days[7]), n}
	}
	return all, nil
}

// expiry is when an account ends: at its own day, or when the grace of a password
// that is too old is over. A password that must be changed at once (day 0) ends it
// at once: that cannot be done here.
func expiry(changed, age, grace, end int64) time.Time {
	last := int64(-1)
	if end >= 0 {
		last = end
	}
	old := int64(-1)
	switch {
	case changed == 0:
		old = 0
	case changed > 0 && age >= 0 && grace >= 0:
		old = changed + age + grace + 1
	}
	if old >= 0 && (last < 0 || old < last) {
		last = old
	}
	if last < 0 {
		return time.Time{}
	}
	return time.Unix(last*86400, 0).UTC()
}

// maxDay is later than anything that is meant: the year 9999.
const maxDay = 2932896

func day(s string) (int64, error) {
	if s == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < -1 {
		return 0, fmt.Errorf("%.20q is no number of days", s)
	}
	return min(n, maxDay), nil
}

// groups are what group(5) says.
type groups struct {
	names map[uint32]string
	of    map[string][]uint32 // by the user's name
}

// parseGroup reads group(5): name, password, GID, members.
func parseGroup(text string) (groups, error) {
	g := groups{map[uint32]string{}, map[string][]uint32{}}
	for n, line := range lines(text) {
		f, err := fields(n, line, 4)
		if err != nil {
			return g, err
		}
		gid, err := number(f[2])
		if err != nil {
			return g, fmt.Errorf("line %d: %w", n, err)
		}
		if g.names[gid] == "" {
			g.names[gid] = f[0]
		}
		for member := range strings.SplitSeq(f[3], ",") {
			if member != "" {
				g.of[member] = append(g.of[member], gid)
			}
		}
	}
	return g, nil
}

// join writes an account's groups into it.
func (g groups) join(a *Account) {
	a.Group = g.names[a.GID]
	for _, gid := range g.of[a.Name] {
		if gid != a.GID {
			a.Groups = append(a.Groups, gid)
		}
	}
	slices.Sort(a.Groups)
	a.Groups = slices.Compact(a.Groups)
}

// parseShells reads shells(5).
func parseShells(text string) []string {
	var all []string
	for _, line := range lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}
