package lang

import (
	"fmt"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		english, other string
		reason         string // "" fits
	}{
		{"Done.", "Fertig.", ""},
		{"%s is %d bytes.", "%s hat %d Bytes.", ""},
		{"%s is %d bytes.", "%[2]d Bytes hat %[1]s.", ""},
		{"%s is %d bytes.", "%[1]s hat %d Bytes.", ""},
		{"%.3f of %d %%", "%[2]d %% in %.3[1]f", ""},
		{"%[2]s before %[1]s", "%s nach %s", ""},
		{"%5d|%-8s", "%[1]5d|%s", "begins no verb"},
		{"%5d|%-8s", "%5[1]d|%-8[2]s", ""},
		{"%s is %d bytes.", "%s.", "argument 2 (%d) is missing"},
		{"%s is %d bytes.", "%d hat %s Bytes.", "argument 1 is %s in English and %d in the translation"},
		{"%s is %d bytes.", "%[1]s %[1]s %[2]d", "argument 1 (%s) stands in it more than once"},
		{"%s.", "%s %s.", "no argument 2 (%s)"},
		{"Done.", "%s.", "no argument 1 (%s)"},
		{"%.3f", "%.2f", "argument 1 is %.3f in English"},
		{"Done.", "100 % fertig.", "no argument 1 (% f)"},
		{"Done.", "100 %", "begins no verb"},
		{"Done.", "100 %% fertig.", "clients look for"},
		{"%d%%", "%d %%", ""},
		{"%s", "%*s", "width or precision"},
		{"%s", "%[1]*s", "begins no verb"},
		{"%s", "%[x]s", "malformed argument index"},
		{"%s", "%[0]s", "malformed argument index"},
		{"%s", "%[+1]s", "malformed argument index"},
		{"%s", "%[]s", "malformed argument index"},
		{"%s", "%[1s", "begins no verb"},
		{"%s", "%y", "begins no verb"},
		{"%s", "%ä", "begins no verb"},
		{"100 %", "100 %", "the English text"},
		{"Entering Passive Mode (%s).", "Passiver Modus (%s).", ""},
		{"Entering Passive Mode (%s).", "Passiver Modus: %s.", `"(<1>)", the translation ""`},
		{"Entering Passive Mode (%s).", "Modus 2 (%s).", `"(<1>)", the translation "2(<1>)"`},
		{"Extended (|||%d|)", "(Erweitert) (|||%d|)", "clients look for"},
		{"Extended (|||%d|)", "Erweitert (|%d|||)", "clients look for"},
		{"%s (%d) x", "%[2]d (%[1]s) x", "clients look for"},
		{"%s was made.", `"%s" wurde angelegt.`, "clients look for"},
		{"%s was made.", "„%s“ wurde angelegt.", ""},
		{"use (1)", "verwenden Sie (2)", "clients look for"},
	} {
		err := compare(c.english, c.other)
		if c.reason == "" && err != nil || c.reason != "" && (err == nil || !strings.Contains(err.Error(), c.reason)) {
			t.Errorf("%q as %q: %v, want %q", c.english, c.other, err, c.reason)
		}
	}
}

func TestFixed(t *testing.T) {
	for text, want := range map[string]bool{
		"End": true, "UNIX Type: L8": true, "PBSZ=0": true, "%d": true, "%s %s-%s": true, "": true, "213": true,
		"Modify=%s; %s": true, "FILE: %s": true, "MLST OPTS %s": true,
		"Create=%s; %s": true, "Name=x; CaseSensitive=1; DirSep=/;": true,
		"Create=%s; it is": false, "A fact is name=value;": false, "Name=...;Version=...;: what it is": false,
		"Done.": false, "%s is it.": false, "Ü": false, "nothing": false, "End of status": false, "100 %": false,
	} {
		if Fixed(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

// values are arguments that the verbs of a format take.
func values(format []piece) []any {
	var out []any
	for _, p := range format {
		for len(out) < p.verb.arg {
			out = append(out, nil)
		}
		if p.verb.arg == 0 {
			continue
		}
		var v any = 42
		switch p.verb.form[len(p.verb.form)-1] {
		case 's', 'q':
			v = "text"
		case 't':
			v = true
		case 'e', 'E', 'f', 'F', 'g', 'G':
			v = 4.2
		case 'p':
			v = new(int)
		}
		out[p.verb.arg-1] = v
	}
	return out
}

// FuzzCompare holds that a translation which fits is one that package fmt can
// format with the arguments of the English text.
func FuzzCompare(f *testing.F) {
	for _, s := range []string{"%s is %d bytes.", "%[2]d Bytes: %[1]s", "%.3[2]f", "%%%[1]5s", "100 %", "%+-#0 9.3x(|%d|)"} {
		f.Add("%s is %d bytes.", s)
		f.Add(s, s)
	}
	f.Add("A", "%%!")
	f.Fuzz(func(t *testing.T, english, other string) {
		if compare(english, other) != nil {
			return
		}
		format, err := split(english)
		if err != nil {
			t.Fatal(err)
		}
		args := values(format)
		if in := fmt.Sprintf(english, args...); strings.Contains(in, "%!") {
			return // an English text that fmt does not like: nobody writes one, vet sees to it
		}
		plain := strings.ReplaceAll(other, "%%", "") // a percent sign before "!" is no mistake
		if out := fmt.Sprintf(plain, args...); strings.Contains(out, "%!") {
			t.Fatalf("%q fits %q, and is formatted %q", other, english, out)
		}
	})
}
