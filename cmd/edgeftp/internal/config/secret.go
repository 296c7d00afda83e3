package config

import (
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	yaml "go.yaml.in/yaml/v4"
)

// Secret is a value that is never shown: not in messages, not by fmt, and not in a
// written file, which has the ${...} that it came from. The zero value is empty.
type Secret struct {
	value string
	from  string // ${...} with an absolute path; empty if the file has the value itself
	open  bool   // it is a setting that may be shown
}

// Value returns the secret itself.
func (s Secret) Value() string { return s.value }

// String implements fmt.Stringer.
func (s Secret) String() string { return "(secret)" }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return "(secret)" }

// secret is the value at path with what stands for it in a written file.
func (c *checker) secret(value string, path []string) Secret {
	s := Secret{value: value}
	raw, _ := c.source(path)
	if !isReference(raw) {
		return s
	}
	if name, isFile := strings.CutPrefix(raw, "${file:"); isFile && !filepath.IsAbs(name) {
		if strings.ContainsAny(c.dir, "${}") {
			return s
		}
		raw = "${file:" + filepath.Join(c.dir, name[:len(name)-1]) + "}"
	}
	s.from = raw
	return s
}

// written is what a file has for the secret: where it came from, or an environment
// variable of this name, which is to be set. The value itself is not written.
func (s Secret) written(variable string) string {
	switch {
	case s.from != "":
		return s.from
	case s.open:
		return strings.ReplaceAll(s.value, "${", "$${")
	}
	return "${env:" + variable + "}"
}

// hide takes the secrets that the file holds itself out of its lines, which messages
// show.
func (d *document) hide() { d.hideAll(d.isSecret) }

// hideAll takes out of the lines what the file holds itself at paths that are secret.
func (d *document) hideAll(hidden func(path []string) bool) {
	var nodes []*yaml.Node // in the order of the file
	secret := map[*yaml.Node]bool{}
	d.open = openSettings(d.providerName())
	var walk func(n *yaml.Node, path []string, within bool)
	walk = func(n *yaml.Node, path []string, within bool) {
		within = within || hidden(path)
		nodes = append(nodes, n)
		secret[n] = within && n.Kind == yaml.ScalarNode && !isReference(n.Value)
		if len(path) > maxDepth {
			return
		}
		for i, inner := range n.Content {
			switch {
			case n.Kind != yaml.MappingNode:
				walk(inner, sub(path, strconv.Itoa(i)), within)
			case i%2 == 0:
				nodes = append(nodes, inner)
			default:
				walk(inner, sub(path, n.Content[i-1].Value), within)
			}
		}
	}
	walk(d.root, nil, false)
	for i, n := range nodes {
		if !secret[n] {
			continue
		}
		endLine, endColumn := len(d.lines)+1, 1
		if i+1 < len(nodes) {
			endLine, endColumn = nodes[i+1].Line, nodes[i+1].Column
		}
		if width := len([]rune(n.Value)); strings.HasPrefix(from(d.line(n.Line), n.Column), n.Value) {
			endLine, endColumn = n.Line, n.Column+width
		}
		d.blank(n.Line, n.Column, endLine, endColumn)
	}
}

// providerName is what the file calls the provider of dns-01.
func (d *document) providerName() string {
	n := d.root
	for _, name := range []string{"certificates", "acme", "dns", "provider"} {
		n = field(n, name)
	}
	if n == nil {
		return ""
	}
	return n.Value
}

// isSecret is isSecret without the settings that are none.
func (d *document) isSecret(path []string) bool {
	return isSecret(path) && (path[2] != "dns" || !d.open[path[4]])
}

// from is the part of a line that begins at a column.
func from(line string, column int) string {
	runes := []rune(line)
	return string(runes[min(len(runes), max(0, column-1)):])
}

// blank puts stars in the place of what stands in a part of the file.
func (d *document) blank(line, column, endLine, endColumn int) {
	for n := max(1, line); n <= min(endLine, len(d.lines)); n++ {
		runes := []rune(d.lines[n-1])
		for i, r := range runes {
			if (n > line || i >= column-1) && (n < endLine || i < endColumn-1) && !unicode.IsSpace(r) {
				runes[i] = '*'
			}
		}
		d.lines[n-1] = string(runes)
	}
}
