package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// maxDepth is how deep a file may be nested.
const maxDepth = 64

// document is a parsed file: its lines, and for every path the nodes of its key
// and value.
type document struct {
	lines  []string
	root   *yaml.Node
	places map[string]place
	open   map[string]bool // settings of dns that are no secrets, see hide
}

type place struct{ key, value *yaml.Node }

// parseYAML reads the one document of a file. The problems are what the reader of
// the file is told instead.
func parseYAML(data []byte) (*document, []Problem) {
	text := strings.TrimPrefix(string(data), byteOrderMark)
	doc := &document{lines: splitLines(text), places: map[string]place{}}
	if problem := doc.notText(data); problem != nil {
		return nil, []Problem{*problem}
	}
	loader, err := yaml.NewLoader(strings.NewReader(text))
	if err != nil {
		return nil, doc.syntax(err)
	}
	var first, more yaml.Node
	switch err = loader.Load(&first); {
	case errors.Is(err, io.EOF):
		return nil, []Problem{{Text: "the file is empty", Help: "a configuration begins with version: 1"}}
	case err != nil:
		return nil, doc.syntax(err)
	}
	if err = loader.Load(&more); !errors.Is(err, io.EOF) {
		p := doc.second()
		p.Text, p.Help = "the file holds more than one YAML document", "remove this line and what follows"
		return nil, []Problem{*p}
	}
	doc.root = &first
	if first.Kind == yaml.DocumentNode && len(first.Content) == 1 {
		doc.root = first.Content[0]
	}
	doc.places[join(nil)] = place{value: doc.root}
	if doc.root.Kind != yaml.MappingNode {
		p := doc.here(doc.root.Line, doc.root.Column, 1)
		p.Text, p.Help = "the file does not consist of keys and values", "a configuration begins with version: 1"
		return nil, []Problem{*p}
	}
	return doc, nil
}

// second is where a document follows another one.
func (d *document) second() *Problem {
	begun := false
	for i, line := range d.lines {
		if begun && (line == "---" || line == "..." || strings.HasPrefix(line, "--- ")) {
			return d.here(i+1, 1, 3)
		}
		text, _, _ := strings.Cut(line, "#")
		begun = begun || strings.TrimSpace(text) != "" && !strings.HasPrefix(text, "%")
	}
	return d.here(1, 1, 1)
}

func (d *document) line(n int) string {
	if n < 1 || n > len(d.lines) {
		return ""
	}
	return d.lines[n-1]
}

// locate finds the place of a path, or of the nearest thing around it.
func (d *document) locate(path []string, key bool) spot {
	s := spot{name: dotted(path), line: 1, column: 1}
	for i := len(path); i >= 0; i-- {
		p, known := d.places[join(path[:i])]
		if !known {
			continue
		}
		n := p.value
		if p.key != nil && (key || n.Kind != yaml.ScalarNode || n.Line == 0) {
			n = p.key
		}
		s.line, s.column, s.width = max(1, n.Line), max(1, n.Column), 1
		s.excerpt = d.line(s.line)
		if n.Kind == yaml.ScalarNode {
			s.width = len([]rune(n.Value))
			if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
				s.width += 2
			}
		}
		break
	}
	return s
}

// reader turns nodes into the values that the schema speaks of.
type reader struct {
	*report
	doc    *document
	expand func(s, keep string) (string, error)
}

// value converts the node at path. It is not ok, and has been reported, when
// there is no value to go on with.
func (r *reader) value(n *yaml.Node, path []string) (v any, ok bool) {
	if _, known := r.doc.places[join(path)]; !known {
		r.doc.places[join(path)] = place{value: n}
	}
	if n.Anchor != "" {
		r.mark(path, fmt.Sprintf("anchors (&%s) are not supported", n.Anchor), "remove it, and write the value out where it was meant to be repeated")
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.mark(path, fmt.Sprintf("tags (%s) are not supported", n.Tag), "remove it, or put the value into quotes if it begins with !")
		if n.Kind == yaml.ScalarNode && n.Value == "" { // it is all that the author wrote
			return nil, false
		}
		plain := *n
		plain.Tag, plain.Style = "", n.Style&^yaml.TaggedStyle
		if plain.Style != 0 || n.Kind != yaml.ScalarNode {
			plain.Tag = map[yaml.Kind]string{yaml.MappingNode: "!!map", yaml.SequenceNode: "!!seq", yaml.ScalarNode: "!!str"}[n.Kind]
		}
		n = &plain
	}
	switch {
	case n.Kind == yaml.AliasNode:
		r.at(path, "aliases (*name) are not supported", "write the value out")
	case len(path) > maxDepth:
		r.at(path, "nested too deeply", "")
	case n.Kind == yaml.MappingNode:
		return r.mapping(n, path), true
	case n.Kind == yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			if list[i], ok = r.value(item, sub(path, strconv.Itoa(i))); !ok {
				list[i] = nil
			}
		}
		return list, true
	case n.Kind == yaml.ScalarNode:
		return r.scalar(n, path)
	default:
		r.at(path, "this is no value", "")
	}
	return nil, false
}

func (r *reader) mapping(n *yaml.Node, path []string) map[string]any {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := sub(path, key.Value)
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			r.noKey(key, value, path)
			continue
		}
		if first, twice := r.doc.places[join(at)]; twice {
			s := r.locate(at, true)
			s.line, s.column = key.Line, key.Column
			s.excerpt = r.doc.line(s.line)
			r.add(at, s, fmt.Sprintf("%q is given twice, the first time on line %d", key.Value, first.key.Line), "remove one of them")
			continue
		}
		r.doc.places[join(at)] = place{key: key, value: value}
		if value.Kind == yaml.ScalarNode && value.ShortTag() == "!!null" && !inSettings(at) {
			r.noValue(at, fmt.Sprintf("%q is empty", key.Value), "indent the lines that belong to it, give it a value, or remove it")
			continue
		}
		if v, ok := r.value(value, at); ok {
			m[key.Value] = v
		}
	}
	return m
}

// noKey reports what stands in the place of a key. In YAML a value in braces behind a
// dollar sign or alone may be one.
func (r *reader) noKey(key, value *yaml.Node, path []string) {
	at := sub(path, fmt.Sprintf("\x00%d:%d", key.Line, key.Column))
	r.doc.places[join(at)] = place{key: key, value: value}
	s := r.locate(at, true)
	s.name = dotted(path)
	if key.ShortTag() == "!!merge" {
		r.add(at, s, "merges (<<) are not supported", "write the keys out")
		return
	}
	r.add(at, s, "this is no key", "a key is a word; put a value with braces or brackets into quotes")
}

// mark adds a problem with how the value at path is written; what it holds is looked at
// all the same.
func (r *reader) mark(path []string, text, help string) {
	r.add(sub(path, "\x00"), r.locate(path, false), text, help)
}

// inSettings reports whether path is in a module's settings, which are the
// module's and not ours.
func inSettings(path []string) bool {
	return len(path) > 3 && path[0] == "policies" && path[1] == "modules" && path[3] == "settings"
}

// isTemplate reports whether the value at path is a template in which ${user}
// stands for something that is known only later.
func isTemplate(path []string) bool {
	if len(path) > 2 && path[0] == "hosts" {
		path = path[2:]
	}
	n := len(path)
	folder := n > 3 && path[0] == "users" && path[n-1] == "root" && path[n-3] == "folders"
	return folder || slices.Equal(path, []string{"users", "defaults", "root"})
}

func (r *reader) scalar(n *yaml.Node, path []string) (any, bool) {
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return nil, true
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), true
	case "!!int":
		if !decimal(n.Value) {
			r.at(path, fmt.Sprintf("%s is not written as a decimal number", n.Value), "write it without leading zeros, prefixes and underscores, or in quotes if it is text")
			return nil, false
		}
		return json.Number(n.Value), true
	case "!!float":
		f, err := strconv.ParseFloat(strings.ReplaceAll(n.Value, "_", ""), 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			r.at(path, n.Value+" is no number that can be used here", "")
			return nil, false
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), true
	case "!!str", "!!timestamp":
		return r.text(n, path)
	default:
		r.at(path, "tags are not supported", "remove "+tag)
		return nil, false
	}
}

func (r *reader) text(n *yaml.Node, path []string) (any, bool) {
	if inSettings(path) {
		return n.Value, true
	}
	keep := ""
	if isTemplate(path) {
		keep = "user"
	}
	s, err := r.expand(n.Value, keep)
	var f fault
	switch {
	case errors.As(err, &f):
		r.at(path, f.what, f.help)
		return nil, false
	case err != nil:
		r.at(path, err.Error(), "")
		return nil, false
	}
	return s, true
}

// decimal reports whether s is an integer as JSON writes it.
func decimal(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits != "0" && digits[0] == '0' {
		return false
	}
	return !slices.ContainsFunc([]byte(digits), func(c byte) bool { return c < '0' || c > '9' })
}

// raw returns what the file says at path, before anything was expanded.
func (d *document) raw(path []string) (string, bool) {
	p, known := d.places[join(path)]
	if !known || p.value.Kind != yaml.ScalarNode {
		return "", false
	}
	return p.value.Value, true
}

// has reports whether there is something at path.
func (d *document) has(path []string) bool {
	_, known := d.places[join(path)]
	return known
}

// shown is raw without secrets.
func (d *document) shown(path []string) (string, bool) {
	raw, ok := d.raw(path)
	if d.isSecret(path) && !isReference(raw) {
		return "", false
	}
	return raw, ok
}

// empty reports whether the key at path has no value.
func (d *document) empty(path []string) bool {
	p, known := d.places[join(path)]
	return known && p.value.Kind == yaml.ScalarNode && p.value.ShortTag() == "!!null"
}

// under are the keys of the section at path, in the order of the file.
func (d *document) under(path []string) (keys []string) {
	n := d.places[join(path)].value
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i].Value)
	}
	return keys
}
