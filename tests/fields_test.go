package tests

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"testing"
)

// An embedder reads the documentation by fields and methods: each exported one of
// the public packages, and each constant, says what it means: units, the zero
// value, errors.
func TestFieldsDocumented(t *testing.T) {
	public := []string{"edge", "edge/pi", "edge/policy", "edge/vfs", "edge/dtp", "edge/wire", "edge/lang"}
	found := map[string]bool{}
	sources(t, func(path string, file *ast.File) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if !slices.Contains(public, dir) {
			return
		}
		found[dir] = true
		for _, d := range file.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				for _, name := range silent(gen, spec) {
					t.Errorf("%s: nothing is said of %s", path, name)
				}
			}
		}
	})
	if len(found) != len(public) {
		t.Errorf("of %v only %v was found", public, found)
	}
}

// silent returns the exported fields and methods of a type, or constants, that have
// no comment. Of constants a single block's comment is enough.
func silent(gen *ast.GenDecl, spec ast.Spec) (names []string) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		if gen.Tok == token.CONST && spec.Doc == nil && spec.Comment == nil && len(gen.Specs) > 1 {
			names = exported(spec.Names)
		}
	case *ast.TypeSpec:
		var fields *ast.FieldList
		switch typ := spec.Type.(type) {
		case *ast.StructType:
			fields = typ.Fields
		case *ast.InterfaceType:
			fields = typ.Methods
		}
		if fields == nil || !spec.Name.IsExported() || fields.NumFields() == 1 && gen.Doc != nil {
			return nil
		}
		for _, f := range fields.List {
			if f.Doc == nil && f.Comment == nil {
				for _, n := range exported(f.Names) {
					names = append(names, spec.Name.Name+"."+n)
				}
			}
		}
	}
	return names
}

func exported(idents []*ast.Ident) (names []string) {
	for _, n := range idents {
		if n.IsExported() {
			names = append(names, n.Name)
		}
	}
	return names
}
