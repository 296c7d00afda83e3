package charset

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

func charset(t testing.TB, name string, mode Mode) *Charset {
	t.Helper()
	c, err := New(name, mode)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"": "UTF-8", "utf8": "UTF-8", "UTF-8": "UTF-8", "utf_8": "UTF-8",
		"latin1": "ISO-8859-1", "latin-1": "ISO-8859-1", "iso8859-1": "ISO-8859-1", "ISO_8859-1:1987": "ISO-8859-1",
		"iso8859_15": "ISO-8859-15", "Latin-9": "ISO-8859-15", "latin9": "ISO-8859-15",
		"windows-1252": "windows-1252", "cp1252": "windows-1252", "CP1251": "windows-1251", "win1251": "windows-1251",
		"koi8-r": "KOI8-R", "KOI8R": "KOI8-R", "koi8_u": "KOI8-U",
		"Shift_JIS": "Shift_JIS", "sjis": "Shift_JIS", "shift-jis": "Shift_JIS", "euc-jp": "EUC-JP", "EUC_KR": "EUC-KR",
		"GBK": "GBK", "gb2312": "GBK", "gb18030": "GB18030", "Big5": "Big5", "cp437": "IBM437", "us-ascii": "US-ASCII", "ascii": "US-ASCII",
	} {
		c, err := New(name, Default)
		if err != nil || c.Name() != want {
			t.Errorf("%q is %q, %v; want %q", name, c.Name(), err, want)
			continue
		}
		if utf := want == "UTF-8"; c.UTF8() != utf || c.Identity() != utf || utf != (c.Mode() == Keep) || !utf && c.Mode() != Strict {
			t.Errorf("%q: UTF8 is %v, Identity %v, the mode %v", name, c.UTF8(), c.Identity(), c.Mode())
		}
	}
	for name, want := range map[string]error{
		"UTF-16": ErrUnusable, "utf-16le": ErrUnusable, "UTF-32BE": ErrUnusable, "utf-7": ErrUnusable, "ISO-10646-UCS-2": ErrUnusable,
		"ISO-2022-JP": ErrUnusable, "iso2022-kr": ErrUnusable, "csISO2022JP": ErrUnusable, "HZ-GB-2312": ErrUnusable,
		"IBM037": ErrUnusable, "IBM1047": ErrUnusable, "IBM01140": ErrUnusable, "ebcdic-cp-us": ErrUnusable,
		"klingon": ErrUnknown, "EBCDIC-PT": ErrUnknown, "utf-9": ErrUnknown, "x-user-defined": ErrUnknown, "../../etc": ErrUnknown,
	} {
		if c, err := New(name, Default); !errors.Is(err, want) || c != nil {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
}

func TestModes(t *testing.T) {
	for name, want := range map[string]Mode{"": Default, "keep": Keep, "replace": Replace, "strict": Strict, "ignore": Ignore} {
		if m, err := ParseMode(name); m != want || err != nil || m.String() != name {
			t.Errorf("%q: %v, %v", name, m, err)
		}
	}
	if _, err := ParseMode("Keep "); !errors.Is(err, ErrMode) {
		t.Error(err)
	}
	for _, c := range []struct {
		name string
		mode Mode
	}{{"latin1", Keep}, {"utf-8", Ignore + 1}, {"latin1", 200}} {
		if _, err := New(c.name, c.mode); !errors.Is(err, ErrMode) {
			t.Errorf("%q with %d: %v", c.name, c.mode, err)
		}
	}
	var none *Charset
	got, err := none.Decode(nil, []byte("a\xff"))
	if string(got) != "a\xff" || err != nil || string(none.Encode(nil, []byte("a\xff"))) != "a\xff" ||
		none.Name() != "UTF-8" || none.Mode() != Keep || !none.UTF8() || !none.Identity() {
		t.Errorf("a nil Charset is not UTF-8 with Keep: %q, %v", got, err)
	}
}

func TestDecode(t *testing.T) {
	const bad = "\x00undecodable"
	for _, c := range []struct {
		name string
		mode Mode
		in   string
		want string
	}{
		{"utf-8", Keep, "Grüße \xff\x80", "Grüße \xff\x80"},
		{"utf-8", Replace, "Grüße \xff\xc3", "Grüße \ufffd\ufffd"},
		{"utf-8", Strict, "Grüße \U0001f600 \ufffd", "Grüße \U0001f600 \ufffd"},
		{"utf-8", Strict, "Gr\xfc\xdfe", bad},
		{"utf-8", Strict, "overlong \xc0\xaf", bad},
		{"utf-8", Replace, "overlong \xc0\xae\xc0\xae/", "overlong \ufffd\ufffd\ufffd\ufffd/"},
		{"utf-8", Strict, "surrogate \xed\xa0\x80", bad},
		{"utf-8", Ignore, "a\xffb\xc3/", "ab/"},
		{"latin1", Strict, "Gr\xfc\xdfe \xff", "Grüße ÿ"},
		{"latin1", Strict, "C1 \x85", "C1 \u0085"},
		{"windows-1252", Strict, "\x80 \x93x\x94", "€ “x”"},
		{"windows-1251", Strict, "\xec\xee\xff", "моя"},
		{"koi8-r", Strict, "\xc6\xc1\xca\xcc \xff", "файл Ъ"},
		{"shift_jis", Strict, "\x83\x5c\x81\x5c\\|", "ソ―\\|"},                   // trail bytes 0x5C
		{"shift_jis", Strict, "\x83\x7c\x94\x5c/\x5c", "ポ能/\\"},                 // and 0x7C
		{"shift_jis", Strict, "\xb1\xb2", "ｱｲ"},                                 // half width, one byte each
		{"shift_jis", Strict, "\x81", bad},                                      // cut
		{"shift_jis", Replace, "\x81/\x81", "\ufffd/\ufffd"},                    // a slash is a slash
		{"shift_jis", Replace, "\x85\x5c", "\ufffd\\"},                          // unassigned
		{"shift_jis", Strict, "\xf0\x40", bad},                                  // private use: could not be written again
		{"gbk", Strict, "\xd6\xd0\xce\xc4.txt", "中文.txt"},                       //
		{"gbk", Strict, "\x81\x5c\xe4\x7c\x80", "乗鋦€"},                          // trail bytes that are ASCII
		{"gbk", Ignore, "\xd6/\xce\xc4\xd6", "/文"},                              //
		{"gb18030", Strict, "\x81\x30\x81\x30\x84\x31\xa4\x37", "\u0080\ufffd"}, // four bytes, digits among them
		{"gb18030", Replace, "\x81\x30\x81/", "\ufffd0\ufffd/"},
		{"big5", Strict, "\xa5\x5c\xb3\x5c", "功許"},
		{"big5", Strict, "\x88\x62", bad}, // one sequence, two characters
		{"euc-jp", Strict, "\xc6\xfc\xcb\xdc \x8e\xb1", "日本 ｱ"},
		{"euc-kr", Strict, "\xc7\xd1\xb1\xdb", "한글"},
		{"us-ascii", Strict, "plain ~", "plain ~"},
		{"us-ascii", Strict, "\x80", bad},
		{"us-ascii", Replace, "\x80", "\ufffd"},
	} {
		cs := charset(t, c.name, c.mode)
		got, err := cs.Decode([]byte("before "), []byte(c.in))
		if c.want == bad {
			if !errors.Is(err, ErrUndecodable) || string(got) != "before " {
				t.Errorf("%s, %v: %q became %q, %v", c.name, c.mode, c.in, got, err)
			}
			continue
		}
		if string(got) != "before "+c.want || err != nil {
			t.Errorf("%s, %v: %q became %q, %v; want %q", c.name, c.mode, c.in, got, err, c.want)
		}
	}
}

func TestEncode(t *testing.T) {
	for _, c := range []struct {
		name string
		mode Mode
		in   string
		want string
	}{
		{"utf-8", Keep, "ü\xff", "ü\xff"},
		{"utf-8", Replace, "ü\xff\ufffd", "ü\ufffd\ufffd"},
		{"utf-8", Strict, "ü\xff", "ü\ufffd"},
		{"utf-8", Ignore, "ü\xff.", "ü."},
		{"latin1", Replace, "Grüße ÿ", "Gr\xfc\xdfe \xff"},
		{"latin1", Strict, "€ 日\xff.", "? ??."},
		{"latin1", Ignore, "€ 日\xff.", " ."},
		{"latin1", Replace, "\ufffd", "?"},
		{"windows-1252", Strict, "€", "\x80"},
		{"windows-1251", Strict, "моя", "\xec\xee\xff"},
		{"koi8-r", Strict, "файл Ъ ü", "\xc6\xc1\xca\xcc \xff ?"},
		{"shift_jis", Strict, "ソ―\\| ¥ ‾ ü", "\x83\x5c\x81\x5c\\| ? ? ?"},
		{"gbk", Strict, "中文€ü\U0001f600", "\xd6\xd0\xce\xc4\x80\xa8\xb9?"},
		{"gb18030", Strict, "\U0001f600 \xff", "\x94\x39\xfc\x36 \x84\x31\xa4\x37"},
		{"us-ascii", Strict, "ü", "?"},
		{"us-ascii", Ignore, "ü", ""},
	} {
		cs := charset(t, c.name, c.mode)
		if got := cs.Encode([]byte("before "), []byte(c.in)); string(got) != "before "+c.want {
			t.Errorf("%s, %v: %q became %q, want %q", c.name, c.mode, c.in, got, c.want)
		}
	}
}

// usable are the names of the encodings of golang.org/x/text that can be used; that
// of those which cannot, none is let through, is what sorts them.
func usable(t testing.TB) (names []string) {
	t.Helper()
	refused := 0
	for _, all := range [][]encoding.Encoding{charmap.All, japanese.All, korean.All, simplifiedchinese.All, traditionalchinese.All, unicode.All} {
		for _, e := range all {
			name, err := ianaindex.IANA.Name(e)
			if err != nil || name == "UTF-8" {
				continue
			}
			switch _, err := New(name, Default); {
			case err == nil:
				names = append(names, name)
			case errors.Is(err, ErrUnusable):
				refused++
			default:
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if len(names) < 40 || refused < 7 {
		t.Errorf("%d encodings are usable and %d are refused", len(names), refused)
	}
	return names
}

// Every sequence of one and two bytes in every encoding, alone and before a slash:
// ASCII comes from ASCII only, and what is taken can be written and read again.
func TestSweep(t *testing.T) {
	for _, name := range usable(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cs, lossy := charset(t, name, Strict), charset(t, name, Replace)
			known := 0
			var in []byte
			for b := 0; b < 0x10000; b++ {
				if in = append(in[:0], byte(b>>8), byte(b)); b < 0x100 {
					in = in[1:]
				}
				if text, err := cs.Decode(nil, in); err == nil {
					known++
					again, err := cs.Decode(nil, cs.Encode(nil, text))
					if err != nil || !bytes.Equal(again, text) {
						t.Fatalf("%x is %q, which is written %x and read %q, %v", in, text, cs.Encode(nil, text), again, err)
					}
				}
				if text, _ := lossy.Decode(nil, append(in, '/')); text[len(text)-1] != '/' || steers(text) != steersIn(append(in, '/')) {
					t.Fatalf("%x and a slash are %q", in, text)
				}
			}
			if known < 128 {
				t.Errorf("only %d sequences mean anything", known)
			}
		})
	}
}

// steers returns the control characters, slashes and dots of a text: what a line or
// a path is made of.
func steers(text []byte) string {
	return string(bytes.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '/' || r == '.' {
			return r
		}
		return -1
	}, text))
}

// steersIn returns those of undecoded bytes. None of them is ever part of a longer
// sequence.
func steersIn(in []byte) string {
	var out []byte
	for _, c := range in {
		if c < 0x20 || c == 0x7f || c == '/' || c == '.' {
			out = append(out, c)
		}
	}
	return string(out)
}

func TestAllocations(t *testing.T) {
	line, dst := []byte("STOR a plain name.txt"), make([]byte, 0, 256)
	for _, name := range []string{"utf-8", "latin1", "shift_jis"} {
		cs := charset(t, name, Strict)
		if n := testing.AllocsPerRun(100, func() {
			_, _ = cs.Decode(dst, line)
			_ = cs.Encode(dst, line)
		}); n > 0 {
			t.Errorf("%s: %v allocations for ASCII", name, n)
		}
	}
	cs, line := charset(t, "latin1", Strict), []byte("STOR Gr\xfc\xdfe")
	if n := testing.AllocsPerRun(100, func() { _, _ = cs.Decode(dst, line) }); n > 0 {
		t.Errorf("%v allocations for Latin-1", n)
	}
}

// One Charset serves any number of goroutines: for the race detector.
func TestConcurrent(t *testing.T) {
	cs := charset(t, "gb18030", Strict)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				got, err := cs.Decode(nil, cs.Encode(nil, []byte("中文 \U0001f600")))
				if string(got) != "中文 \U0001f600" || err != nil {
					t.Errorf("%q, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzDecode holds for any bytes in any encoding: Strict takes only what it can
// give back, and no mode makes or loses ASCII that steers anything.
func FuzzDecode(f *testing.F) {
	names := append(usable(f), "UTF-8")
	f.Add(uint8(0), []byte("STOR \x83\x5c/\x81\r\n\x00.."))
	f.Add(uint8(3), []byte("\x84\x31\xa4\x37\x81\x30\x81"))
	f.Fuzz(func(t *testing.T, which uint8, in []byte) {
		name := names[int(which)%len(names)]
		strict := charset(t, name, Strict)
		text, err := strict.Decode(nil, in)
		for _, mode := range []Mode{Replace, Ignore} {
			other, oerr := charset(t, name, mode).Decode(nil, in)
			if oerr != nil || err == nil && !bytes.Equal(other, text) {
				t.Fatalf("%s: %x is %q strictly and %q by %v, %v", name, in, text, other, mode, oerr)
			}
			if !utf8.Valid(other) || steers(other) != steersIn(in) {
				t.Fatalf("%s, %v: %x became %q", name, mode, in, other)
			}
		}
		if err != nil {
			if !errors.Is(err, ErrUndecodable) || len(text) > 0 {
				t.Fatalf("%s: %x: %q, %v", name, in, text, err)
			}
			return
		}
		again, err := strict.Decode(nil, strict.Encode(nil, text))
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%s: %x is %q, written %x, and then %q, %v", name, in, text, strict.Encode(nil, text), again, err)
		}
	})
}

// FuzzEncode holds for any text in any encoding: no control character, slash or
// dot comes about, and what is written can be read.
func FuzzEncode(f *testing.F) {
	names := append(usable(f), "UTF-8")
	f.Add(uint8(0), "Grüße ÿ\xff\r\n€ ソ ¥")
	f.Add(uint8(9), "\U0001f600\ufffd\x80")
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		name := names[int(which)%len(names)]
		for _, mode := range []Mode{Replace, Strict, Ignore} {
			cs := charset(t, name, mode)
			out := cs.Encode([]byte("x"), []byte(text))
			if !strings.HasPrefix(string(out), "x") || steersIn(out) != steers([]byte(text)) {
				t.Fatalf("%s, %v: %q is written %q", name, mode, text, out)
			}
			back, err := charset(t, name, Strict).Decode(nil, out)
			if err != nil || mode == Strict && !strings.Contains(text, "?") && !bytes.ContainsAny(back, "?\ufffd") && string(back) != "x"+text {
				t.Fatalf("%s, %v: %q is written %q and read %q, %v", name, mode, text, out, back, err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for name, line := range map[string]string{"utf-8": "STOR Grüße.txt", "latin1": "STOR Gr\xfc\xdfe.txt", "shift_jis": "STOR \x83\x5c\x94\x5c.txt"} {
		b.Run(name, func(b *testing.B) {
			cs, dst := charset(b, name, Strict), make([]byte, 0, 64)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = cs.Decode(dst, []byte(line))
			}
		})
	}
}
