package screen_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/screen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestShown(t *testing.T) {
	for text, want := range map[string]string{
		"/pub/debian.iso":                "/pub/debian.iso",
		"a\x1b[2Jb":                      `a\x1b[2Jb`,
		"a\r\nb\tc":                      `a\r\nb\tc`,
		`a\nb`:                           `a\\nb`,
		"a\xffb":                         `a\xffb`,
		"a\u202egpj.exe":                 `a\u202egpj.exe`,
		"\u2066x\u2069":                  `\u2066x\u2069`,
		"\u200b\ufeff\u00ad":             `\u200b\ufeff\u00ad`,
		"a\u0085b\u009bc":                `a\u0085b\u009bc`,
		"größe 日本 שלום":                  "größe 日本 שלום",
		"e\u0301\u0301\u0301\u0301":      "e\u0301\u0301" + `\u0301\u0301`,
		"\u0301e":                        `\u0301e`,
		"\u00a0\u3000":                   `\u00a0\u3000`,
		"\U000e0041":                     `\U000e0041`,
		"\u3164\u2800":                   `\u3164\u2800`,
		"\ue000":                         `\ue000`,
		"\U0001f600":                     "\U0001f600",
		strings.Repeat("z\u0300", 2):     strings.Repeat("z\u0300", 2),
		"\x7f":                           `\x7f`,
		"line\u2028paragraph\u2029":      `line\u2028paragraph\u2029`,
		"\u200f\u200e\u061c":             `\u200f\u200e\u061c`,
		"\U0001f468\u200d\U0001f469":     "\U0001f468" + `\u200d` + "\U0001f469",
		"\u2067\u202a\u202b\u202c\u202d": `\u2067\u202a\u202b\u202c\u202d`,
	} {
		if got := screen.Shown(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func TestWidthAndCut(t *testing.T) {
	for _, c := range []struct {
		text      string
		width     int
		most      int
		cut, left string
	}{
		{"abcdef", 6, 4, "abc…", "…def"},
		{"abc", 3, 3, "abc", "abc"},
		{"日本語", 6, 4, "日…", "…語"},
		{"日本語", 6, 5, "日本…", "…本語"},
		{"e\u0301x\u0301y", 3, 2, "e\u0301…", "…y"},
		{"abc", 3, 1, "…", "…"},
		{"abc", 3, 0, "", ""},
		{"\U0001f600\U0001f600", 4, 3, "\U0001f600…", "…\U0001f600"},
	} {
		if got := screen.Width(c.text); got != c.width {
			t.Errorf("%q has %d columns, want %d", c.text, got, c.width)
		}
		if got := screen.Cut(c.text, c.most); got != c.cut {
			t.Errorf("Cut(%q, %d) is %q, want %q", c.text, c.most, got, c.cut)
		}
		if got := screen.CutLeft(c.text, c.most); got != c.left {
			t.Errorf("CutLeft(%q, %d) is %q, want %q", c.text, c.most, got, c.left)
		}
	}
	if got := screen.Fill("日本", 5); got != "日本 " {
		t.Errorf("Fill is %q", got)
	}
}

func TestKeys(t *testing.T) {
	for text, want := range map[string][]screen.Key{
		"q":                        {'q'},
		"\x1b[A\x1b[B\x1bOC\x1bOD": {screen.KeyUp, screen.KeyDown, screen.KeyRight, screen.KeyLeft},
		"\x1b[5~\x1b[6~\x1b[1~\x1b[4~\x1b[3~\x1b[H\x1b[F": {screen.KeyPageUp, screen.KeyPageDown, screen.KeyHome, screen.KeyEnd, screen.KeyErase, screen.KeyHome, screen.KeyEnd},
		"\x1b":                   {screen.KeyEscape},
		"\x1bx":                  {screen.KeyEscape, 'x'},
		"\x1b[1;5A":              {screen.KeyUp},
		"\x1b[99":                {screen.KeyOther},
		"\x1b[\x01":              {screen.KeyOther, screen.KeyOther},
		"ü\xff":                  {'ü', screen.KeyOther},
		"\r\x7f\x08\x03\x04\x01": {screen.KeyEnter, screen.KeyErase, screen.KeyErase, screen.KeyBreak, screen.KeyBreak, screen.KeyOther},
	} {
		if got := screen.Keys([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

func FuzzShown(f *testing.F) {
	f.Add("a\x1b[2J\u202e", 5)
	f.Add("e\u0301\u0301\u0301日本", 3)
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = max(0, min(most, 200))
		shown := screen.Shown(text)
		for _, r := range shown {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q is shown as %q, with %U in it", text, shown, r)
			}
		}
		for _, cut := range []string{screen.Cut(shown, most), screen.CutLeft(shown, most)} {
			if screen.Width(cut) > most {
				t.Errorf("%q is more than %d columns", cut, most)
			}
		}
		if got := screen.Width(screen.Fill(shown, most)); got != most {
			t.Errorf("filled to %d columns, not %d", got, most)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte("\x1b[1;5A\x1bO\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if n := len(screen.Keys(in)); n > len(in) || n == 0 && len(in) > 0 {
			t.Errorf("%d keys of %d bytes", n, len(in))
		}
	})
}
