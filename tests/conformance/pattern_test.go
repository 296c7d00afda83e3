package conformance

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// names are what <name> in a pattern has captured, for {name} in later lines.
type names map[string]string

// fill puts the captured values in the place of {name}.
func (v names) fill(s string) string {
	for name, value := range v {
		s = strings.ReplaceAll(s, "{"+name+"}", value)
	}
	return s
}

// hole is what stands for other text in a pattern: * or <name>.
var hole = regexp.MustCompile(`\*|<[a-z]+>`)

// match compares text with a pattern, in which * stands for any text and <name>
// for text that is remembered; \* is a star. The pattern's escapes are read.
func (v names) match(pattern, text string) error {
	pattern, err := unescape(strings.ReplaceAll(v.fill(pattern), `\*`, `\x01`))
	if err != nil {
		return err
	}
	var expr strings.Builder
	var found []string
	rest := pattern
	for {
		at := hole.FindStringIndex(rest)
		if at == nil {
			break
		}
		expr.WriteString(regexp.QuoteMeta(rest[:at[0]]))
		if name := strings.Trim(rest[at[0]:at[1]], "<>"); name == "*" {
			expr.WriteString("(?s:.*)")
		} else {
			found = append(found, name)
			expr.WriteString("((?s:.*))")
		}
		rest = rest[at[1]:]
	}
	expr.WriteString(regexp.QuoteMeta(rest))
	re, err := regexp.Compile("^" + strings.ReplaceAll(latin1(expr.String()), "\x01", `\*`) + "$")
	if err != nil {
		return err
	}
	m := re.FindStringSubmatch(latin1(text))
	if m == nil {
		return fmt.Errorf("%q is not %q", clip(text), clip(pattern))
	}
	for i, name := range found {
		v[name] = fromLatin1(m[i+1])
	}
	return nil
}

// latin1 makes each byte one character, so that the expression is about bytes.
func latin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func fromLatin1(s string) string {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

func clip(s string) string {
	if len(s) > 300 {
		return fmt.Sprintf("%s... (%d bytes)", s[:300], len(s))
	}
	return s
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		ok            bool
	}{
		{`a*c`, "abbc", true},
		{`a*c`, "abb", false},
		{`"/a""b" *`, `"/a""b" is it.`, true},
		{`\xffx`, "\xffx", true},
		{`a.c`, "abc", false},
		{`a\*;*`, "a*;b", true},
		{`a\*;*`, "ab;b", false},
		{`FILE: <name>`, "FILE: up.1", true},
		{`(|||*|)`, "(|||123|)", true},
	} {
		v := names{}
		if err := v.match(c.pattern, c.text); (err == nil) != c.ok {
			t.Errorf("match(%q, %q): %v", c.pattern, c.text, err)
		}
		if c.pattern == `FILE: <name>` && v.fill("/{name}") != "/up.1" {
			t.Errorf("captured %v", v)
		}
	}
}

func TestWords(t *testing.T) {
	got, err := words(`file "/a b" repeat 3 "x\r\n\xff\"\\"`)
	want := []string{"file", "/a b", "repeat", "3", "x\r\n\xff\"\\"}
	if err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("words: %q, %v", got, err)
	}
	for _, bad := range []string{`"open`, `"\q"`, `"\x1"`, `"\"`} {
		if _, err := words(bad); err == nil {
			t.Errorf("words(%s) was accepted", bad)
		}
	}
}
