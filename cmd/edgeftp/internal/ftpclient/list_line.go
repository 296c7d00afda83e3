package ftpclient

import (
	"strings"
	"time"
)

// listLine reads a line of LIST in the forms of Unix and of DOS (RFC 959 leaves it to the
// system).
func (s *Session) listLine(line string) (*Entry, error) { return listLine(line, time.Now()) }

func listLine(line string, now time.Time) (*Entry, error) {
	if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "total ") {
		return nil, nil
	}
	e := unixLine(line, now)
	if e == nil {
		e = dosLine(line)
	}
	if e == nil {
		return nil, refuse("a line of the listing has no form that is known: %q", clip(line))
	}
	if e.Name == "." || e.Name == ".." {
		return nil, nil
	}
	return e, nil
}

// unixLine reads what ls -l writes:
//
//	-rw-r--r--   1 owner group   1234 Nov 27 02:40 name
//
// Some servers leave the group away, so the date is looked for.
func unixLine(line string, now time.Time) *Entry {
	if len(line) < 10 || !strings.ContainsRune("-dlbcps", rune(line[0])) || strings.Trim(line[1:10], "rwxsStTlL-") != "" {
		return nil
	}
	e := &Entry{Kind: map[byte]Kind{'-': File, 'd': Dir, 'l': Link}[line[0]], Size: Unknown, Mode: line[1:10], Coarse: true}
	if e.Kind == "" {
		e.Kind = Other
	}
	rest, before := line[10:], ""
	for range 8 {
		word, behind := field(rest)
		if word == "" {
			return nil
		}
		if month := monthOf(word); month > 0 {
			if size, ok := decimal(before); ok && e.unixEnd(behind, month, size, now) { // an owner may be called May
				return e
			}
		}
		before, rest = word, behind
	}
	return nil
}

// unixEnd reads what is behind the month. One space alone divides the time from the
// name, which may begin with others.
func (e *Entry) unixEnd(rest string, month time.Month, size int64, now time.Time) bool {
	dayText, rest := field(rest)
	clock, name := field(rest)
	day, ok := decimal(dayText)
	if !ok || day < 1 || day > 31 || !strings.HasPrefix(name, " ") || len(name) < 2 {
		return false
	}
	e.Name = name[1:]
	hours, minutes, timed := strings.Cut(clock, ":")
	year, ok := decimal(hours)
	if timed {
		minute, ok2 := decimal(minutes)
		if !ok || !ok2 || year > 23 || minute > 59 {
			return false
		}
		at := func(y int) time.Time { return time.Date(y, month, int(day), int(year), int(minute), 0, 0, time.UTC) }
		if e.ModTime = at(now.Year()); e.ModTime.After(now.AddDate(0, 0, 1)) { // it is of the last year
			e.ModTime = at(now.Year() - 1)
		}
	} else {
		if !ok || year < 1900 || year > 9999 {
			return false
		}
		e.ModTime = time.Date(int(year), month, int(day), 0, 0, 0, 0, time.UTC)
	}
	switch e.Kind {
	case File:
		e.Size = size
	case Link:
		if name, target, ok := strings.Cut(e.Name, " -> "); ok {
			e.Name, e.Target = name, target
		}
	}
	return true
}

// dosLine reads what Windows' dir writes, with two digits of the year or four:
//
//	11-27-26  02:40AM       <DIR>          name
//	11-27-2026  02:40AM              1234 name
func dosLine(line string) *Entry {
	date, rest := field(line)
	clock, rest := field(rest)
	what, name := field(rest)
	var when time.Time
	for _, form := range []string{"01-02-06 03:04PM", "01-02-2006 03:04PM", "01-02-06 15:04", "01-02-2006 15:04"} {
		if t, err := time.ParseInLocation(form, date+" "+clock, time.UTC); err == nil {
			when = t
			break
		}
	}
	if when.IsZero() || len(name) < 2 {
		return nil
	}
	e := &Entry{Kind: File, Size: Unknown, ModTime: when, Coarse: true}
	if strings.EqualFold(what, "<dir>") {
		e.Kind, e.Name = Dir, strings.TrimLeft(name, " ")
		return e
	}
	size, ok := decimal(what)
	if !ok {
		return nil
	}
	e.Size, e.Name = size, name[1:]
	return e
}

// field cuts the first word off.
func field(s string) (word, rest string) {
	s = strings.TrimLeft(s, " ")
	if at := strings.IndexByte(s, ' '); at >= 0 {
		return s[:at], s[at:]
	}
	return s, ""
}

func monthOf(word string) time.Month {
	if len(word) == 3 {
		for m := time.January; m <= time.December; m++ {
			if strings.EqualFold(m.String()[:3], word) {
				return m
			}
		}
	}
	return 0
}
