package config

import (
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

// FuzzSyntax: whatever the parser complains of, and wherever, it is told at a place that
// the file has, and can be shown.
func FuzzSyntax(f *testing.F) {
	names, err := filepath.Glob("testdata/broken/syntax-*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for i, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), uint8(i), uint16(6), uint16(i))
	}
	f.Add("a:  \n", uint8(4), uint16(1), uint16(9))
	messages := []string{"found character that cannot start any token", "unknown anchor 'x' referenced", "did not find expected alphabetic or numeric character",
		"found incompatible YAML document", "mapping values are not allowed in this context", "did not find expected key", "did not find expected '-' indicator",
		"did not find expected comment or line break", "did not find expected ',' or '}'", "did not find expected node content", "found unexpected end of stream",
		"found unexpected document indicator", "found unknown escape character", "anything else"}
	f.Fuzz(func(t *testing.T, text string, which uint8, line, column uint16) {
		show := func(problems []Problem) {
			for _, p := range problems {
				if p.Text == "" || p.Line > len(splitLines(text))+1 || p.Line > 0 && p.Column < 1 {
					t.Errorf("%q: %+v", text, p)
				}
			}
			if e := (&Error{File: "c.yaml", Problems: problems}).Error(); !utf8.ValidString(e) {
				t.Errorf("%q: %q", text, e)
			}
		}
		_, problems := parseYAML([]byte(text))
		show(problems)
		doc := &document{lines: splitLines(text)}
		e := &yaml.LoadError{Message: messages[int(which)%len(messages)]}
		e.Mark.Line, e.Mark.Column = int(line)%(len(doc.lines)+2), int(column)%200
		show(doc.syntax(e))
	})
}
