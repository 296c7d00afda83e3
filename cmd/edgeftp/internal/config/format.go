package config

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// mostFlow is how long a section or list may be that stays in one line.
const mostFlow = 100

// Format lays a configuration file out: keys in the order of the schema, two spaces
// for each level, a free line between sections. Comments stay with the keys that they
// are about, and ${...} as it is written. What it returns, it returns of that again,
// and both stand for the same configuration.
//
// name is what the file is called. A file need not be in order as a configuration, but
// it has to be YAML without duplicate keys and aliases; else the error is an [*Error].
func Format(name string, data []byte) ([]byte, error) {
	r, err := newReference()
	if err != nil {
		return nil, err
	}
	return r.format(name, data)
}

func (r *reference) format(name string, data []byte) ([]byte, error) {
	before, err := plainValue(name, data)
	if err != nil {
		return nil, err
	}
	text := data
	for range 8 { // a comment may find its place only when its neighbours have
		next, err := r.formatOnce(text)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(next, text) {
			return text, same(before, name, data, text)
		}
		text = next
	}
	return nil, errors.New("the file cannot be laid out: its comments find no place\n   = help: put each comment into the line above the key that it is about")
}

// plainValue is what a file says, with ${...} as it is.
func plainValue(name string, data []byte) (map[string]any, error) {
	doc, problems := parseYAML(data)
	if problems != nil {
		return nil, &Error{File: name, Problems: problems}
	}
	doc.hide()
	r := newReport(doc.locate)
	value := (&reader{report: r, doc: doc, expand: func(s, _ string) (string, error) { return s, nil }}).mapping(doc.root, nil)
	r.problems = slices.DeleteFunc(r.problems, func(p Problem) bool { return p.empty })
	return value, r.err(name)
}

// same makes sure that nothing was lost.
func same(before map[string]any, name string, old, text []byte) error {
	after, err := plainValue(name, text)
	if err != nil || !reflect.DeepEqual(before, after) {
		return fmt.Errorf("the file cannot be laid out without changing what it says: please report it (%w)", err)
	}
	left := comments(text)
	for _, c := range comments(old) {
		i := slices.Index(left, c)
		if i < 0 {
			return fmt.Errorf("the comment %q would be lost\n   = help: put it into the line above the key that it is about", printable(c))
		}
		left = slices.Delete(left, i, i+1)
	}
	return nil
}

// comments are the lines that are nothing else, and lines of texts that look so.
func comments(data []byte) (list []string) {
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list
}

func (r *reference) formatOnce(data []byte) ([]byte, error) {
	var node yaml.Node
	if err := yaml.Load(data, &node); err != nil {
		return nil, err
	}
	if len(node.Content) == 1 {
		r.arrange(node.Content[0], r.root, 0)
	}
	var b bytes.Buffer
	d, err := yaml.NewDumper(&b, yaml.WithV4Defaults(), yaml.WithCompactSeqIndent(false), yaml.WithLineWidth(-1))
	if err == nil {
		if err = d.Dump(&node); err == nil {
			err = d.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the file cannot be written: %w", err)
	}
	return spaced(b.Bytes()), nil
}

// arrange puts the keys of a value into the order of the schema, and chooses how
// sections and lists look: in one line where the author had them so and it fits.
func (r *reference) arrange(n *yaml.Node, at *yaml.Node, depth int) {
	switch n.Kind {
	case yaml.MappingNode:
		props := field(at, "properties")
		if props != nil {
			order(n, props)
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			next := field(props, n.Content[i].Value)
			if next == nil {
				next = field(at, "additionalProperties")
			}
			r.arrange(n.Content[i+1], r.resolve(next), depth+1)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			r.arrange(item, r.resolve(field(at, "items")), depth+1)
		}
	default:
		return
	}
	if n.Style&yaml.FlowStyle != 0 && depth > 0 && (len(n.Content) == 0 || fits(n)) {
		return
	}
	n.Style &^= yaml.FlowStyle
	if len(n.Content) == 0 {
		n.Style |= yaml.FlowStyle
	}
}

// order sorts the pairs of a mapping as the schema has them; keys that it does not
// have come last.
func order(n, props *yaml.Node) {
	rank := map[string]int{}
	for i := 0; i+1 < len(props.Content); i += 2 {
		rank[props.Content[i].Value] = i - len(props.Content)
	}
	pairs := make([][2]*yaml.Node, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		pairs = append(pairs, [2]*yaml.Node{n.Content[i], n.Content[i+1]})
	}
	slices.SortStableFunc(pairs, func(a, b [2]*yaml.Node) int { return rank[a[0].Value] - rank[b[0].Value] })
	for i, p := range pairs {
		n.Content[2*i], n.Content[2*i+1] = p[0], p[1]
	}
}

// fits reports whether a value can stand in one line: it is short, and has neither
// comments nor texts of several lines.
func fits(n *yaml.Node) bool {
	var width func(n *yaml.Node, own bool) int
	width = func(n *yaml.Node, own bool) int {
		if !own && (n.HeadComment != "" || n.LineComment != "" || n.FootComment != "") || strings.Contains(n.Value, "\n") {
			return mostFlow + 1
		}
		sum := len([]rune(n.Value)) + 2
		for _, inner := range n.Content {
			if sum += width(inner, false); sum > mostFlow {
				break
			}
		}
		return sum
	}
	return width(n, true) <= mostFlow
}

// spaced puts a free line before each section.
func spaced(text []byte) []byte {
	lines := strings.SplitAfter(string(text), "\n")
	var out, held []string // held are comments, which belong to what follows
	short := true          // what came last was a key of one line
	for i, line := range lines {
		if strings.HasPrefix(line, "#") {
			held = append(held, line)
			continue
		}
		if beginsKey(line) {
			long := len(held) > 0 || i+1 < len(lines) && strings.HasPrefix(lines[i+1], " ")
			if len(out) > 0 && (long || !short) && strings.TrimSpace(out[len(out)-1]) != "" {
				out = append(out, "\n")
			}
			short = !long
		}
		out, held = append(append(out, held...), line), nil
	}
	return []byte(strings.Join(append(out, held...), ""))
}

// beginsKey reports whether a line begins a key of the file itself, and not of a
// section.
func beginsKey(line string) bool {
	return line != "" && !strings.ContainsAny(line[:1], " \n#")
}
