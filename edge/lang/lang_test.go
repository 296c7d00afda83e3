package lang

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// catalogue is one with some texts, given as English and translation in turn.
func catalogue(t testing.TB, tag string, texts ...string) Catalogue {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(texts); i += 2 {
		m[texts[i]] = texts[i+1]
	}
	data, err := json.Marshal(map[string]any{"language": tag, "name": "Name of " + tag, "texts": m})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFind(t *testing.T) {
	s, err := NewSet("", catalogue(t, "de", "aa", "de a", "bb", "de b", "cc", "de c"),
		catalogue(t, "de-CH", "aa", "ch a"), catalogue(t, "pt-BR"), catalogue(t, "pt-PT"), catalogue(t, "zh-Hant-TW"),
		catalogue(t, "de", "cc", "mine c"), catalogue(t, "DE-ch-1996-x-my", "bb", "later b"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Tags(); !slices.Equal(got, []string{"de", "de-CH", "DE-ch-1996-x-my", "en", "pt-BR", "pt-PT", "zh-Hant-TW"}) {
		t.Errorf("%q", got)
	}
	for tag, want := range map[string]string{
		"de": "de", "DE": "de", "de-AT": "de", "de-ch": "de-CH", "de-CH-1901": "de-CH", "de-ch-1996-X-MY": "DE-ch-1996-x-my",
		"de-CH-1996-x": "de-CH", "en": "en", "en-GB": "en", "EN-us-posix": "en", "pt": "pt-BR", "pt-PT": "pt-PT",
		"zh": "zh-Hant-TW", "de-x-private": "de",
		"pt-AO": "", "zh-Hant": "", "zh-TW": "", "fr": "", "dd": "", "deu": "", "": "", "-": "", "de-": "", "de--CH": "", "de_CH": "", "*": "", "ge/../de": "",
	} {
		c, ok := s.Find(tag)
		if ok != (want != "") || ok && c.Tag() != want {
			t.Errorf("%q finds %v, %v; want %q", tag, c, ok, want)
		}
	}
	for _, c := range []struct{ tag, english, want string }{
		{"de", "aa", "de a"}, {"de", "cc", "mine c"}, {"de", "dd", "dd"},
		{"de-CH", "aa", "ch a"}, {"de-CH", "bb", "de b"}, {"de-CH", "cc", "mine c"},
		{"de-ch-1996-x-my", "aa", "ch a"}, {"de-ch-1996-x-my", "bb", "later b"}, {"en", "aa", "aa"}, {"pt", "aa", "aa"},
	} {
		if found, ok := s.Find(c.tag); !ok || found.Say(c.english) != c.want {
			t.Errorf("%s: %q is %q, want %q", c.tag, c.english, found.Say(c.english), c.want)
		}
	}
	if s.Default().Tag() != English || !s.Default().Identity() || s.Feature(s.Default()) != "LANG de;de-CH;DE-ch-1996-x-my;en*;pt-BR;pt-PT;zh-Hant-TW" {
		t.Errorf("%s, %s", s.Default().Tag(), s.Feature(s.Default()))
	}
}

func TestDefault(t *testing.T) {
	de := catalogue(t, "de", "aa", "de a")
	s, err := NewSet("de-AT", de)
	if err != nil || s.Default().Say("aa") != "de a" || s.Feature(nil) != "LANG de;en*" || s.Feature(s.Default()) != "LANG de*;en" {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := NewSet("fr", de); err == nil || !strings.Contains(err.Error(), `"fr": de, en are there`) {
		t.Error(err)
	}
	// English can be changed too.
	s, err = NewSet("", catalogue(t, "en", "Goodbye.", "So long."))
	if err != nil || s.Default().Say("Goodbye.") != "So long." || s.Default().Identity() {
		t.Errorf("%v, %v", s, err)
	}
	var none *Set
	c, ok := none.Find("en-GB")
	if !ok || c.Tag() != English || c.Say("aa") != "aa" || none.Feature(nil) != "LANG en*" || none.Default().Say("aa") != "aa" || !none.Default().Identity() {
		t.Errorf("%v, %v", c, ok)
	}
	if _, ok := none.Find("de"); ok {
		t.Error("a nil set has German")
	}
	var nobody *Catalogue
	if nobody.Tag() != English || nobody.Name() != "English" || nobody.Keys() != nil {
		t.Error("a nil catalogue is not English")
	}
}

// Making a set leaves the catalogues alone, so that they can be in several.
func TestSetCopies(t *testing.T) {
	de, at := catalogue(t, "de", "aa", "de a"), catalogue(t, "de-AT")
	for range 2 {
		if _, err := NewSet("", de, at, catalogue(t, "de", "bb", "de b")); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(de.Keys(), []string{"aa"}) || len(at.Keys()) != 0 {
		t.Errorf("%q, %q", de.Keys(), at.Keys())
	}
}

func TestParse(t *testing.T) {
	c, err := Parse([]byte("\ufeff{\"texts\": {\"%s is %d bytes.\": \"%[2]d Bytes: %[1]s\",\n\"later\": \"\", \"End\": \"End\"},\n \"name\": \"Deutsch\", \"language\": \"de\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Tag() != "de" || c.Name() != "Deutsch" || c.Say("%s is %d bytes.") != "%[2]d Bytes: %[1]s" || c.Say("later") != "later" {
		t.Errorf("%+v", c)
	}
	if _, err := Parse([]byte(`{"language": "de", "name": "Deutsch", "texts": {}}`)); err != nil {
		t.Error(err)
	}
	head := "{\"language\": \"de\", \"name\": \"Deutsch\",\n \"texts\": {\n"
	for in, want := range map[string][]string{
		"":                      {"1:1: this is not JSON"},
		"[]":                    {"1:1: a catalogue is to be an object"},
		"{":                     {"1:2: this is not JSON"},
		"{}":                    {`1:1: "language" is missing`, `1:1: "name" is missing`, `1:1: "texts" is missing`},
		"{\n  \"language\": 7}": {`2:15: "language" is to be a string`},
		`{"language": "de_DE", "name": "x", "texts": {}}`: {`1:14: "de_DE" is no language tag`},
		`{"lang": "de"}`:                   {`1:2: "lang" is not known here`},
		"{\"language\": \"de\"\n \"name\"": {"2:2: this is not JSON"},
		`{"language": "de", "language": "fr", "name": "x", "texts": {}}`: {`1:20: "language": stands in the file twice`},
		`{"language": "de", "name": "a\nb", "texts": {}}`:                {"1:28: holds a control character"},
		head + `}} {}`:                    {"3:4: this is not JSON"},
		head + `"aa": ["bb"]}}`:           {"3:7: a translation is to be a string"},
		head + `"aa": null}}`:             {"3:7: a translation is to be a string"},
		head + `"aa": "bb", "aa": "cc"}}`: {`3:13: "aa": stands in the file twice`},
		head + `"aa%s": "bb"}}`:           {`3:9: "aa%s": argument 1 (%s) is missing`},
		head + "\"aa\": \"b\\u0085\"}}":   {`3:7: "aa": holds a control character`},
		head + "\"aa\": \"b\\u001b[\"}}":  {`3:7: "aa": holds a control character`},
		head + "\"aa\\r\\n\": \"b\"}}":    {`3:1: "aa\r\n": holds a control character`},
		head + "\"aa\": \"\\ud800\"}}":    {`3:7: "aa": holds a control character or a broken one`},
		head + "\"aa\": \"\xff\"}}":       {"3:8: the file is not UTF-8"},
		head + "\"aa\": \"b\nc\"}}":       {"3:9: this is not JSON"},
		head + `"UNIX Type: L8": "VMS"}}`: {`3:18: "UNIX Type: L8": clients read this text`},
		head + "\"aa%s\": \"b\",\n\"bb%d\":\n  \"%s\", \"ok\": \"gut\"}}": {
			`3:9: "aa%s": argument 1 (%s) is missing`, `5:3: "bb%d": argument 1 is %d in English and %s in the translation`},
		strings.Repeat(" ", maxFile+1): {"1:1: the file is longer"},
		strings.Repeat("[", 20000):     {"1:10001: this is not JSON"},
	} {
		_, err := Parse([]byte(in))
		if err == nil {
			t.Errorf("%.80q: taken", in)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		var one *Error
		if len(lines) != len(want) || !errors.As(err, &one) || one.Line < 1 || one.Col < 1 {
			t.Errorf("%.80q: %q, want %q", in, lines, want)
			continue
		}
		for i := range want {
			if !strings.HasPrefix(lines[i], want[i]) {
				t.Errorf("%.80q: %q, want %q", in, lines[i], want[i])
			}
		}
	}
}

// A template is a catalogue when its head is filled in, and everything in it is
// still said in English.
func TestTemplate(t *testing.T) {
	built, err := BuiltIn()
	if err != nil || len(built) == 0 {
		t.Fatal(built, err)
	}
	keys := append(built[0].Keys(), "PBSZ=0", "%d", `<"am&">`, built[0].Keys()[0])
	file := string(Template(keys))
	if strings.Contains(file, "PBSZ=0") || !strings.Contains(file, `"<\"am&\">": ""`) || strings.Count(file, "\n    ") != len(built[0].Keys())+1 {
		t.Errorf("%s", file)
	}
	if _, err := Parse([]byte(file)); err == nil || !strings.Contains(err.Error(), `2:15: "" is no language tag`) {
		t.Error(err)
	}
	c, err := Parse([]byte(strings.Replace(file, `"language": ""`, `"language": "fr"`, 1)))
	if err != nil || c.Tag() != "fr" || len(c.Keys()) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := Parse(Template(nil)); err == nil {
		t.Error("an empty template has a language")
	}
}

func TestBuiltIn(t *testing.T) {
	built, err := BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSet("", built...)
	if err != nil {
		t.Fatal(err)
	}
	de, ok := s.Find("de-AT")
	if !ok || de.Name() != "Deutsch" || de.Say("You are logged in.") != "Sie sind angemeldet." {
		t.Errorf("%v, %v", de, ok)
	}
	for _, key := range de.Keys() {
		if fmt.Sprintf("%c", []rune(key)[0]) == " " || strings.TrimSpace(de.Say(key)) != de.Say(key) {
			t.Errorf("%q is %q", key, de.Say(key))
		}
		if last := key[len(key)-1]; (last == '.' || last == ':') && de.Say(key)[len(de.Say(key))-1] != last {
			t.Errorf("%q is %q: they do not end alike", key, de.Say(key))
		}
	}
}

// FuzzParse holds that what is taken is sound, and what is refused has a place.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"language": "de", "name": "Deutsch", "texts": {"%s is %d.": "%[2]d: %[1]s"}}`))
	f.Add([]byte("{\"texts\": {\"aa\": \"b\", \"a\":\n \"\x1b\"}, \"x\": 1}"))
	f.Add([]byte("\ufeff{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			var one *Error
			if !errors.As(err, &one) || one.Line < 1 || one.Col < 1 || one.Line > strings.Count(string(data), "\n")+1 {
				t.Fatalf("%v", err)
			}
			return
		}
		if !ValidTag(c.Tag()) {
			t.Fatalf("the tag is %q", c.Tag())
		}
		for _, key := range c.Keys() {
			if err := compare(key, c.Say(key)); err != nil || c.Say(key) == "" || strings.ContainsAny(c.Say(key), "\r\n\x00\x1b") {
				t.Fatalf("%q is %q: %v", key, c.Say(key), err)
			}
		}
		if s, err := NewSet(c.Tag(), c); err != nil || !strings.EqualFold(s.Default().Tag(), c.Tag()) {
			t.Fatal(s, err)
		}
	})
}

// FuzzFind holds that a tag finds a language of its own primary tag or none.
func FuzzFind(f *testing.F) {
	s, err := NewSet("", catalogue(f, "de"), catalogue(f, "de-CH"), catalogue(f, "pt-BR"), catalogue(f, "x-klingon"))
	if err != nil {
		f.Fatal(err)
	}
	for _, tag := range []string{"de-AT", "pt", "x", "en--", "-de", "de-x-y-z", "i-default"} {
		f.Add(tag)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		c, ok := s.Find(tag)
		if !ok {
			return
		}
		asked, _, _ := strings.Cut(tag, "-")
		got, _, _ := strings.Cut(c.Tag(), "-")
		if !ValidTag(tag) || !strings.EqualFold(asked, got) {
			t.Fatalf("%q finds %q", tag, c.Tag())
		}
	})
}
