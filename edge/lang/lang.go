package lang

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

//go:embed catalogues
var builtIn embed.FS

// English is the tag of the language in which the server's texts are written.
const English = "en"

// Catalogue is the server's texts in one language. It is not changed once it was
// made. The zero value is English.
type Catalogue struct {
	tag, name string
	texts     map[string]string // English format to translation
}

// Tag returns the language's tag (RFC 5646), such as "de" or "pt-BR".
func (c *Catalogue) Tag() string {
	if c == nil || c.tag == "" {
		return English
	}
	return c.tag
}

// Name returns the language's name in the language itself.
func (c *Catalogue) Name() string {
	if c == nil || c.tag == "" {
		return "English"
	}
	return c.name
}

// Say returns the translation of an English text or format, and the text itself
// when there is none. It is made for wire.Reply's In.
func (c *Catalogue) Say(english string) string {
	if c == nil {
		return english
	}
	if text, ok := c.texts[english]; ok {
		return text
	}
	return english
}

// Identity reports whether Say changes nothing, so that it need not be called.
func (c *Catalogue) Identity() bool { return c == nil || len(c.texts) == 0 }

// Keys returns the English texts that the catalogue has translations of, sorted.
func (c *Catalogue) Keys() []string {
	if c == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(c.texts))
}

// BuiltIn returns the catalogues that come with the server, in the order of their
// tags. The error says that one of them is broken, which a test rules out.
func BuiltIn() ([]Catalogue, error) {
	var out []Catalogue
	err := fs.WalkDir(builtIn, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := builtIn.ReadFile(path)
		if err != nil {
			return err
		}
		c, err := Parse(data)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, c)
		return nil
	})
	return out, err
}

// Set is the languages of a server. It is not changed once it was made and may be
// used by any number of goroutines. A nil Set has English alone.
type Set struct {
	all []*Catalogue // in the order of their tags
	def *Catalogue
}

// NewSet returns the set of the given catalogues and English. Of several with the
// same tag the later ones add to the earlier and win over them, so that an
// operator may change single texts, those of English too. What "de-AT" lacks is
// said in "de", if that is there, and else in English. def is the tag of the
// default language (RFC 2640 §4.1), "" is English; the error says that there is no
// such language, and which there are.
func NewSet(def string, cats ...Catalogue) (*Set, error) {
	byTag := map[string]*Catalogue{English: {}}
	for _, c := range cats {
		key := strings.ToLower(c.Tag())
		merged := &Catalogue{tag: c.tag, name: c.name, texts: map[string]string{}}
		if old := byTag[key]; old != nil {
			maps.Copy(merged.texts, old.texts)
		}
		maps.Copy(merged.texts, c.texts)
		byTag[key] = merged
	}
	s := &Set{}
	for _, key := range slices.Sorted(maps.Keys(byTag)) { // a language before its variants
		c := byTag[key]
		for parent := shorten(key); parent != ""; parent = shorten(parent) {
			if p := byTag[parent]; p != nil {
				texts := maps.Clone(p.texts)
				maps.Copy(texts, c.texts)
				c.texts = texts
				break
			}
		}
		s.all = append(s.all, c)
	}
	s.def = byTag[English]
	if def != "" {
		var ok bool
		if s.def, ok = s.Find(def); !ok {
			return nil, fmt.Errorf("there are no texts in the language %q: %s are there", def, strings.Join(s.Tags(), ", "))
		}
	}
	return s, nil
}

// shorten takes the last subtag off a tag, and a single letter before it (RFC 4647
// §3.4); "" when nothing is left.
func shorten(tag string) string {
	tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
	if i := strings.LastIndexByte(tag, '-'); i >= 0 && i == len(tag)-2 {
		tag = tag[:i]
	}
	return tag
}

// Default returns the language of clients that ask for none; LANG without an
// argument goes back to it.
func (s *Set) Default() *Catalogue {
	if s == nil {
		return nil
	}
	return s.def
}

// Tags returns the tags of the languages, sorted.
func (s *Set) Tags() []string {
	if s == nil {
		return []string{English}
	}
	tags := make([]string, 0, len(s.all))
	for _, c := range s.all {
		tags = append(tags, c.Tag())
	}
	return tags
}

// Find returns the language for the tag that a client asks for, in any case: the
// one of that tag, or else of the tag without its last subtags (RFC 4647 §3.4: "de"
// for "de-CH-1996"). A tag of one subtag also finds its first variant ("pt-BR" for
// "pt", RFC 2640 §4.1); one variant is never given for another.
func (s *Set) Find(tag string) (*Catalogue, bool) {
	if !ValidTag(tag) {
		return nil, false
	}
	tag = strings.ToLower(tag)
	if s == nil {
		s = &Set{all: []*Catalogue{{}}}
	}
	for t := tag; t != ""; t = shorten(t) {
		for _, c := range s.all {
			if strings.EqualFold(c.Tag(), t) {
				return c, true
			}
		}
	}
	for _, c := range s.all {
		if len(c.Tag()) > len(tag) && strings.EqualFold(c.Tag()[:len(tag)+1], tag+"-") && !strings.Contains(tag, "-") {
			return c, true
		}
	}
	return nil, false
}

// Feature returns LANG's line in the reply to FEAT: the languages, and an asterisk
// at the one that is in use (RFC 2640 §4.3).
func (s *Set) Feature(current *Catalogue) string {
	tags := s.Tags()
	for i, t := range tags {
		if t == current.Tag() {
			tags[i] += "*"
		}
	}
	return "LANG " + strings.Join(tags, ";")
}

// ValidTag reports whether a text has the form of a language tag: words of one to
// eight letters and digits with hyphens between them, the first without digits (RFC
// 5646 §2.1). A LANG command with anything else is answered 501.
func ValidTag(tag string) bool {
	if len(tag) > 64 {
		return false
	}
	for i, word := range strings.Split(tag, "-") {
		if len(word) < 1 || len(word) > 8 {
			return false
		}
		for _, c := range []byte(word) {
			if !(c|0x20 >= 'a' && c|0x20 <= 'z') && !(i > 0 && c >= '0' && c <= '9') {
				return false
			}
		}
	}
	return true
}
