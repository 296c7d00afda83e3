package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// Effect is when a changed key comes into force once the configuration is reloaded.
// The schema says it of each key, as x-effect.
type Effect string

// The effects, from the lightest to the gravest.
const (
	// EffectNow holds for sessions and transfers that run, too.
	EffectNow Effect = "now"
	// EffectNewSessions holds for those that connect from then on.
	EffectNewSessions Effect = "new sessions"
	// EffectListener binds or closes a port; sessions stay.
	EffectListener Effect = "listener"
	// EffectUpgrade cannot be reloaded: a new process has to take over.
	EffectUpgrade Effect = "upgrade"
)

// effects are all of them, the gravest last.
func effects() []Effect {
	return []Effect{EffectNow, EffectNewSessions, EffectListener, EffectUpgrade}
}

// graver is the effect of two that asks for more.
func graver(a, b Effect) Effect {
	if slices.Index(effects(), a) < slices.Index(effects(), b) {
		return b
	}
	return a
}

// Change is one key that differs between two configurations.
type Change struct {
	// Key is the key, such as listeners[public].tls.control: entries of a list stand
	// under their names, those that have none under their numbers.
	Key string `json:"key"`
	// From and To are the values, each as one line of text: plain values as a file
	// has them, lists and sections as JSON without what is so by default. A key that
	// one of the two does not have is empty there; an empty text is "". In the place
	// of a secret stands (secret), on both sides if it has changed.
	From   string `json:"from"`
	To     string `json:"to"`
	Effect Effect `json:"effect"`
}

// Diff is Diff of a new Differ.
func Diff(from, to *Config) []Change { return NewDiffer().Diff(from, to) }

// Differ compares configurations, any number of them. It is made by NewDiffer.
type Differ struct{ schema *reference }

// NewDiffer reads the schema, which takes some milliseconds.
func NewDiffer() *Differ {
	r, err := newReference()
	if err != nil { // the schema is part of the program: tests read it
		r = &reference{}
	}
	return &Differ{r}
}

// Diff returns the keys whose values differ in two configurations, sorted. It compares
// what is in force, with every default, and not how it is written: the files behind
// ${file:PATH} count by their content. Neither may be nil.
func (d *Differ) Diff(from, to *Config) []Change { return d.schema.diff(from, to) }

func (r *reference) diff(from, to *Config) []Change {
	d := comparison{reference: r}
	d.value(nil, d.top(), from.whole(), to.whole())
	slices.SortFunc(d.changes, func(a, b Change) int { return strings.Compare(a.Key, b.Key) })
	return d.changes
}

type comparison struct {
	*reference
	changes []Change
}

// where is what the schema says of a value.
type where struct {
	at     *yaml.Node // nil within what is a module's own
	effect Effect
	secret bool
}

func (r *reference) top() where { return where{at: r.root} }

// into is the schema of a part of a value: a key of a section, a name of a map, or an
// entry of a list. What is said where a definition is referred to wins over what the
// definition says.
func (r *reference) into(w where, name string, entry bool) where {
	next := field(field(w.at, "properties"), name)
	switch {
	case next != nil:
	case entry:
		next = field(w.at, "items")
	default:
		next = field(w.at, "additionalProperties")
	}
	made := where{at: r.resolve(next), effect: w.effect, secret: w.secret}
	for _, at := range []*yaml.Node{made.at, next} {
		if e := word(at, "x-effect"); e != "" {
			made.effect = Effect(e)
		}
		made.secret = made.secret || word(at, "x-secret") == "true"
	}
	return made
}

// tree is a configuration as plain values, its secrets among them.
func (c *Config) tree() any { return c.plain(c.file()) }

// whole is tree, with the users of users.file as if they stood in the list.
func (c *Config) whole() any {
	f := c.file()
	for i := range c.Users {
		if c.Users[i].Source == SourceFile {
			f.Users.List = append(f.Users.List, c.Users[i].file())
		}
	}
	return c.plain(f)
}

// plain is what c has written of itself, as plain values.
func (c *Config) plain(f any) any {
	data, err := marshal(f)
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err == nil {
		err = decoder.Decode(&tree)
	}
	if err != nil { // what file holds can be written: Settings were read as JSON
		return nil
	}
	for _, s := range c.secrets() {
		put(tree, s.path, s.secret.value)
	}
	return tree
}

// put sets a text that is there.
func put(v any, path []string, text string) {
	for i, p := range path {
		switch here := v.(type) {
		case map[string]any:
			if i == len(path)-1 && here[p] != nil {
				here[p] = text
			}
			v = here[p]
		case []any:
			n, err := strconv.Atoi(p)
			if err != nil || n >= len(here) {
				return
			}
			v = here[n]
		}
	}
}

// absent stands for the value of a key that is not there.
type absent struct{}

// value compares two values at the key that path spells.
func (d *comparison) value(path []string, w where, from, to any) {
	f, isMap := from.(map[string]any)
	t, areMaps := to.(map[string]any)
	if isMap && areMaps {
		d.section(path, w, f, t)
		return
	}
	fl, isList := from.([]any)
	tl, areLists := to.([]any)
	if isList && areLists && d.list(path, w, fl, tl) {
		return
	}
	d.leaf(path, w, from, to)
}

func (d *comparison) section(path []string, w where, from, to map[string]any) {
	for name := range from {
		other, both := to[name]
		if !both {
			other = absent{}
		}
		d.value(sub(path, step(path, name)), d.into(w, name, false), from[name], other)
	}
	for name := range to {
		if _, both := from[name]; !both {
			d.value(sub(path, step(path, name)), d.into(w, name, false), absent{}, to[name])
		}
	}
}

// step is a name as a part of a key.
func step(path []string, name string) string {
	if len(path) > 0 {
		return "." + quoted(name)
	}
	return name
}

// quoted puts a name in quotes that could be taken for more than one part of a key.
func quoted(name string) string {
	if name == "" || strings.ContainsAny(name, ".[]\"") || printable(name) != name {
		return strconv.Quote(name)
	}
	return name
}

// list compares lists of sections, entry by entry. It is false for other lists.
func (d *comparison) list(path []string, w where, from, to []any) bool {
	before, ok := identify(from)
	after, alsoOK := identify(to)
	if !ok || !alsoOK {
		return false
	}
	if len(before) == 0 && len(after) == 0 {
		return true
	}
	entry := d.into(w, "", true)
	at := func(id string) []string { return sub(path, "["+id+"]") }
	var stayedBefore, stayedAfter []string
	for i, id := range before {
		j := slices.Index(after, id)
		if j < 0 {
			d.note(at(id), entry, from[i], absent{}, entry.effect)
			continue
		}
		stayedBefore = append(stayedBefore, id)
		d.value(at(id), entry, from[i], to[j])
	}
	for j, id := range after {
		if !slices.Contains(before, id) {
			d.note(at(id), entry, absent{}, to[j], entry.effect)
			continue
		}
		stayedAfter = append(stayedAfter, id)
	}
	if !slices.Equal(stayedBefore, stayedAfter) {
		d.changes = append(d.changes, Change{Key: strings.Join(path, ""), From: strings.Join(before, ", "), To: strings.Join(after, ", "), Effect: w.effect})
	}
	return true
}

// identify gives each section of a list a name of its own: what tells it from the
// others, or its number. It is false where not all are sections.
func identify(list []any) ([]string, bool) {
	for _, item := range list {
		if _, is := item.(map[string]any); !is {
			return nil, false
		}
	}
	numbers := make([]string, len(list))
	for i := range list {
		numbers[i] = strconv.Itoa(i)
	}
	for _, by := range []string{"name", "dir", "cert", "path"} {
		ids := make([]string, len(list))
		for i, item := range list {
			name, _ := item.(map[string]any)[by].(string)
			if name == "" || slices.Contains(ids[:i], quoted(name)) {
				ids = nil
				break
			}
			ids[i] = quoted(name)
		}
		if ids != nil {
			return ids, true
		}
	}
	return numbers, true
}

// leaf notes two values that are not compared any deeper, if they differ.
func (d *comparison) leaf(path []string, w where, from, to any) {
	a, _ := marshal(from) // both came out of JSON
	b, _ := marshal(to)
	if bytes.Equal(a, b) && (from == absent{}) == (to == absent{}) {
		return
	}
	effect := w.effect
	d.gravest(w, from, &effect)
	d.gravest(w, to, &effect)
	d.note(path, w, from, to, effect)
}

func (d *comparison) note(path []string, w where, from, to any, effect Effect) {
	d.changes = append(d.changes, Change{Key: strings.Join(path, ""), From: d.text(w, from), To: d.text(w, to), Effect: effect})
}

// gravest raises effect to that of whatever a value holds. What an entry of a list holds
// comes and goes with it: what cannot be changed of one that stays can be said of a new one.
func (r *reference) gravest(w where, v any, effect *Effect) {
	*effect = graver(*effect, w.effect)
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			r.gravest(r.into(w, name, false), inner, effect)
		}
	case []any:
		*effect = graver(*effect, r.into(w, "", true).effect)
	}
}

// text is a value in one line, without secrets.
func (r *reference) text(w where, v any) string {
	v = r.plain(w, v)
	switch v := v.(type) {
	case absent:
		return ""
	case string:
		if v == "" || printable(v) != v || strings.ContainsAny(v, "\n\"") || strings.TrimSpace(v) != v {
			return strconv.Quote(v)
		}
		return v
	}
	data, err := marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// plain is a value without secrets, and without what is so by default within it.
func (r *reference) plain(w where, v any) any {
	if w.secret && v != any(absent{}) {
		return Secret{}.String()
	}
	switch v := v.(type) {
	case map[string]any:
		made := map[string]any{}
		for name, inner := range v {
			at := r.into(w, name, false)
			inner = r.plain(at, inner)
			if below, is := inner.(map[string]any); is && len(below) == 0 && field(at.at, "default") != nil || isDefault(at.at, inner) {
				continue
			}
			made[name] = inner
		}
		return made
	case []any:
		made := make([]any, len(v))
		for i, inner := range v {
			made[i] = r.plain(r.into(w, "", true), inner)
		}
		return made
	}
	return v
}

// isDefault reports whether a value is what the schema has for a key that is absent.
func isDefault(at *yaml.Node, v any) bool {
	node := field(at, "default")
	var def any
	if node == nil || node.Decode(&def) != nil {
		return false
	}
	a, _ := marshal(def)
	b, _ := marshal(v)
	if bytes.Equal(a, b) {
		return true
	}
	s, isText := v.(string)
	if format := word(at, "format"); !isText || !strings.Contains(format, "duration") && !strings.Contains(format, "timeout") {
		return false
	}
	one, err := parseDuration(s, 0)
	other, err2 := parseDuration(node.Value, 0)
	return err == nil && err2 == nil && one == other
}
