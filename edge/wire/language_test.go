package wire

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// german is a catalogue as edge/lang has them: what it does not know stays.
func german(english string) string {
	known := map[string]string{
		"Done.":            "Fertig.",
		"%s is %d bytes.":  "%[2]d Bytes hat %[1]s.",
		"%s Closing.":      "%s Die Verbindung wird getrennt.",
		"Too many.":        "Zu viele.",
		"%d %%":            "%d vom Hundert",
		"a directory":      "ein Verzeichnis",
		"%s is %s.":        "%s ist %s.",
		"End":              "Ende",
		"Status:":          "Zustand:",
		"%d%s%d%s":         "%[4]s%[3]d%[2]s%[1]d",
		"Welcome.\r\n230 ": "Willkommen.\r\n230 ",
	}
	if text, ok := known[english]; ok {
		return text
	}
	return english
}

func TestIn(t *testing.T) {
	mine := Say(CodeUnavailable, "%s is %d bytes.", "/a", 3)
	mine.Lines[0] = "The keeper refuses."
	short := Say(CodeOK, "%s is %d bytes.", "/a", 3).And("Done.")
	short.Lines = short.Lines[1:]
	cut := Say(CodeOK, "Done.").And("%s is %d bytes.", "/a", 3)
	cut.Lines = cut.Lines[:1]
	for _, c := range []struct {
		reply Reply
		want  string
	}{
		{Say(CodeOK, "Done."), "200 Fertig.\r\n"},
		{Say(CodeOK, "%s", "Done."), "200 Fertig.\r\n"},
		{Say(CodeOK, "%s", Text("Done.")), "200 Fertig.\r\n"},
		{Say(CodeOK, "Unknown."), "200 Unknown.\r\n"},
		{Say(CodeOK, "%s is %d bytes.", "/a", 3), "200 3 Bytes hat /a.\r\n"},
		{Say(CodeOK, "%s is unknown.", "Done."), "200 Done. is unknown.\r\n"},
		{Say(CodeOK, "%s Closing.", Text("Too many.")), "200 Zu viele. Die Verbindung wird getrennt.\r\n"},
		{Say(CodeOK, "%s unknown.", Text("Too many.")), "200 Zu viele. unknown.\r\n"},
		{Say(CodeOK, "%s is %s.", "End", Text("a directory")), "200 End ist ein Verzeichnis.\r\n"},
		{Say(CodeOK, "%d %%", 7), "200 7 vom Hundert\r\n"},
		{Say(CodeOK, "%d%s%d%s", 1, "a", 2, "b"), "200 b2a1\r\n"},
		{Multi(CodeSystemStatus, "Status:", "a file", " End", "End"), "211-Zustand:\r\n a file\r\n End\r\n211 Ende\r\n"},
		{Say(CodeSystemStatus, "Status:").And("%s is %d bytes.", "End", 1).And("%s is unknown.", "End").And("End"),
			"211-Zustand:\r\n 1 Bytes hat End.\r\n End is unknown.\r\n211 Ende\r\n"},
		{Say(CodeOK, "Welcome.\r\n230 "), "200 Willkommen.??230 \r\n"},
		{Reply{Code: CodeOK}, "200 \r\n"},
		{mine, "550 The keeper refuses.\r\n"},
		{short, "200 Fertig.\r\n"},
		{cut, "200 Fertig.\r\n"},
	} {
		before := slices.Clone(c.reply.Lines)
		if got := string(c.reply.In(german).Append(nil)); got != c.want {
			t.Errorf("%+v: %q, want %q", c.reply, got, c.want)
		}
		if !slices.Equal(before, c.reply.Lines) {
			t.Errorf("In has changed the reply itself: %q", c.reply.Lines)
		}
		same := c.reply.In(func(s string) string { return s })
		if !slices.Equal(same.Lines, before) || same.Code != c.reply.Code {
			t.Errorf("%q became %q in the same language", before, same.Lines)
		}
	}
}

// A reply in another language can be matched as an error, and adding a line to a
// reply leaves those made from it before as they were.
func TestReplyShares(t *testing.T) {
	base := Say(CodeSystemStatus, "%s is %s.", "a", "b")
	one, two := base.And("%d%s%d%s", 1, "a", 2, "b"), base.And("End")
	three := two.And("Done.")
	for _, c := range []struct {
		reply Reply
		want  []string
	}{
		{base, []string{"a ist b."}}, {one, []string{"a ist b.", "b2a1"}},
		{two, []string{"a ist b.", "Ende"}}, {three, []string{"a ist b.", "Ende", "Fertig."}},
	} {
		if got := c.reply.In(german).Lines; !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	var r Reply
	if err := fmt.Errorf("x: %w", base.In(german)); !errors.As(err, &r) || r.Error() != "211 a ist b." {
		t.Errorf("%+v", r)
	}
}

// A reply that is not translated costs the allocations that it needs for its line
// and nothing for being remembered: one for the line's slice, one for the text that
// fmt makes, one for each argument that has to be boxed.
func TestSayAllocations(t *testing.T) {
	path, n := strings.Repeat("/a", 9), 1<<40
	for name, c := range map[string]struct {
		say  func() Reply
		most float64
	}{
		"a text":        {func() Reply { return Say(CodeOK, "Done.") }, 1},
		"a text by %s":  {func() Reply { return Say(CodeOK, "%s", path) }, 2},
		"one argument":  {func() Reply { return Say(CodeOK, "%d", n) }, 2},
		"two arguments": {func() Reply { return Say(CodeOK, "%s is %d bytes.", path, n) }, 3},
	} {
		var r Reply
		if got := testing.AllocsPerRun(100, func() { r = c.say() }); got > c.most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, c.most)
		}
		_ = r
	}
}

// latin1 encodes as ISO 8859-1 and lets a hostile encoding be seen through.
func latin1(dst, src []byte) []byte {
	for _, c := range string(src) {
		if c > 0xff {
			c = '?'
		}
		dst = append(dst, byte(c))
	}
	return dst
}

func TestAppendEncoded(t *testing.T) {
	hostile := func(dst, src []byte) []byte { return append(append(dst, src...), "\r\n230 \x00\x7f\t"...) }
	for _, c := range []struct {
		reply  Reply
		encode func(dst, src []byte) []byte
		want   string
	}{
		{Say(CodePathname, "Grüße"), nil, "257 Gr\xc3\xbc\xc3\x9fe\r\n"},
		{Say(CodePathname, "Grüße"), latin1, "257 Gr\xfc\xdfe\r\n"},
		{Say(CodePathname, "ÿ €"), latin1, "257 \xff\xff ?\r\n"},
		{Multi(CodeHelp, "ÿ", "ÿÿô", "b"), latin1, "214-\xff\xff\r\n \xff\xff\xff\xff\xf4\r\n214 b\r\n"},
		{Say(CodePathname, "C1 \u0085"), latin1, "257 C1 ?\r\n"},
		{Say(CodePathname, "x"), hostile, "257 x??230 ??\t\r\n"},
	} {
		if got := string(c.reply.AppendEncoded([]byte("x"), c.encode)); got != "x"+c.want {
			t.Errorf("%q: %q, want %q", c.reply.Lines, got, c.want)
		}
	}
}

// What a reply carries arrives, when the client sends it back as Telnet has it.
func TestEcho(t *testing.T) {
	for _, name := range []string{"\xff", "a\xff\xffb", "\xff\xf4\xff\xf2", "ÿ", "\xff\xfb\x41"} {
		reply := Say(CodePathname, "%s", name).Append(nil)
		line := append([]byte("CWD "), reply[len("257 "):]...)
		got := lines(t, new(Reader), bytes.NewReader(line), false)
		if c := ParseCommand([]byte(got[0])); len(got) != 1 || c.Arg != name || c.Bad {
			t.Errorf("%q came back as %+v", name, c)
		}
	}
}

// FuzzIn holds that whatever a catalogue says, a client reads one reply of the
// same code and as many lines, and that the reply itself is left alone.
func FuzzIn(f *testing.F) {
	f.Add("%s is %d bytes.", "%[2]d Bytes hat %[1]s.", "/a", 3)
	f.Add("%s", "%d%d%[9]s%!", "Done.", 0)
	f.Add("Status:|%d lines|End", "x\r\n230 y", "", -1)
	f.Add("%[2]*[1]d", "%999999999d", "a", 5)
	f.Fuzz(func(t *testing.T, formats, other, text string, n int) {
		var r Reply
		for i, format := range strings.Split(formats, "|") {
			args := [][]any{nil, {text}, {Text(text), n}, {n, text, Text(text), n}}[i%4]
			if r.Code = CodeSystemStatus; i == 0 {
				r = Say(CodeSystemStatus, format, args...)
				continue
			}
			r = r.And(format, args...)
		}
		before := slices.Clone(r.Lines)
		got := r.In(func(string) string { return other })
		if !slices.Equal(before, r.Lines) || len(got.Lines) != len(before) {
			t.Fatalf("%q became %q and %q", before, r.Lines, got.Lines)
		}
		b := got.Append(nil)
		if code, lines, rest, err := parseReply(b); err != nil || code != "211" || lines != len(before) || len(rest) > 0 {
			t.Fatalf("%q: code %s, %d lines, rest %q, %v", b, code, lines, rest, err)
		}
	})
}

func BenchmarkSay(b *testing.B) {
	path, n := "/some/path", 123456
	for name, say := range map[string]func() Reply{
		"text":  func() Reply { return Say(CodeOK, "Done nothing.") },
		"one":   func() Reply { return Say(CodeFileStatus, "%d", n) },
		"three": func() Reply { return Say(CodeHelp, "%s: %d bytes in %.1f seconds", path, n, 0.5) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = say().Append(out[:0])
			}
		})
	}
}

func BenchmarkIn(b *testing.B) {
	b.ReportAllocs()
	texts := map[string]string{"%s is %d bytes.": "%[2]d Bytes hat %[1]s."}
	translate := func(s string) string { return texts[s] }
	var out []byte
	for b.Loop() {
		out = Say(CodeOK, "%s is %d bytes.", "/a", 70000).In(translate).Append(out[:0])
	}
}
