package edge_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentNames holds that what the page names is there: package.Name,
// Type.Field and Type.Method, and the headings that it leads to.
func TestDocumentNames(t *testing.T) {
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	known := exported(t, ".", "pi", "policy", "vfs", "dtp", "wire", "lang")
	prose := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(page), "")
	n := 0
	for _, m := range regexp.MustCompile("`([a-zA-Z]+\\.[A-Z][a-zA-Z]*)`").FindAllStringSubmatch(prose, -1) {
		if n++; !known[m[1]] {
			t.Errorf("%s names %s, which is not there", document, m[1])
		}
	}
	if n < 50 {
		t.Errorf("%d names were found", n)
	}
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(prose, -1) {
		headings["#"+strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")] = true
	}
	for _, m := range regexp.MustCompile(`\]\((#[^)]*)\)`).FindAllStringSubmatch(prose, -1) {
		if !headings[m[1]] {
			t.Errorf("%s leads to %s, which is not there", document, m[1])
		}
	}
}

// exported returns the exported names of packages in three forms.
func exported(t *testing.T, dirs ...string) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, dir := range dirs {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				for _, name := range members(d) {
					if !strings.Contains(name, ".") {
						name = file.Name.Name + "." + name
					}
					known[name] = true
				}
			}
		}
	}
	return known
}

// members returns the names that a declaration makes: its own, and those of fields
// and methods behind the type's.
func members(d ast.Decl) (names []string) {
	gen, ok := d.(*ast.GenDecl)
	if !ok {
		name, _ := declared(d)
		return []string{name}
	}
	for _, spec := range gen.Specs {
		switch spec := spec.(type) {
		case *ast.ValueSpec:
			for _, n := range spec.Names {
				names = append(names, n.Name)
			}
		case *ast.TypeSpec:
			names = append(names, spec.Name.Name)
			var fields *ast.FieldList
			switch typ := spec.Type.(type) {
			case *ast.StructType:
				fields = typ.Fields
			case *ast.InterfaceType:
				fields = typ.Methods
			default:
				continue
			}
			for _, f := range fields.List {
				for _, n := range f.Names {
					names = append(names, spec.Name.Name+"."+n.Name)
				}
			}
		}
	}
	return names
}
