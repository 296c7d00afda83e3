package config

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/message"
)

//go:embed schema.json
var schemaJSON string

// Schema returns the JSON Schema of the configuration file (draft 2020-12), for
// editors and documents.
func Schema() []byte { return []byte(schemaJSON) }

// schema is schema.json, as data for hints and defaults and compiled for
// validation.
type schema struct {
	root     map[string]any
	compiled *jsonschema.Schema
}

const schemaURL = "config-1.json"

func newSchema() (*schema, error) {
	raw, err := jsonschema.UnmarshalJSON(strings.NewReader(schemaJSON))
	if err != nil {
		return nil, fmt.Errorf("the embedded schema is damaged: %w", err)
	}
	root, isMap := raw.(map[string]any)
	if !isMap {
		return nil, errors.New("the embedded schema is damaged")
	}
	return compileSchema(root)
}

// compileSchema makes a schema of root, which may be a part of the embedded one.
func compileSchema(root map[string]any) (*schema, error) {
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for name, check := range formats() {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error { return checkAny(check, v) }})
	}
	c.AssertVocabs()
	c.RegisterVocabulary(&jsonschema.Vocabulary{URL: "x-not-built", Compile: compileNotBuilt})
	c.RegisterVocabulary(&jsonschema.Vocabulary{URL: "x-names", Compile: compileNames})
	if err := c.AddResource(schemaURL, root); err != nil {
		return nil, fmt.Errorf("the embedded schema is damaged: %w", err)
	}
	compiled, err := c.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("the embedded schema is damaged: %w", err)
	}
	return &schema{root: root, compiled: compiled}, nil
}

// checkAny applies a format to strings and to numbers as they are written; what
// other types may be is for the schema to say.
func checkAny(check func(string) error, v any) error {
	switch v := v.(type) {
	case string:
		return check(v)
	case json.Number:
		return check(v.String())
	}
	return nil
}

// notBuilt is the schema's keywords x-not-built, true or a list of values, and
// x-only-built, a list of the only values: what is reserved but cannot be done.
type notBuilt struct {
	all        bool
	some, only []any
}

func compileNotBuilt(_ *jsonschema.CompilerContext, obj map[string]any) (jsonschema.SchemaExt, error) {
	var n notBuilt
	switch v := obj["x-not-built"].(type) {
	case bool:
		n.all = v
	case []any:
		n.some = v
	}
	n.only, _ = obj["x-only-built"].([]any)
	if !n.all && n.some == nil && n.only == nil {
		return nil, nil
	}
	return n, nil
}

// Validate implements jsonschema.SchemaExt.
func (n notBuilt) Validate(ctx *jsonschema.ValidatorContext, v any) {
	same := func(x any) bool { return x == v }
	switch {
	case n.all:
		ctx.AddError(&notBuiltError{wholeKey: true})
	case slices.ContainsFunc(n.some, same), n.only != nil && !slices.ContainsFunc(n.only, same):
		ctx.AddError(&notBuiltError{})
	}
}

// notBuiltError is the kind of error that notBuilt adds.
type notBuiltError struct{ wholeKey bool }

// KeywordPath implements jsonschema.ErrorKind.
func (*notBuiltError) KeywordPath() []string { return []string{"x-not-built"} }

// LocalizedString implements jsonschema.ErrorKind.
func (*notBuiltError) LocalizedString(*message.Printer) string { return "not built yet" }

// names is the schema's keyword x-names: the form of the names in a map. The
// standard's propertyNames is not used because the library loses the places of
// its errors.
type names struct{ check func(string) error }

func compileNames(_ *jsonschema.CompilerContext, obj map[string]any) (jsonschema.SchemaExt, error) {
	form, _ := obj["x-names"].(string)
	if form == "" {
		return nil, nil
	}
	check := formats()[form]
	if check == nil {
		return nil, fmt.Errorf("there is no form %q", form)
	}
	return names{check}, nil
}

// Validate implements jsonschema.SchemaExt.
func (n names) Validate(ctx *jsonschema.ValidatorContext, v any) {
	m, _ := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		var f fault
		if errors.As(n.check(name), &f) {
			ctx.AddError(&nameError{name, f})
		}
	}
}

// nameError is the kind of error that names adds.
type nameError struct {
	name string
	fault
}

// KeywordPath implements jsonschema.ErrorKind.
func (*nameError) KeywordPath() []string { return []string{"x-names"} }

// LocalizedString implements jsonschema.ErrorKind.
func (*nameError) LocalizedString(*message.Printer) string { return "wrong name" }

// at returns the schema of the value at path, nil if there is none.
func (s *schema) at(path []string) map[string]any {
	here := s.root
	for _, p := range path {
		props, _ := here["properties"].(map[string]any)
		next, _ := props[p].(map[string]any)
		for _, others := range []string{"items", "additionalProperties"} {
			if next == nil {
				next, _ = here[others].(map[string]any)
			}
		}
		if next == nil {
			return nil
		}
		here = s.resolve(next)
	}
	return here
}

// resolve follows a reference to $defs.
func (s *schema) resolve(m map[string]any) map[string]any {
	ref, _ := m["$ref"].(string)
	at, isRef := strings.CutPrefix(ref, "#/")
	if !isRef {
		return m
	}
	here := s.root
	for name := range strings.SplitSeq(at, "/") {
		here, _ = here[name].(map[string]any)
	}
	return s.resolve(here)
}

// keys returns the names of the properties of the object at path, sorted.
func (s *schema) keys(path []string) []string {
	props, _ := s.at(path)["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(props))
}

// homes returns the dotted paths, other than within lists, at which key is a
// property.
func (s *schema) homes(key string) []string {
	var found []string
	var walk func(at map[string]any, path []string)
	walk = func(at map[string]any, path []string) {
		props, _ := at["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(props)) {
			if name == key && len(path) > 0 {
				found = append(found, dotted(path))
			}
			if child, _ := props[name].(map[string]any); child != nil {
				walk(s.resolve(child), sub(path, name))
			}
		}
		if items, _ := at["items"].(map[string]any); items != nil {
			walk(s.resolve(items), sub(path, "0"))
		}
	}
	walk(s.root, nil)
	return found
}

// fill adds the defaults that the schema names to v, in place.
func (s *schema) fill(at map[string]any, v any) {
	at = s.resolve(at)
	switch v := v.(type) {
	case map[string]any:
		props, _ := at["properties"].(map[string]any)
		for name, p := range props {
			prop, _ := p.(map[string]any)
			prop = s.resolve(prop)
			if _, set := v[name]; !set && prop["default"] != nil {
				v[name] = fresh(prop["default"])
			}
			s.fill(prop, v[name])
		}
		if others, _ := at["additionalProperties"].(map[string]any); others != nil {
			for name := range v {
				s.fill(others, v[name])
			}
		}
	case []any:
		if items, _ := at["items"].(map[string]any); items != nil {
			for _, item := range v {
				s.fill(items, item)
			}
		}
	}
}

// fresh is a default of its own: the empty section, a list, or a plain value.
func fresh(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return map[string]any{}
	case []any:
		return append([]any{}, v...)
	}
	return v
}

// leaves calls f with every innermost error of a failed validation.
func leaves(err error, f func(*jsonschema.ValidationError)) {
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return
	}
	if len(v.Causes) == 0 {
		f(v)
	}
	for _, cause := range v.Causes {
		leaves(cause, f)
	}
}
