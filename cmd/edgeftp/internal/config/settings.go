package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/edgeftp/edgeftp/wasmhost"
)

// errFetch says that a schema wants another document.
var errFetch = errors.New("a schema cannot name another document")

// nowhere loads no schema from anywhere.
type nowhere struct{}

// Load implements jsonschema.URLLoader.
func (nowhere) Load(string) (any, error) { return nil, errFetch }

// CheckSettings holds the settings of a policy, nil for none, to the schema that its
// module brings, nil for one that brings none. The error is a [*wasmhost.LoadError]
// that names each key that does not fit.
//
// A schema is the module's word and may be hostile. Nothing outside of it is loaded,
// and references are not taken: a few of them can make work without end.
func CheckSettings(name string, schema, settings json.RawMessage) error {
	if schema == nil {
		return nil
	}
	compiled, err := compileSettings(schema)
	if err != nil {
		return &wasmhost.LoadError{Code: wasmhost.CodeManifest, Err: err,
			Summary: fmt.Sprintf("policy %q brings a schema of its settings that cannot be used", name),
			Found:   printable(firstLine(err.Error())), Needs: "JSON Schema, draft 2020-12, without references", Help: "correct settings in the module's manifest"}
	}
	if settings == nil {
		settings = json.RawMessage("{}")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(settings))
	if err != nil {
		return err
	}
	var found []string
	leaves(compiled.Validate(value), func(e *jsonschema.ValidationError) { found = append(found, misfits(e)...) })
	if found == nil {
		return nil
	}
	slices.Sort(found)
	if found = slices.Compact(found); len(found) > 10 {
		found = append(found[:10], fmt.Sprintf("and %d more", len(found)-10))
	}
	return &wasmhost.LoadError{Code: wasmhost.CodeSettings,
		Summary: fmt.Sprintf("policy %q does not take its settings", name),
		Found:   printable(strings.Join(found, "; ")), Needs: "what the schema in the module's manifest says",
		Help: "correct the settings of this policy in the configuration; edgeftp policy inspect FILE shows the schema"}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func compileSettings(schema json.RawMessage) (_ *jsonschema.Schema, err error) {
	defer func() {
		if r := recover(); r != nil { // the text is a stranger's
			err = fmt.Errorf("fault of the validator: %v", r)
		}
	}()
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	if name := referring(raw); name != "" {
		return nil, fmt.Errorf("it has a %s", name)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(nowhere{})
	if err := c.AddResource("settings.json", raw); err != nil {
		return nil, err
	}
	return c.Compile("settings.json")
}

// referring finds a keyword that refers to another place.
func referring(v any) string {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if name == "$ref" || name == "$dynamicRef" || name == "$recursiveRef" {
				return name
			}
			if found := referring(inner); found != "" {
				return found
			}
		}
	case []any:
		for _, inner := range v {
			if found := referring(inner); found != "" {
				return found
			}
		}
	}
	return ""
}

// misfits says in words what does not fit, each with its key.
func misfits(e *jsonschema.ValidationError) []string {
	at := dotted(append([]string{"settings"}, e.InstanceLocation...))
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		var out []string
		for _, name := range k.Properties {
			out = append(out, fmt.Sprintf("%s has the unknown key %q", at, name))
		}
		return out
	case *kind.Required:
		var out []string
		for _, name := range k.Missing {
			out = append(out, at+"."+name+" is missing")
		}
		return out
	case *kind.Type:
		want := make([]string, len(k.Want))
		for i, w := range k.Want {
			want[i] = noun(w)
		}
		return []string{at + " must be " + strings.Join(want, " or ") + ", not " + noun(k.Got)}
	case *kind.Enum:
		var can []string
		for _, v := range k.Want {
			if s, ok := v.(string); ok {
				can = append(can, strconv.Quote(s))
			} else {
				can = append(can, fmt.Sprint(v))
			}
		}
		return []string{at + " is not one of " + strings.Join(can, ", ")}
	}
	return []string{at + ": " + e.ErrorKind.LocalizedString(message.NewPrinter(language.English))}
}
