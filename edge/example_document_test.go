package edge_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document is the page that shows the examples. Before each piece of code in it
// stands where it comes from: a file, and the declarations, all of them if none is
// named.
const document = "../docs/embedding.md"

// TestDocument holds the page's code against the examples, which are tests
// themselves. With UPDATE_GOLDEN set, the code is written anew.
func TestDocument(t *testing.T) {
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	block := regexp.MustCompile("(?s)<!-- code: (\\S+)(.*?) -->\n```go\n.*?\n```\n")
	fresh := block.ReplaceAllFunc(page, func(old []byte) []byte {
		m := block.FindSubmatch(old)
		code, names, err := excerpt(string(m[1]), strings.Fields(string(m[2])))
		if err != nil {
			t.Error(err)
			return old
		}
		for _, name := range names {
			shown[name] = true
		}
		return fmt.Appendf(nil, "<!-- code: %s%s -->\n```go\n%s\n```\n", m[1], m[2], code)
	})
	if n, all := len(block.FindAll(page, -1)), bytes.Count(page, []byte("```go\n")); n != all {
		t.Errorf("%s: of %d pieces of Go code, %d say where they come from", document, all, n)
	}
	for _, name := range examples(t) {
		if !shown[name] {
			t.Errorf("%s does not show %s", document, name)
		}
	}
	if bytes.Equal(page, fresh) {
		return
	}
	if os.Getenv("UPDATE_GOLDEN") == "" {
		t.Fatalf("%s does not show the examples as they are: run UPDATE_GOLDEN=1 go test ./edge -run TestDocument", document)
	}
	if err := os.WriteFile(document, fresh, 0o644); err != nil {
		t.Fatal(err)
	}
}

// excerpt returns declarations of a file, with their comments, and their names.
func excerpt(path string, only []string) (string, []string, error) {
	path = filepath.Join("..", filepath.FromSlash(path))
	text, err := os.ReadFile(path)
	if err != nil {
		return "", nil, err
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return "", nil, err
	}
	var parts, names []string
	for _, d := range file.Decls {
		name, doc := declared(d)
		if name == "" || len(only) > 0 && !slices.Contains(only, name) {
			continue
		}
		from := d.Pos()
		if doc != nil {
			from = doc.Pos()
		}
		end := files.Position(d.End()).Offset
		if line := bytes.IndexByte(text[end:], '\n'); line >= 0 { // a comment at its end
			end += line
		}
		parts, names = append(parts, string(text[files.Position(from).Offset:end])), append(names, name)
	}
	for _, name := range only {
		if !slices.Contains(names, name) {
			return "", nil, fmt.Errorf("%s has no %s", path, name)
		}
	}
	return strings.Join(parts, "\n\n"), names, nil
}

// declared returns what a declaration is called, a method with its type; empty for
// imports.
func declared(d ast.Decl) (string, *ast.CommentGroup) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return d.Name.Name, d.Doc
		}
		typ := d.Recv.List[0].Type
		if star, ok := typ.(*ast.StarExpr); ok {
			typ = star.X
		}
		return typ.(*ast.Ident).Name + "." + d.Name.Name, d.Doc
	case *ast.GenDecl:
		switch s := d.Specs[0].(type) {
		case *ast.TypeSpec:
			return s.Name.Name, d.Doc
		case *ast.ValueSpec:
			return s.Names[0].Name, d.Doc
		}
	}
	return "", nil
}

// examples returns the names of all examples of this package.
func examples(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("example_*_test.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		_, all, err := excerpt("edge/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, slices.DeleteFunc(all, func(n string) bool { return !strings.HasPrefix(n, "Example") })...)
	}
	return names
}
