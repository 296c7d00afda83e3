package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

// stamp is a time for people.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// span is a length of time for people, in the unit that tells it best.
func span(d time.Duration) string {
	count := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	switch d = d.Abs(); {
	case d >= 48*time.Hour:
		return count(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return count(int(d/time.Hour), "hour")
	case d >= time.Minute:
		return count(int(d/time.Minute), "minute")
	}
	return "less than a minute"
}

// away says how far a time is from now.
func away(t, now time.Time) string {
	if t.Before(now) {
		return span(now.Sub(t)) + " ago"
	}
	return "in " + span(t.Sub(now))
}

// next is when something is to happen with a certificate, or is tried again. It is zero
// for files.
func (j *judged) next() time.Time {
	if j.Next.After(j.Renew) {
		return j.Next
	}
	return j.Renew
}

// how is where a certificate comes from.
func (j *judged) how() string {
	if j.OnDemand {
		return j.Source + ", on demand"
	}
	return j.Source
}

// stands is the state in words, with the failures that led to it; why is cut to so many
// runes if most is not 0.
func (j *judged) stands(most int) string {
	if j.Failures == 0 && j.Failed == "" {
		return string(j.State)
	}
	text := oneLine(j.Failed)
	if most > 0 { // whose failure it was is said before
		if _, rest, ok := strings.Cut(text, j.Name+": "); ok {
			text = rest
		}
		if _, rest, ok := strings.Cut(text, " in the zone "); ok && strings.Contains(text, "DNS provider ") {
			if _, rest, ok = strings.Cut(rest, ": "); ok { // what the provider was to do is always the same
				text = rest
			}
		}
	}
	why := []rune(text)
	if most > 0 && len(why) > most {
		why = append(why[:most], []rune("...")...)
	}
	text = fmt.Sprintf("failing (%d, %s)", max(j.Failures, 1), string(why))
	if j.State != control.CertFailing {
		text = string(j.State) + ", " + text
	}
	return text
}

// tableWhy is how many runes of a failure the table has room for.
const tableWhy = 60

func printCertificates(w io.Writer, list []judged, now time.Time) {
	if len(list) == 0 {
		fmt.Fprintln(w, "there are no certificates: no listener has TLS")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSOURCE\tISSUER\tVALID UNTIL\tRENEWAL\tSTATE")
	for i := range list {
		j := &list[i]
		until, renewal := "-", "-"
		if !j.NotAfter.IsZero() {
			until = day(j.NotAfter) + " (" + left(j.NotAfter, now) + ")"
		}
		if next := j.next(); !next.IsZero() {
			renewal = away(next, now)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", oneLine(j.Name), j.how(), dash(oneLine(j.Issuer)), until, renewal, j.stands(tableWhy))
	}
	_ = t.Flush() // to a terminal, which is there or not
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// left says how much time is left until t.
func left(t, now time.Time) string {
	if t.Before(now) {
		return span(now.Sub(t)) + " ago"
	}
	return span(t.Sub(now))
}

func printCertificate(w io.Writer, j judged, now time.Time) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, text)
		}
	}
	at := func(name string, when time.Time) {
		if !when.IsZero() {
			line(name, stamp(when)+", "+away(when, now))
		}
	}
	line("name", oneLine(j.Name))
	line("source", j.how())
	line("state", string(j.State))
	for i, name := range j.Names {
		fmt.Fprintf(t, "%s\t%s\n", map[bool]string{true: "holds"}[i == 0], oneLine(name))
	}
	line("issuer", oneLine(j.Issuer))
	line("authority", oneLine(j.CA))
	line("serial", j.Serial)
	line("sha256", j.SHA256)
	line("key", j.Key)
	at("valid from", j.NotBefore)
	at("valid until", j.NotAfter)
	at("renewal", j.Renew)
	if j.Failures > 0 || j.Failed != "" {
		at("failed", j.FailedAt)
		line("in a row", fmt.Sprint(max(j.Failures, 1)))
		line("because", cmp.Or(oneLine(j.Failed), "-"))
		line("help", oneLine(j.Help))
		at("next attempt", j.Next)
	}
	_ = t.Flush() // likewise
}

func printRenewed(w io.Writer, r renewed, now time.Time) {
	if r.After == nil {
		fmt.Fprintf(w, "%s  was not renewed\n    %s\n", oneLine(r.Name), strings.ReplaceAll(r.Error, "\n", "\n    "))
		return
	}
	what, serial, until := "renewed", "serial "+r.Before.Serial+" -> "+r.After.Serial, stamp(r.After.NotAfter)+", "+away(r.After.NotAfter, now)
	switch {
	case r.Before.Serial == "":
		what, serial = "obtained", "serial "+r.After.Serial
	case r.Before.Serial == r.After.Serial:
		what, serial = "is as it was: its files have not changed", "serial "+r.After.Serial
	default:
		until = stamp(r.Before.NotAfter) + " -> " + until
	}
	fmt.Fprintf(w, "%s  %s\n    %s\n    valid until %s\n    issuer %s\n", oneLine(r.Name), what, serial, until, dash(oneLine(r.After.Issuer)))
}

// certificatesLine is what status says of certificates.
func certificatesLine(s *control.CertSummary, now time.Time) string {
	text := fmt.Sprintf("%d, ", s.Count)
	if s.State == control.CertOK {
		text += "all ok"
	} else {
		text += fmt.Sprintf("%d %s: %s", s.Worst, s.State, oneLine(s.Name))
		if s.Worst > 1 {
			text += fmt.Sprintf(" and %d more", s.Worst-1)
		}
	}
	if !s.Renew.IsZero() {
		text += fmt.Sprintf("; next renewal %s (%s)", away(s.Renew, now), oneLine(s.RenewName))
	}
	return text
}
