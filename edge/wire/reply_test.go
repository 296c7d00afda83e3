package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestReplyAppend(t *testing.T) {
	for _, c := range []struct {
		reply Reply
		want  string
	}{
		{Say(CodeOK, "Done."), "200 Done.\r\n"},
		{Say(CodeOK, "100 %%"), "200 100 %\r\n"},
		{Say(CodeOK, "%d %%", 100), "200 100 %\r\n"},
		{Say(CodeOK, "%s", "100 %s"), "200 100 %s\r\n"},
		{Say(CodeOK, "%s", Text("100 %s")), "200 100 %s\r\n"},
		{Say(CodeOK, "%s", errors.New("an error")), "200 an error\r\n"},
		{Say(CodeOK, "%d%d%d%d", 1, 2, 3, 4), "200 1234\r\n"},
		{Say(CodeOK, "a").And("%d lines", 3).And("End"), "200-a\r\n 3 lines\r\n200 End\r\n"},
		{Reply{Code: CodeOK}.And("only"), "200 only\r\n"},
		{Say(CodeFileStatus, "%d", 42), "213 42\r\n"},
		{Reply{Code: CodeOK}, "200 \r\n"},
		{Multi(CodeSystemStatus, "Features:", " UTF8", "SIZE", "End"), "211-Features:\r\n UTF8\r\n SIZE\r\n211 End\r\n"},
		{Multi(CodeSystemStatus, "a", "211 forged", "b"), "211-a\r\n 211 forged\r\n211 b\r\n"},
		{Multi(CodeSystemStatus, "a", "", "b"), "211-a\r\n \r\n211 b\r\n"},
		{Multi(CodeHelp, "a", "b"), "214-a\r\n214 b\r\n"},
		{Say(CodeUnavailable, "a\r\n230 Welcome"), "550 a??230 Welcome\r\n"},
		{Say(CodeUnavailable, "a\x00b\x1b[2J\x7f"), "550 a?b?[2J?\r\n"},
		{Say(CodeUnavailable, "tab\tstays"), "550 tab\tstays\r\n"},
		{Say(CodeUnavailable, "C1 \u0085 and \u009b2J"), "550 C1 ? and ?2J\r\n"},
		{Say(CodePathname, "\u202aa\u202e\u2066b\u2069\u202c, marks \u200e\u200f\u061c stay"), "257 ?a??b??, marks \u200e\u200f\u061c stay\r\n"},
		{Say(CodePathname, "Grüße \U0001f600"), "257 Grüße \U0001f600\r\n"},
		{Say(CodePathname, "latin \xe4"), "257 latin \xe4\r\n"},
		{Say(CodePathname, "\xffIAC\xff\xff"), "257 \xff\xffIAC\xff\xff\xff\xff\r\n"},
		{Multi(CodeHelp, "\xff", "\xff\xf4", "b"), "214-\xff\xff\r\n \xff\xff\xf4\r\n214 b\r\n"},
	} {
		if got := string(c.reply.Append([]byte("x"))); got != "x"+c.want {
			t.Errorf("%+v: %q, want %q", c.reply, got, c.want)
		}
	}
}

func TestReplyIsError(t *testing.T) {
	err := fmt.Errorf("upload: %w", Multi(CodeExceedsAllowance, "first", "Too large."))
	var r Reply
	if !errors.As(err, &r) || r.Code != CodeExceedsAllowance || r.Error() != "552 Too large." {
		t.Errorf("%+v", r)
	}
	if !(Reply{}).IsZero() || r.IsZero() || (Reply{}).Error() != "0 " {
		t.Error("the zero value is not told from a reply")
	}
	if r.Positive() || !Say(CodePending, "").Positive() || !Say(CodeDataOpen, "").Positive() {
		t.Error("positive and negative codes are mixed up")
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"/": `"/"`, `/a"b"`: `"/a""b"""`, "": `""`} {
		if got := Quote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// parseReply reads one reply as a client does (RFC 959 §4.2) and returns what
// comes after it.
func parseReply(b []byte) (code string, n int, rest []byte, err error) {
	for {
		line, after, ok := bytes.Cut(b, []byte("\r\n"))
		if !ok {
			return code, n, b, errors.New("a line has no end")
		}
		n++
		if n == 1 {
			if len(line) < 4 || strings.Trim(string(line[:3]), "0123456789") != "" || line[3] != ' ' && line[3] != '-' {
				return code, n, after, fmt.Errorf("first line %q", line)
			}
			code = string(line[:3])
		}
		if len(line) >= 4 && string(line[:3]) == code && line[3] == ' ' {
			return code, n, after, nil
		}
		b = after
	}
}

// FuzzReply holds that whatever stands in the texts, a client reads exactly one
// reply of exactly the lines that were meant, and a terminal is not steered.
func FuzzReply(f *testing.F) {
	f.Add(200, "Done.", 0)
	f.Add(211, "a|211 b|c", 0)
	f.Add(550, "x\r\n230 in|\n|\r", 3)
	f.Add(226, "\u0085\x9b\xc2|\xff\xfe", 2)
	f.Fuzz(func(t *testing.T, code int, text string, cut int) {
		code = 100 + (code%500+500)%500
		texts := strings.Split(text, "|")
		r := Multi(Code(code), texts...)
		b := r.Append(nil)
		got, n, rest, err := parseReply(b)
		if err != nil || len(rest) != 0 || got != fmt.Sprint(code) || n != len(texts) {
			t.Fatalf("%q: code %s, %d lines, rest %q, %v", b, got, n, rest, err)
		}
		for i, line := range strings.Split(strings.TrimSuffix(string(b), "\r\n"), "\r\n") {
			if i > 0 && i < n-1 && line[0] != ' ' {
				t.Fatalf("inner line %q does not begin with a space", line)
			}
			if utf8.ValidString(line) && strings.ContainsFunc(line, control) {
				t.Fatalf("line %q holds a control character", line)
			}
			if strings.ContainsAny(line, "\r\n\x00\x1b\x7f") {
				t.Fatalf("line %q", line)
			}
		}
		if cut = min(max(cut, 0), len(b)); !bytes.Equal(r.Append(bytes.Clone(b[:cut])), append(bytes.Clone(b[:cut]), b...)) {
			t.Fatal("what stood before the reply has changed")
		}
	})
}

func control(c rune) bool { return c != '\t' && (c < 0x20 || c >= 0x7f && c < 0xa0) }

// TestCodes holds that a code is a reply code, and that its first digit says
// what RFC 959 §4.2.1 has it say.
func TestCodes(t *testing.T) {
	for _, c := range []Code{CodeDataOpen, CodeFileOK} {
		if c/100 != 1 {
			t.Errorf("%d is no preliminary reply", c)
		}
	}
	for _, c := range []Code{CodeNeedPassword, CodePending} {
		if c/100 != 3 {
			t.Errorf("%d is no intermediate reply", c)
		}
	}
	for _, c := range []Code{CodeNotAvailable, CodeCantOpenData, CodeAborted, CodeFileBusy, CodeLocalError, CodeNoSpace,
		CodeNoSecurity} {
		if c/100 != 4 {
			t.Errorf("%d is no transient refusal", c)
		}
	}
	for _, c := range []Code{CodeUnrecognized, CodeBadArgument, CodeNotImplemented, CodeBadSequence, CodeBadParameter,
		CodeProtNotHere, CodeWrongFamily, CodeNotLoggedIn, CodePolicyDenied, CodeUnavailable, CodeExceedsAllowance,
		CodeBadName, CodeBadRestart, CodeCannotClear, CodeWrongType, CodeNotHashed} {
		if c/100 != 5 {
			t.Errorf("%d is no permanent refusal", c)
		}
	}
}
