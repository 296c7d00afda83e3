package control

import (
	"bytes"
	"encoding"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// object is a JSON object.
type jsonObject = map[string]any

// describer makes the description of the API: of the table of routes, of the types of
// bodies, and of what the source says about both.
type describer struct {
	t       *testing.T
	schemas jsonObject
	types   map[string]reflect.Type
	docs    map[string]string // by PACKAGE.Type and PACKAGE.Type.Field
	parsed  map[string]bool
}

const modulePath = "github.com/edgeftp/edgeftp/"

// parse reads the comments of a package.
func (d *describer) parse(pkg string) {
	if d.parsed[pkg] {
		return
	}
	d.parsed[pkg] = true
	rel, own := strings.CutPrefix(pkg, modulePath)
	if !own {
		return
	}
	files, err := filepath.Glob(filepath.Join("../../../..", rel, "*.go"))
	if err != nil || len(files) == 0 {
		d.t.Fatalf("%s: %v", pkg, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			d.t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			g, ok := n.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				return true
			}
			for _, s := range g.Specs {
				ts := s.(*ast.TypeSpec)
				doc := ts.Doc.Text()
				if doc == "" {
					doc = g.Doc.Text()
				}
				at := pkg + "." + ts.Name.Name
				d.docs[at] = plain(doc)
				if st, ok := ts.Type.(*ast.StructType); ok {
					for _, field := range st.Fields.List {
						for _, id := range field.Names {
							d.docs[at+"."+id.Name] = plain(field.Doc.Text() + " " + field.Comment.Text())
						}
					}
				}
			}
			return true
		})
	}
}

// plain is a comment as a text: in one line, without the links of godoc.
func plain(doc string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(doc)), " ")
}

// name is what a type is called among the schemas.
func (d *describer) name(t reflect.Type) string {
	name := t.Name()
	if other := d.types[name]; other != nil && other != t {
		pkg := filepath.Base(t.PkgPath())
		name = strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
	d.types[name] = t
	return name
}

// schema describes a type.
func (d *describer) schema(t reflect.Type) jsonObject {
	switch t {
	case reflect.TypeFor[time.Time]():
		return jsonObject{"type": "string", "format": "date-time"}
	case reflect.TypeFor[time.Duration]():
		return jsonObject{"type": "integer"}
	case reflect.TypeFor[json.RawMessage](), reflect.TypeFor[any]():
		return jsonObject{}
	}
	if t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return jsonObject{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Bool:
		return jsonObject{"type": "boolean"}
	case reflect.String:
		return jsonObject{"type": "string"}
	case reflect.Float64:
		return jsonObject{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return jsonObject{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return jsonObject{"type": "integer", "minimum": 0}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return jsonObject{"type": "string", "contentEncoding": "base64"}
		}
		return jsonObject{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return jsonObject{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Struct:
		return d.structure(t)
	}
	d.t.Fatalf("%v cannot be described", t)
	return nil
}

// structure describes a struct that has a name once, and refers to it.
func (d *describer) structure(t reflect.Type) jsonObject {
	name := d.name(t)
	ref := jsonObject{"$ref": "#/components/schemas/" + name}
	if d.schemas[name] != nil {
		return ref
	}
	d.parse(t.PkgPath())
	out := jsonObject{"type": "object"}
	d.schemas[name] = out
	if doc := d.docs[t.PkgPath()+"."+t.Name()]; doc != "" {
		out["description"] = doc
	}
	properties, required := jsonObject{}, []string{}
	d.fields(t, properties, &required)
	out["properties"] = properties
	if len(required) > 0 {
		slices.Sort(required)
		out["required"] = required
	}
	return ref
}

func (d *describer) fields(t reflect.Type, properties jsonObject, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && tag == "":
			d.parse(f.Type.PkgPath())
			d.fields(f.Type, properties, required)
			continue
		case !f.IsExported() || tag == "-":
			continue
		case tag == "":
			tag = f.Name
		}
		s := d.schema(f.Type)
		optional := strings.Contains(options, "omit")
		if k := f.Type.Kind(); !optional && (k == reflect.Slice || k == reflect.Map) && s["type"] != nil {
			s["type"] = []string{s["type"].(string), "null"}
		}
		if doc := d.docs[t.PkgPath()+"."+t.Name()+"."+f.Name]; doc != "" {
			s["description"] = doc
		}
		properties[tag] = s
		if !optional {
			*required = append(*required, tag)
		}
	}
}

// operation describes a route.
func (d *describer) operation(r *Route) jsonObject {
	op := jsonObject{"summary": r.Summary, "x-role": r.Role.String(), "operationId": operationID(r)}
	if params := parameters(r); len(params) > 0 {
		op["parameters"] = params
	}
	if r.Request != nil {
		op["requestBody"] = jsonObject{"required": !r.Optional, "content": jsonObject{"application/json": jsonObject{"schema": d.schema(reflect.TypeOf(r.Request))}}}
	} else if r.Body != "" {
		op["requestBody"] = jsonObject{"required": !r.Optional, "content": jsonObject{r.Body: jsonObject{}}}
	}
	content := jsonObject{"application/json": jsonObject{"schema": jsonObject{"type": "object"}}}
	if r.Response != nil {
		content["application/json"] = jsonObject{"schema": d.schema(reflect.TypeOf(r.Response))}
	}
	if r.Answer != "" {
		content = jsonObject{r.Answer: jsonObject{}}
		if r.Response != nil { // of each event
			content[r.Answer] = jsonObject{"x-event": d.schema(reflect.TypeOf(r.Response))}
		}
	}
	responses := jsonObject{"200": jsonObject{"description": "Done.", "content": content}, "default": jsonObject{"$ref": "#/components/responses/Refused"}}
	if r.Also != 0 {
		responses["503"] = jsonObject{"description": "It is not.", "content": content}
	}
	op["responses"] = responses
	return op
}

// operationID names an operation in one word: getPoliciesHistory.
func operationID(r *Route) string {
	id := strings.ToLower(r.Method)
	for _, part := range strings.FieldsFunc(strings.TrimPrefix(r.Pattern, "/v1/"), func(c rune) bool { return strings.ContainsRune("/.{}_", c) }) {
		id += strings.ToUpper(part[:1]) + part[1:]
	}
	return id
}

func parameters(r *Route) (list []any) {
	for part := range strings.SplitSeq(r.Pattern, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			list = append(list, jsonObject{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": jsonObject{"type": "string"}})
		}
	}
	for _, name := range r.Query {
		list = append(list, jsonObject{"name": name, "in": "query", "schema": jsonObject{"type": "string"}})
	}
	if r.recorded() {
		list = append(list, jsonObject{"$ref": "#/components/parameters/Reason"})
	}
	return list
}

// describe makes the whole description.
func describe(t *testing.T) []byte {
	d := &describer{t: t, schemas: jsonObject{}, types: map[string]reflect.Type{}, docs: map[string]string{}, parsed: map[string]bool{}}
	paths := map[string]jsonObject{}
	table := Routes()
	for i := range table {
		r := &table[i]
		if paths[r.Pattern] == nil {
			paths[r.Pattern] = jsonObject{}
		}
		paths[r.Pattern][strings.ToLower(r.Method)] = d.operation(r)
	}
	refused := d.schema(reflect.TypeFor[Refusal]())
	doc := jsonObject{
		"openapi": "3.1.0",
		"info": jsonObject{"title": "edgeftp admin API", "version": "1",
			"description": "HTTP/1.1 over the admin socket, where the role is that of the user at the other end; or over TLS (admin.tcp), with a token or a client certificate. x-role is the least role that may ask. Later versions add fields."},
		"paths": paths,
		"components": jsonObject{
			"schemas":   d.schemas,
			"responses": jsonObject{"Refused": jsonObject{"description": "Why not.", "content": jsonObject{"application/json": jsonObject{"schema": jsonObject{"type": "object", "required": []string{"error"}, "properties": jsonObject{"error": refused}}}}}},
			"parameters": jsonObject{"Reason": jsonObject{"name": reasonHeader, "in": "header", "description": "Why, for the audit log: one line of at most 500 bytes.",
				"schema": jsonObject{"type": "string", "maxLength": maxReason}}},
			"securitySchemes": jsonObject{"token": jsonObject{"type": "http", "scheme": "bearer"}, "certificate": jsonObject{"type": "mutualTLS"}},
		},
		"security": []any{jsonObject{}, jsonObject{"token": []string{}}, jsonObject{"certificate": []string{}}},
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The description that is embedded is what the routes, the types and the source say.
func TestOpenAPI(t *testing.T) {
	want := describe(t)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(OpenAPI(), want) {
		t.Error("openapi.json is not what the routes say: UPDATE_GOLDEN=1 go test writes it")
	}
	var doc struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for path, ops := range doc.Paths {
		for _, method := range slices.Sorted(maps.Keys(ops)) {
			id := ops[method].OperationID
			if seen[id] {
				t.Errorf("%s %s: there are two of %s", method, path, id)
			}
			seen[id] = true
		}
	}
}
