package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// validator words what a value has against the schema.
type validator struct {
	*report
	schema *schema
	value  map[string]any
	// raw returns what the author wrote at a path, as far as it may be shown.
	raw func(path []string) (string, bool)
	// under are the keys at a path; nil where nobody wrote any.
	under func(path []string) []string
	// empty reports whether a key is there without a value.
	empty func(path []string) bool
}

// run reports every fault of the value and removes the faulty parts, so that
// what is left fits the schema but for absent keys.
func (v *validator) run() {
	var found []*jsonschema.ValidationError
	leaves(v.schema.compiled.Validate(v.value), func(e *jsonschema.ValidationError) { found = append(found, e) })
	for _, e := range found {
		v.explain(e)
	}
	for _, e := range found {
		switch k := e.ErrorKind.(type) {
		case *kind.Required:
		case *kind.AdditionalProperties:
			for _, name := range k.Properties {
				prune(v.value, sub(e.InstanceLocation, name))
			}
		case *nameError:
			prune(v.value, sub(e.InstanceLocation, k.name))
		default:
			prune(v.value, e.InstanceLocation)
		}
	}
}

// prune removes the value at path; of a list it becomes null, so that the others
// keep their numbers.
func prune(v any, path []string) {
	for i, p := range path {
		last := i == len(path)-1
		switch here := v.(type) {
		case map[string]any:
			if last {
				delete(here, p)
			}
			v = here[p]
		case []any:
			n, err := strconv.Atoi(p)
			if err != nil || n >= len(here) {
				return
			}
			if last {
				here[n] = nil
			}
			v = here[n]
		}
	}
}

func (v *validator) explain(e *jsonschema.ValidationError) {
	path := slices.Clone(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *notBuiltError:
		if k.wholeKey {
			v.key(path, "not built yet", "remove it; a later version will know it")
			return
		}
		v.at(path, v.shown(path)+" is not built yet", v.choices(path))
	case *kind.Required:
		for _, name := range k.Missing {
			at := sub(path, name)
			v.add(at, v.locate(at, true), strconv.Quote(name)+" is missing", v.about(at))
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			v.unknown(sub(path, name))
		}
	case *nameError:
		v.key(sub(path, k.name), strconv.Quote(k.name)+" "+k.what, k.help)
	case *kind.Type:
		v.wrongType(path, k)
	case *kind.Format:
		var f fault
		if errors.As(k.Err, &f) {
			v.at(path, v.shown(path)+" "+f.what, f.help)
		}
	case *kind.Enum:
		v.at(path, v.shown(path)+" is not allowed here", v.choices(path))
	case *kind.Const:
		v.at(path, v.shown(path)+" is not a version that this edgeftp knows", "write version: 1")
	default:
		v.bound(path, e.ErrorKind)
	}
}

// bound words numbers, lengths and the one pattern that the schema has.
func (v *validator) bound(path []string, k jsonschema.ErrorKind) {
	switch k := k.(type) {
	case *kind.Minimum:
		v.at(path, v.shown(path)+" is too small", "the least is "+k.Want.RatString())
	case *kind.Maximum:
		v.at(path, v.shown(path)+" is too large", "the most is "+k.Want.RatString())
	case *kind.MinItems, *kind.MinLength:
		v.at(path, "must not be empty", v.about(path))
	case *kind.MaxItems:
		v.key(path, fmt.Sprintf("%d entries: more than %d is not built yet", k.Got, k.Want), "remove the others")
	case *kind.Pattern:
		v.at(path, v.shown(path)+" does not begin with /", "it is a path as clients see it")
	default:
		v.at(path, v.shown(path)+" does not fit here", v.about(path))
	}
}

// wrongType words a value of the wrong type. A number where a unit is asked for
// is told about the unit.
func (v *validator) wrongType(path []string, k *kind.Type) {
	raw, scalar := v.raw(path)
	format, _ := v.schema.at(path)["format"].(string)
	if check := formats()[format]; check != nil && scalar && k.Got == "number" {
		var f fault
		if errors.As(check(raw), &f) {
			v.at(path, v.shown(path)+" "+f.what, f.help)
			return
		}
	}
	want := make([]string, len(k.Want))
	for i, w := range k.Want {
		want[i] = noun(w)
	}
	help := v.about(path)
	switch {
	case scalar && slices.Contains(k.Want, "string"):
		help = fmt.Sprintf("put it in quotes: %q", raw)
	case slices.Contains(k.Want, "boolean"):
		help = "write true or false"
		switch strings.ToLower(raw) {
		case "yes", "y", "on", "1", "enabled", "enable":
			help = "write true"
		case "no", "n", "off", "0", "disabled", "disable":
			help = "write false"
		}
	case slices.Contains(k.Want, "array") && k.Got == "object":
		help = v.dashes(path)
	case slices.Contains(k.Want, "object"):
		help = "its keys: " + strings.Join(v.schema.keys(path), ", ")
	}
	text := "must be " + strings.Join(want, " or ")
	if k.Got != "number" || !slices.Contains(k.Want, "integer") {
		text += ", not " + noun(k.Got)
	}
	v.at(path, text, help)
}

// dashes is what a section lacks that is to be a list.
func (v *validator) dashes(path []string) string {
	if v.under == nil {
		return ""
	}
	for _, key := range v.under(path) {
		if name, dash := strings.CutPrefix(key, "-"); dash {
			return fmt.Sprintf("put a space behind the dash: \"- %s\"", name)
		}
	}
	return "begin each entry with a dash and a space: \"- \""
}

func noun(jsonType string) string {
	switch jsonType {
	case "object":
		return "a section with keys"
	case "array":
		return "a list"
	case "string":
		return "text"
	case "boolean":
		return "true or false"
	case "integer":
		return "a whole number"
	case "null":
		return "nothing"
	}
	return "a " + jsonType
}

// shown quotes a value as its author wrote it. What stands behind ${...} is not
// shown: it may be a secret.
func (v *validator) shown(path []string) string {
	if raw, ok := v.raw(path); ok {
		return strconv.Quote(raw)
	}
	return "this"
}

// about is the schema's own description of a key.
func (v *validator) about(path []string) string {
	text, _ := v.schema.at(path)["description"].(string)
	return text
}

// choices lists the values that are allowed and built, the nearest first.
func (v *validator) choices(path []string) string {
	at := v.schema.at(path)
	values, _ := at["enum"].([]any)
	if values == nil {
		values, _ = at["x-only-built"].([]any)
	}
	never, _ := at["x-not-built"].([]any)
	var can []string
	for _, value := range values {
		if s, ok := value.(string); ok && !slices.Contains(never, value) {
			can = append(can, s)
		}
	}
	if can == nil {
		return "leave it out"
	}
	list := "one of: " + strings.Join(can, ", ")
	raw, _ := v.raw(path)
	if best := Nearest(raw, can); best == raw && best != "" {
		return fmt.Sprintf("put it in quotes: %q", raw)
	} else if best != "" {
		return fmt.Sprintf("did you mean %q? (%s)", best, list)
	}
	return list
}

// unknown reports a key that the schema does not have, with the best guess at
// what was meant.
func (v *validator) unknown(path []string) {
	name, parent := path[len(path)-1], path[:len(path)-1]
	keys := v.schema.keys(parent)
	help := ""
	for _, sibling := range keys {
		if v.empty(sub(parent, sibling)) && slices.Contains(v.schema.keys(sub(parent, sibling)), name) {
			help = fmt.Sprintf("it belongs under %q: indent it by two more spaces than %q", sibling, sibling)
		}
	}
	for _, guess := range []func() string{
		func() string { return v.typed(name, keys) },
		func() string { return v.elsewhere(name, parent) },
		func() string { return v.otherName(name) },
		func() string { return v.begun(name, parent, keys) },
		func() string { return v.splitKey(name, parent) },
	} {
		if help == "" {
			help = guess()
		}
	}
	if help == "" {
		help = "the keys here: " + strings.Join(keys, ", ")
	}
	v.key(path, "unknown key "+strconv.Quote(name), help)
}

// typed is a key with a slip in it.
func (v *validator) typed(name string, keys []string) string {
	if best := Nearest(name, keys); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return ""
}

// begun is the first word of one key, of which it is said what it is.
func (v *validator) begun(name string, parent, keys []string) string {
	longer := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !strings.HasPrefix(key, name+"_") })
	if len(longer) != 1 {
		return ""
	}
	return fmt.Sprintf("did you mean %q? %s", longer[0], v.about(sub(parent, longer[0])))
}

// elsewhere is a key that stands in the wrong section.
func (v *validator) elsewhere(name string, parent []string) string {
	near := slices.DeleteFunc(v.schema.homes(name), func(home string) bool { // the same word elsewhere is another matter
		return len(parent) > 0 && !strings.HasPrefix(home, parent[0])
	})
	switch {
	case len(near) > 0 && len(near) < 4:
		return "it belongs under " + strings.Join(near, " or ")
	case len(parent) > 0 && slices.Contains(v.schema.keys(nil), name):
		return fmt.Sprintf("%q is a section of the file itself: do not indent it", name)
	}
	return ""
}

// otherName is what pyftpdlib calls a key.
func (v *validator) otherName(name string) string {
	r, err := newReference()
	if err != nil {
		return ""
	}
	var found []string
	for _, k := range r.keys(r.root, "", false, "")[1:] {
		for _, seed := range seedNames(k.node) {
			if seed == name || strings.HasSuffix(seed, "."+name) {
				found = append(found, k.path)
			}
		}
	}
	if found == nil {
		return ""
	}
	return "what pyftpdlib calls so is " + strings.Join(found, " and ") + " here"
}

// splitKey is a path in the place of a key, such as limits.timeouts.idle.
func (v *validator) splitKey(name string, parent []string) string {
	steps := strings.Split(name, ".")
	if len(steps) < 2 || v.schema.at(sub(parent, steps...)) == nil {
		return ""
	}
	return "write one key below the other: " + strings.Join(steps, ": { ") + ": ... " + strings.Repeat("}", len(steps)-1)
}

// marshal is json.Marshal without the escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return []byte(strings.TrimSuffix(b.String(), "\n")), err
}
