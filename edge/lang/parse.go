package lang

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFile bounds a catalogue's file in bytes.
const maxFile = 1 << 20

// Error is one fault of a catalogue's file.
type Error struct {
	Line, Col int    // where, from 1; columns count bytes
	Key       string // the English text, if it is about one
	Reason    string // in words
}

// Error returns the fault as LINE:COL: "KEY": REASON.
func (e *Error) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%d:%d: %s", e.Line, e.Col, e.Reason)
	}
	return fmt.Sprintf("%d:%d: %q: %s", e.Line, e.Col, e.Key, e.Reason)
}

// Parse reads a translator's file: see the package's comment for its form. The
// error holds every fault that was found, each an *Error, joined by errors.Join.
func Parse(data []byte) (Catalogue, error) {
	p := &parser{data: bytes.TrimPrefix(data, []byte("\ufeff"))}
	p.dec = json.NewDecoder(bytes.NewReader(p.data))
	switch bad := invalid(p.data); {
	case len(data) > maxFile:
		p.fault(0, "", "the file is longer than %d bytes", maxFile)
	case bad < len(p.data):
		p.fault(bad, "", "the file is not UTF-8")
	case p.syntax():
		p.file()
	}
	if len(p.faults) > 0 {
		return Catalogue{}, errors.Join(p.faults...)
	}
	return p.out, nil
}

// invalid returns where b is not UTF-8, or its length.
func invalid(b []byte) int {
	i := 0
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		i += n
	}
	return i
}

type parser struct {
	data   []byte
	dec    *json.Decoder
	out    Catalogue
	faults []error
}

// errStop ends the reading of a file in which nothing more can be found.
var errStop = errors.New("stop")

func (p *parser) fault(offset int, key, format string, args ...any) {
	before := p.data[:min(max(offset, 0), len(p.data))]
	line := bytes.Count(before, []byte("\n"))
	p.faults = append(p.faults, &Error{Line: line + 1, Col: len(before) - bytes.LastIndexByte(before, '\n'), Key: key,
		Reason: fmt.Sprintf(format, args...)})
}

// syntax reports whether the file is JSON at all. Its places are of the whole file,
// which those of a json.Decoder are not.
func (p *parser) syntax() bool {
	err := json.Unmarshal(p.data, new(json.RawMessage))
	if err == nil {
		return true
	}
	offset := len(p.data)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && !strings.Contains(err.Error(), "unexpected end") {
		offset = int(syntax.Offset) - 1
	}
	p.fault(offset, "", "this is not JSON: %s", err)
	return false
}

// token returns the next token and where it begins.
func (p *parser) token() (json.Token, int) {
	start := int(p.dec.InputOffset())
	for start < len(p.data) && strings.IndexByte(" \t\r\n:,", p.data[start]) >= 0 {
		start++
	}
	t, _ := p.dec.Token() // the file is JSON
	return t, start
}

// text returns the next token, which has to be a string.
func (p *parser) text(what string) (string, int, error) {
	t, at := p.token()
	s, ok := t.(string)
	if !ok {
		p.fault(at, "", "%s is to be a string", what)
		return "", at, errStop
	}
	return s, at, nil
}

// object reads an object and calls member for each name, once.
func (p *parser) object(what string, member func(name string, at int) error) error {
	t, at := p.token()
	if t != json.Delim('{') {
		p.fault(at, "", "%s is to be an object", what)
		return errStop
	}
	seen := map[string]bool{}
	for p.dec.More() {
		name, at, err := p.text("a name")
		if err != nil {
			return err
		}
		if seen[name] {
			p.fault(at, name, "stands in the file twice")
		}
		seen[name] = true
		if err := member(name, at); err != nil {
			return err
		}
	}
	p.token()
	return nil
}

func (p *parser) file() {
	seen := map[string]bool{}
	err := p.object("a catalogue", func(name string, at int) error {
		seen[name] = true
		switch name {
		case "language":
			return p.language()
		case "name":
			s, at, err := p.text(`"name"`)
			if err == nil {
				p.clean(at, "", s)
			}
			p.out.name = s
			return err
		case "texts":
			p.out.texts = map[string]string{}
			return p.object(`"texts"`, p.pair)
		}
		p.fault(at, "", "%q is not known here: language, name and texts are", name)
		return errStop
	})
	if err != nil {
		return
	}
	for _, name := range []string{"language", "name", "texts"} {
		if !seen[name] {
			p.fault(0, "", "%q is missing", name)
		}
	}
}

func (p *parser) language() error {
	tag, at, err := p.text(`"language"`)
	if err == nil && !ValidTag(tag) {
		p.fault(at, "", "%q is no language tag: write one such as de or pt-BR", tag)
	}
	p.out.tag = tag
	return err
}

// pair reads the translation of one English text.
func (p *parser) pair(english string, at int) error {
	other, there, err := p.text("a translation")
	if err != nil {
		return err
	}
	if other == "" {
		return nil
	}
	if !p.clean(at, english, english) || !p.clean(there, english, other) {
		return nil
	}
	if Fixed(english) && english != other {
		p.fault(there, english, "clients read this text; it cannot be translated")
		return nil
	}
	if err := compare(english, other); err != nil {
		p.fault(there, english, "%s", err)
		return nil
	}
	p.out.texts[english] = other
	return nil
}

// clean reports whether a text can stand in a line.
func (p *parser) clean(at int, key, text string) bool {
	if i := strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }); i >= 0 {
		p.fault(at, key, "holds a control character or a broken one: %+q", text[i:min(i+3, len(text))])
		return false
	}
	return true
}

// Template returns a file for a new language, with an empty translation of each
// key but those that are not translated.
func Template(keys []string) []byte {
	var b bytes.Buffer
	b.WriteString("{\n  \"language\": \"\",\n  \"name\": \"\",\n  \"texts\": {")
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	first := true
	for _, k := range keys {
		if Fixed(k) {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		b.WriteString("\n    ")
		_ = enc.Encode(k) // a string into a buffer: cannot fail
		b.Truncate(b.Len() - 1)
		b.WriteString(": \"\"")
	}
	b.WriteString("\n  }\n}\n")
	return b.Bytes()
}
