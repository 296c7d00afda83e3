package parity

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/pi"
)

// exportedNames returns every exported name of the packages that an embedder may
// use, as a line of the table writes it.
func exportedNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, dir := range []string{"edge", "edge/pi", "edge/policy", "edge/vfs", "edge/dtp", "edge/wire", "edge/lang",
		"policies/users", "policies/anonymous", "policies/eventlog"} {
		pkg := filepath.Base(dir)
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(dir), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s: %v", dir, err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				addNames(names, pkg, d)
			}
		}
	}
	for table, rows := range map[string][]*pi.Spec{"pi.Standard": pi.Standard().Rows(), "pi.Optional": pi.NewTable(pi.Optional()...).Rows()} {
		for _, r := range rows {
			names[table+"["+r.Verb+"]"] = names[table]
		}
	}
	return names
}

func addNames(names map[string]bool, pkg string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names[pkg+"."+d.Name.Name] = d.Name.IsExported()
		} else if typ := receiver(d); ast.IsExported(typ) {
			names[pkg+"."+typ+"."+d.Name.Name] = d.Name.IsExported()
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names[pkg+"."+n.Name] = n.IsExported()
				}
			case *ast.TypeSpec:
				addType(names, pkg+"."+s.Name.Name, s)
			}
		}
	}
}

func receiver(d *ast.FuncDecl) string {
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	name, _ := typ.(*ast.Ident)
	if name == nil {
		return ""
	}
	return name.Name
}

// addType adds a type with its fields or, of an interface, its methods.
func addType(names map[string]bool, name string, s *ast.TypeSpec) {
	if names[name] = s.Name.IsExported(); !names[name] {
		return
	}
	var parts *ast.FieldList
	switch t := s.Type.(type) {
	case *ast.StructType:
		parts = t.Fields
	case *ast.InterfaceType:
		parts = t.Methods
	default:
		return
	}
	for _, f := range parts.List {
		for _, n := range f.Names {
			names[name+"."+n.Name] = n.IsExported()
		}
	}
}

// schemaKeys returns the keys of the configuration file that are built, with their
// defaults as the schema writes them, less the quotes of a text.
func schemaKeys(t *testing.T) map[string]string {
	t.Helper()
	var schema struct {
		schemaNode
		Defs map[string]schemaNode `json:"$defs"`
	}
	text, err := os.ReadFile(filepath.FromSlash("../../cmd/edgeftp/internal/config/schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	schema.walk(schema.Defs, "", keys)
	return keys
}

// schemaNode is what the table needs of a JSON Schema.
type schemaNode struct {
	Ref        string                `json:"$ref"`
	Default    json.RawMessage       `json:"default"`
	NotBuilt   json.RawMessage       `json:"x-not-built"`
	Properties map[string]schemaNode `json:"properties"`
	Items      *schemaNode           `json:"items"`
}

func (n schemaNode) walk(defs map[string]schemaNode, at string, keys map[string]string) {
	if name, ok := strings.CutPrefix(n.Ref, "#/$defs/"); ok {
		n = defs[name]
	}
	if n.Items != nil {
		n.Items.walk(defs, at+"[]", keys)
	}
	for name, p := range n.Properties {
		if bytes.Equal(p.NotBuilt, []byte("true")) {
			continue
		}
		key := strings.TrimPrefix(at+"."+name, ".")
		keys[key] = strings.Trim(string(p.Default), `"`)
		p.walk(defs, key, keys)
	}
}

// TestNames: the look-ups find what is there, and nothing else.
func TestNames(t *testing.T) {
	names, keys := exportedNames(t), schemaKeys(t)
	for name, want := range map[string]bool{
		"edge.Config.Listeners": true, "pi.Table.Wrap": true, "policy.EventLogin": true, "pi.Standard[STOU]": true,
		"dtp.PassivePort.Until": true, "users.User.Name": true, "pi.Session.FS": true, "edge.New": true,
		"edge.bound": false, "edge.Server.conf": false, "pi.Session.job": false, "edge.Nothing": false, "pi.Standard[NOPE]": false,
		"pi.user": false,
	} {
		if names[name] != want {
			t.Errorf("%s: %v, want %v", name, names[name], want)
		}
	}
	for _, key := range []string{"limits.timeouts.idle", "listeners[].banner", "users.list[].perm"} {
		if _, ok := keys[key]; !ok {
			t.Errorf("no key %s", key)
		}
	}
	for _, key := range []string{"rules", "limits", "policies.trusted", "nothing"} {
		if _, ok := keys[key]; ok && key != "limits" {
			t.Errorf("there is a key %s", key)
		}
	}
	if keys["limits.timeouts.idle"] != "5m" {
		t.Errorf("the default of limits.timeouts.idle is %q", keys["limits.timeouts.idle"])
	}
}

// scripts returns the dialogues of tests/conformance, as "STOR: an empty file".
func scripts(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	root := filepath.FromSlash("../conformance")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".txt" {
			return err
		}
		text, err := os.ReadFile(path)
		name := strings.TrimSuffix(filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator))), ".txt")
		for l := range strings.SplitSeq(string(text), "\n") {
			if title, ok := strings.CutPrefix(l, "== "); ok {
				all[name+": "+strings.TrimSpace(title)] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
