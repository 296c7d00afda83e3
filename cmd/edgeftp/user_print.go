package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/control"
)

func printUsers(w io.Writer, all []control.User) {
	if len(all) == 0 {
		fmt.Fprintln(w, "There are no users.")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSOURCE\tSTATE\tPERM\tROOT\tLAST LOGIN\tNOTE")
	for _, u := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", oneLine(u.Name), u.Source, userState(&u), dash(u.Perm), dash(oneLine(u.Root)), dash(localTime(u.LastLogin)), dash(oneLine(u.Note)))
	}
	_ = t.Flush() // to a terminal, which is there or not
}

// userState is whether a user can log in, in a word.
func userState(u *control.User) string {
	switch {
	case u.Shadowed:
		return "hidden"
	case u.Problem != "":
		return "broken"
	case u.Disabled:
		return "disabled"
	case u.Expired:
		return "expired"
	}
	return "ok"
}

func localTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}

func printUser(w io.Writer, got any) {
	u := got.(control.User)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, oneLine(text))
		}
	}
	line("name", u.Name)
	line("source", u.Source)
	line("state", userState(&u))
	line("problem", u.Problem)
	if !u.Password {
		line("password", "none: certificates alone")
	}
	line("perm", u.Perm)
	line("root", u.Root)
	line("note", u.Note)
	for _, s := range flattened(u.Settings) {
		if s[0] != "perm" && s[0] != "root" {
			line(s[0], s[1])
		}
	}
	line("created", localTime(u.Created))
	line("changed", localTime(u.Changed))
	line("last login", localTime(u.LastLogin))
	if q := u.Quota; q != nil {
		line("stored", shared(q.Bytes, "bytes")+", "+shared(q.Files, "files"))
		if q.DayBytes.Limit+q.DayFiles.Limit > 0 {
			line("added today", shared(q.DayBytes, "bytes")+", "+shared(q.DayFiles, "files")+" (UTC)")
		}
		if q.MonthBytes.Limit+q.MonthFiles.Limit > 0 {
			line("this month", shared(q.MonthBytes, "bytes")+", "+shared(q.MonthFiles, "files")+" (UTC)")
		}
	}
	_ = t.Flush()
}

// shared words one number of a quota.
func shared(s control.Share, what string) string {
	if s.Limit == 0 {
		return fmt.Sprintf("%d %s", s.Used, what)
	}
	return fmt.Sprintf("%d of %d %s (%d%%)", s.Used, s.Limit, what, int64(float64(s.Used)/float64(s.Limit)*100))
}

// flattened are the settings as keys of a file and their values, sorted.
func flattened(settings json.RawMessage) [][2]string {
	d := json.NewDecoder(bytes.NewReader(settings))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil {
		return nil
	}
	var out [][2]string
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			switch v := m[key].(type) {
			case map[string]any:
				if len(v) == 0 {
					out = append(out, [2]string{prefix + key, "{}"})
				}
				walk(prefix+key+".", v)
			case string:
				out = append(out, [2]string{prefix + key, v})
			case bool:
				out = append(out, [2]string{prefix + key, strconv.FormatBool(v)})
			default:
				text, err := json.Marshal(v)
				if err == nil {
					out = append(out, [2]string{prefix + key, string(text)})
				}
			}
		}
	}
	walk("", m)
	return out
}

// printDone tells of one change.
func printDone(w io.Writer, what string, u control.User) {
	fmt.Fprintf(w, "user %s %s", oneLine(u.Name), what)
	if u.Ended > 0 {
		fmt.Fprintf(w, "; sessions ended: %d", u.Ended)
	}
	fmt.Fprintln(w)
	if u.Problem != "" && what != "removed" {
		fmt.Fprintf(w, "warning: %s\n", u.Problem)
	}
}
