package acme

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestExpiry follows certificates to their end, an hour at a time.
func TestExpiry(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		name  string
		life  time.Duration
		renew time.Duration // before the end; 0: files
		// When it is warned of first, and told to be about to end, before the end.
		near, last time.Duration
		told       int
	}{
		{"files of a year", 365 * day, 0, 14 * day, 14 * day / 4, 15},
		{"files of 9 days", 9 * day, 0, 3 * day, 3 * day / 4, 4},
		{"renewed, of 90 days", 90 * day, 30 * day, 15 * day, 15 * day / 4, 16},
		{"renewed, of 6 days", 6 * day, 3 * day, 36 * time.Hour, 9 * time.Hour, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newClock()
			var log bytes.Buffer
			var events []CertEvent
			e := &Expiry{Clock: c.now, Log: slog.New(slog.NewTextHandler(&log, nil)), Event: func(e CertEvent) { events = append(events, e) }}
			end := c.at.Add(test.life)
			cert := Certificate{Name: "x.example", Names: []string{"x.example"}, Source: "files", Serial: "1", NotBefore: c.at, NotAfter: end}
			if test.renew > 0 {
				cert.Source, cert.Renew = "acme", end.Add(-test.renew)
			}
			first := map[string]time.Duration{}
			for ; c.at.Before(end.Add(3 * day)); c.at = c.at.Add(time.Hour) {
				log.Reset()
				e.Look([]Certificate{cert, {Name: "none yet"}})
				for _, words := range []string{"is near its end", "is about to end", "has expired"} {
					if _, ok := first[words]; strings.Contains(log.String(), words) && !ok {
						first[words] = end.Sub(c.at)
					}
				}
			}
			within := func(got, want time.Duration) bool { return got < want && got >= want-time.Hour }
			if !within(first["is near its end"], test.near) || !within(first["is about to end"], test.last) || !within(first["has expired"], 0) {
				t.Errorf("told %v before the end", first)
			}
			if text := events[0].String(); text != "x.example: a certificate is near its end ("+end.UTC().Format(time.DateOnly)+")" {
				t.Errorf("the event says %q", text)
			}
			if len(events) < test.told || len(events) > test.told+3 {
				t.Errorf("%d warnings, want about %d", len(events), test.told)
			}
			cert.Serial, cert.NotBefore, cert.NotAfter, cert.Renew = "2", c.at, c.at.Add(test.life), time.Time{}
			log.Reset()
			if e.Look([]Certificate{cert}); log.Len() > 0 {
				t.Errorf("a fresh certificate is warned of: %s", log.String())
			}
		})
	}
}

// What is said of files holds for files, up to a third of their life, and from the next
// look on.
func TestExpiryOfFiles(t *testing.T) {
	c := newClock()
	const day = 24 * time.Hour
	limit := 7 * day
	var told int
	e := &Expiry{Clock: c.now, Files: func() time.Duration { return limit }, Event: func(CertEvent) { told++ }}
	look := func(life, left time.Duration) int {
		told = 0
		e.Look([]Certificate{{Name: "x", Names: []string{"x"}, Source: "files", Serial: life.String() + left.String(), NotBefore: c.at.Add(left - life), NotAfter: c.at.Add(left)}})
		return told
	}
	if look(365*day, 8*day) != 0 || look(365*day, 6*day) != 1 || look(9*day, 4*day) != 0 {
		t.Error("7 days are not kept to")
	}
	if limit = 30 * day; look(365*day, 29*day) != 1 {
		t.Error("another limit is not looked at")
	}
}
