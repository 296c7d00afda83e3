package config

import (
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

//go:embed reference.md
var referenceText string

// key is one key of the schema as the reference shows it.
type key struct {
	path     string     // such as listeners[].tls.control
	node     *yaml.Node // its schema
	section  bool       // it has keys of its own
	required bool
	effect   Effect // when a change of it comes into force
}

// reference reads the schema as YAML, which JSON is: unlike a JSON decoder, that
// keeps the order in which its author wrote the keys.
type reference struct{ root *yaml.Node }

func newReference() (*reference, error) {
	var doc yaml.Node
	if err := yaml.Load([]byte(schemaJSON), &doc); err != nil {
		return nil, fmt.Errorf("the embedded schema is damaged: %w", err)
	}
	return &reference{doc.Content[0]}, nil
}

// field returns the value of a name in a mapping, nil if it is not there.
func field(n *yaml.Node, name string) *yaml.Node {
	for i := 0; n != nil && n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// word is a scalar field, or nothing.
func word(n *yaml.Node, name string) string {
	if f := field(n, name); f != nil && f.Kind == yaml.ScalarNode {
		return f.Value
	}
	return ""
}

// words are the scalars of a list.
func words(n *yaml.Node) (out []string) {
	if n != nil && n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			out = append(out, item.Value)
		}
	}
	return out
}

// inner is what a schema says of the keys that it has, a list's or map's of its
// entries, and the path of these.
func (r *reference) inner(n *yaml.Node, path string) (*yaml.Node, string) {
	n = r.resolve(n)
	if items := r.resolve(field(n, "items")); field(items, "properties") != nil {
		return items, path + "[]"
	}
	if others := r.resolve(field(n, "additionalProperties")); field(others, "properties") != nil {
		return others, path + ".NAME"
	}
	return n, path
}

func (r *reference) resolve(n *yaml.Node) *yaml.Node {
	at, isRef := strings.CutPrefix(word(n, "$ref"), "#/")
	if !isRef {
		return n
	}
	here := r.root
	for name := range strings.SplitSeq(at, "/") {
		here = field(here, name)
	}
	return r.resolve(here)
}

// keys returns a key and all below it: plain ones before sections.
func (r *reference) keys(n *yaml.Node, path string, required bool, effect Effect) []key {
	inside, path := r.inner(n, path)
	props := field(inside, "properties")
	for _, at := range []*yaml.Node{inside, r.resolve(n), n} { // what is said where it is referred to wins
		if e := word(at, "x-effect"); e != "" {
			effect = Effect(e)
		}
	}
	if own := word(n, "description"); own == "" { // a reference may say itself what it is about
		n = r.resolve(n)
	}
	list := []key{{path, n, props != nil, required, effect}}
	if props == nil {
		return list
	}
	must := words(field(inside, "required"))
	var sections []key
	for i := 0; i+1 < len(props.Content); i += 2 {
		name := props.Content[i].Value
		below := r.keys(props.Content[i+1], strings.TrimPrefix(path+"."+name, "."), slices.Contains(must, name), effect)
		if below[0].section {
			sections = append(sections, below...)
		} else {
			list = append(list, below...)
		}
	}
	return append(list, sections...)
}

// reserved reports whether a key is refused for now.
func (k *key) reserved() bool { return word(k.node, "x-not-built") == "true" }

// values says in Markdown what a key may hold.
func (k *key) values() string { return values(k.node) }

func values(n *yaml.Node) string {
	unit := word(n, "x-unit")
	var can []string
	for _, v := range words(field(n, "enum")) {
		if !slices.Contains(words(field(n, "x-not-built")), v) {
			can = append(can, "`"+v+"`")
		}
	}
	switch kind := word(n, "type"); {
	case can != nil:
		return strings.Join(can, ", ")
	case field(n, "const") != nil:
		return "`" + word(n, "const") + "`"
	case word(n, "format") != "":
		text := formNames()[word(n, "format")]
		if field(n, "items") != nil {
			text += ", or a list"
		}
		if unit != "" {
			text += " (" + unit + ")"
		}
		return text
	case field(n, "items") != nil && slices.Contains(words(field(n, "type")), "boolean"):
		return "`true`, `false`, or a list: " + values(field(n, "items"))
	case field(n, "items") != nil:
		return "list: " + values(field(n, "items"))
	case word(n, "x-names") != "":
		return formNames()[word(n, "x-names")] + ": " + values(field(n, "additionalProperties"))
	case kind == "boolean":
		return "`true`, `false`"
	case kind == "integer":
		return fmt.Sprintf("%s to %s (%s)", word(n, "minimum"), word(n, "maximum"), unit)
	case kind == "object":
		return "keys of its own"
	}
	return "text"
}

// formNames are the forms of the schema in words.
func formNames() map[string]string {
	return map[string]string{
		"edgeftp-duration": "duration", "edgeftp-proxy-timeout": "duration", "edgeftp-timeout": "duration or 0", "edgeftp-size": "size", "edgeftp-rate": "rate or 0", "edgeftp-share": "rate",
		"edgeftp-buffers": "size or `auto`", "edgeftp-ports": "ports", "edgeftp-perm": "permissions", "edgeftp-rule": "permissions, or none",
		"edgeftp-address": "HOST:PORT", "edgeftp-name": "name", "edgeftp-line": "text of one line", "edgeftp-text": "text",
		"edgeftp-hash": "hash", "edgeftp-path": "path", "edgeftp-virtual": "virtual path", "edgeftp-folder": "virtual path", "edgeftp-mount": "virtual path", "edgeftp-umask": "octal digits", "edgeftp-ip": "IP address",
		"edgeftp-network": "network", "edgeftp-sha256": "SHA-256 digest", "edgeftp-time": "date or time",
		"edgeftp-advertise": "IPv4 address, host name or `auto`", "edgeftp-advertised": "IPv4 address or host name",
		"edgeftp-host": "host name or address", "edgeftp-hostname": "host name or wildcard", "edgeftp-prefix": "template", "edgeftp-cipher": "cipher suite",
		"edgeftp-pattern": "pattern", "edgeftp-cache-control": "text", "edgeftp-algorithm": "name of a congestion control",
		"edgeftp-command": "command", "edgeftp-optional": "command",
		"edgeftp-keys": "public key", "edgeftp-local": "HOST:PORT", "edgeftp-digest": "digest of a module", "edgeftp-origin": "origin", "edgeftp-space": "name of a space",
		"edgeftp-subject": "host name, wildcard or IP address", "edgeftp-subject-or-none": "host name, wildcard or IP address", "edgeftp-email-or-none": "email address",
		"edgeftp-ca": "authority", "edgeftp-ca-or-none": "authority", "edgeftp-profile-or-none": "name of a profile", "edgeftp-path-or-none": "path",
		"edgeftp-user-or-none": "name, UID or UID:GID", "edgeftp-account": "name or number", "edgeftp-page": "origin", "edgeftp-token": "token",
		"edgeftp-webhook": "URL", "edgeftp-signing": "secret", "edgeftp-field": "name of a field", "edgeftp-event": "name of an event", "edgeftp-free": "percentage",
		"edgeftp-record-or-none": "DNS name", "edgeftp-resolver": "IP address or IP:PORT", "edgeftp-resolver-or-none": "IP address or IP:PORT",
		"edgeftp-challenge": "HOST:PORT", "edgeftp-setting": "name of a setting", "edgeftp-mac": "base64url",
		"edgeftp-memory": "size", "edgeftp-memory-budget": "size, `auto` or 0", "edgeftp-descriptors": "number, `auto` or 0", "edgeftp-canary": "percentage", "edgeftp-percent": "percentage",
	}
}

// byDefault is what holds for a key that is not given.
func (k *key) byDefault() string {
	def := field(k.node, "default")
	switch {
	case k.required:
		return "*required*"
	case def == nil:
		return "*none*"
	case def.Kind == yaml.SequenceNode:
		return "`[" + strings.Join(words(def), ", ") + "]`"
	case def.Kind == yaml.MappingNode:
		return "`{}`"
	}
	return "`" + def.Value + "`"
}

// seed is pyftpdlib's name, as code.
func (k *key) seed() string {
	names := seedNames(k.node)
	for i, name := range names {
		names[i] = "`" + name + "`"
	}
	return strings.Join(names, ", ")
}

// seedNames are pyftpdlib's names for a key.
func seedNames(n *yaml.Node) []string {
	if name := word(n, "x-seed"); name != "" {
		return []string{name}
	}
	return words(field(n, "x-seed"))
}

// cell makes a text fit into a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// tables are the keys as Markdown, a table for each section.
func tables(keys []key) string {
	var b strings.Builder
	for i := 0; i < len(keys); {
		k, rest := keys[i], keys[i+1:]
		if !k.section { // a section is a single key
			rest = keys[i:]
		}
		n := slices.IndexFunc(rest, func(k key) bool { return k.section })
		if n < 0 {
			n = len(rest)
		}
		if k.section {
			head := strings.Repeat("#", min(3+strings.Count(k.path, "."), 4))
			fmt.Fprintf(&b, "%s `%s`\n\n%s\n\n", head, k.path, word(k.node, "description"))
			i++
		}
		table(&b, rest[:n])
		i += n
	}
	return b.String()
}

// table writes plain keys, and behind them the names of those that are reserved.
func table(b *strings.Builder, keys []key) {
	var reserved []string
	begun := false
	for _, k := range keys {
		if k.reserved() {
			reserved = append(reserved, "`"+k.path+"`")
			continue
		}
		if !begun {
			b.WriteString("| key | values | default | what it is | in force | pyftpdlib |\n|---|---|---|---|---|---|\n")
			begun = true
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n", k.path, cell(k.values()), cell(k.byDefault()), cell(word(k.node, "description")), k.effect, k.seed())
	}
	if begun {
		b.WriteByte('\n')
	}
	if len(reserved) > 0 {
		fmt.Fprintf(b, "Reserved, and refused for now: %s.\n\n", strings.Join(reserved, ", "))
	}
}

// seeds is the table from pyftpdlib's names to keys.
func seeds(keys []key) string {
	byName := map[string][]string{}
	for _, k := range keys {
		for _, name := range seedNames(k.node) {
			byName[name] = append(byName[name], "`"+k.path+"`")
		}
	}
	var b strings.Builder
	b.WriteString("| pyftpdlib | key |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.Join(byName[name], ", "))
	}
	return b.String()
}

// Reference returns docs/config.md: every key, made of the schema.
func Reference() (string, error) {
	r, err := newReference()
	if err != nil {
		return "", err
	}
	keys := r.keys(r.root, "", false, "")[1:]
	sections := "## The keys\n\n" + tables(keys)
	text := strings.ReplaceAll(referenceText, "<!-- keys -->\n\n", sections)
	return strings.ReplaceAll(text, "<!-- names -->\n", seeds(keys)), nil
}

// keySteps are the parts of a key in any of its forms: with or without the brackets of
// lists, and with numbers or names in them.
func keySteps(name string) []string {
	name = regexp.MustCompile(`\[("(\\.|[^"])*"|[^\]]*)\]`).ReplaceAllString(name, "")
	var steps []string
	for _, step := range regexp.MustCompile(`"(\\.|[^"])*"|[^.]+`).FindAllString(name, -1) {
		steps = append(steps, strings.Trim(step, `"`))
	}
	return steps
}

// begins reports whether a key is another one, or below it. NAME stands for any name.
func begins(key, with []string) bool {
	if len(with) == 0 || len(key) < len(with) {
		return false
	}
	for i, step := range with {
		if key[i] != step && key[i] != "NAME" {
			return false
		}
	}
	return true
}

// Describe returns what the reference says of one key and those below it. The
// error proposes a key where there is none of this name.
func Describe(name string) (string, error) {
	r, err := newReference()
	if err != nil {
		return "", err
	}
	asked := keySteps(name)
	name = strings.Join(asked, ".")
	var found []key
	var all []string
	for _, k := range r.keys(r.root, "", false, "")[1:] {
		steps := keySteps(k.path)
		all = append(all, strings.Join(steps, "."))
		if begins(steps, asked) || !k.section && len(steps) < len(asked) && isMap(field(k.node, "additionalProperties")) && begins(asked[:len(steps)], steps) {
			found = append(found, k)
		}
	}
	if found == nil {
		best := Nearest(name, all)
		for _, path := range all {
			if best == "" && strings.HasSuffix(path, "."+name) {
				best = path
			}
		}
		help := "edgeftp config describe lists all"
		if best != "" {
			help = fmt.Sprintf("did you mean %q?", best)
		}
		return "", fmt.Errorf("there is no key %q\n   = help: %s", name, help)
	}
	return strings.TrimSuffix(tables(found), "\n"), nil
}

func isMap(n *yaml.Node) bool { return n != nil && n.Kind == yaml.MappingNode }
