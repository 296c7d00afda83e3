package lang_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/lang"
)

// collector gathers what the server says to clients out of its sources.
type collector struct {
	files *token.FileSet
	keys  map[string]token.Position
	// joined are texts that are put together by +, which no catalogue can know.
	joined map[string]token.Position
}

// sentence tells a text for people from other strings: an upper-case word, or
// arguments and then words, and a full stop.
var sentence = regexp.MustCompile(`^([A-Z][a-z' ]|[A-Z]+ [a-z]|%[a-z] [A-Za-z]).*\.$`)

// words tells a header or a part of a status from a keyword such as "UTF8".
var words = regexp.MustCompile(`^[A-Z][a-z]*( .*[a-z]{2}.*[^ ]|:)$|^[A-Z][a-z]+$`)

// collect reads the packages whose replies clients get: all calls of Say, And,
// Multi and Text and of edge/pi's say; in all other places, sentences; and the help
// texts of the command table.
func collect(t testing.TB) *collector {
	t.Helper()
	c := &collector{token.NewFileSet(), map[string]token.Position{}, map[string]token.Position{}}
	for _, pattern := range []string{"../*.go", "../pi/*.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(c.files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, c.visit)
		}
	}
	return c
}

// visit returns false for what is done with or is no place for replies.
func (c *collector) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.Field:
		return false
	case *ast.KeyValueExpr:
		return c.field(n)
	case *ast.CompositeLit:
		c.line(n)
	case *ast.ReturnStmt:
		for _, r := range n.Results {
			if text, ok := literal(r); ok && strings.Contains(text, " ") {
				c.line(r)
			}
		}
	case *ast.CallExpr:
		return c.call(n)
	case *ast.BinaryExpr:
		if n.Op == token.ADD {
			c.join(n.X)
			c.join(n.Y)
		}
	case *ast.BasicLit:
		if text, ok := literal(n); ok && sentence.MatchString(text) {
			c.add(n, text)
		}
	}
	return true
}

// field takes a help text without the colon of a command that takes no argument,
// and the title of a job, which STAT shows.
func (c *collector) field(n *ast.KeyValueExpr) bool {
	name, ok := n.Key.(*ast.Ident)
	text, is := literal(n.Value)
	switch {
	case !ok:
	case name.Name == "Help" && is:
		c.add(n.Value, strings.TrimPrefix(text, ": "))
	case name.Name == "Title" && is:
		c.add(n.Value, text)
	case name.Name == "RFC":
		return false
	}
	return true
}

// call takes the literals of calls that make replies, and passes over those that
// make errors and log records.
func (c *collector) call(n *ast.CallExpr) bool {
	name := ""
	switch f := n.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	switch name {
	case "Error", "Warn", "Info", "Debug", "New", "Errorf", "panic", "event":
		return false
	case "say", "Say", "And", "Text":
		for _, a := range n.Args {
			if text, ok := literal(a); ok {
				c.add(a, text)
				break // what follows is arguments
			}
		}
	case "Multi", "append":
		for _, a := range n.Args {
			c.line(a)
		}
	}
	return true
}

// line takes a line of a reply of several lines.
func (c *collector) line(e ast.Expr) {
	if text, ok := literal(e); ok && words.MatchString(text) {
		c.add(e, text)
	}
	list, ok := e.(*ast.CompositeLit)
	if !ok {
		return
	}
	if array, ok := list.Type.(*ast.ArrayType); ok {
		if of, ok := array.Elt.(*ast.Ident); ok && of.Name == "string" {
			for _, el := range list.Elts {
				c.line(el)
			}
		}
	}
}

// join notes a text that is a part of another one.
func (c *collector) join(e ast.Expr) {
	if text, ok := literal(e); ok && strings.ContainsRune(text, ' ') && regexp.MustCompile(`[a-z]{3}`).MatchString(text) {
		c.joined[text] = c.files.Position(e.Pos())
	}
}

func (c *collector) add(e ast.Expr, text string) {
	if !lang.Fixed(text) {
		c.keys[text] = c.files.Position(e.Pos())
	}
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// Every text that the server says has a translation in every built-in catalogue,
// and no catalogue has one of a text that is gone. What is missing is printed as it
// has to be put into the file.
func TestComplete(t *testing.T) {
	c := collect(t)
	if len(c.keys) < 100 {
		t.Fatalf("only %d texts were found in the sources", len(c.keys))
	}
	cats, err := lang.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	for _, cat := range cats {
		have := cat.Keys()
		var missing strings.Builder
		n := 0
		for _, key := range slices.Sorted(maps.Keys(c.keys)) {
			if !slices.Contains(have, key) {
				n++
				missing.WriteString("    " + quote(key) + ": \"\",\n")
			}
		}
		if n > 0 {
			t.Errorf("catalogues/%s.json lacks %d texts; add them, translated:\n%s", cat.Tag(), n, &missing)
		}
		for _, key := range have {
			if _, ok := c.keys[key]; !ok {
				t.Errorf("catalogues/%s.json translates a text that the server does not say any more; take it out:\n    %s", cat.Tag(), quote(key))
			}
		}
	}
	for text, at := range c.joined {
		t.Logf("%s: %q is joined to other texts by + and cannot be translated", at, text)
	}
}

// Parse can compare every text with its translation: it is a format of package fmt
// without control characters.
func TestKeysAreFormats(t *testing.T) {
	for key, at := range collect(t).keys {
		file := `{"language": "xx", "name": "x", "texts": {` + quote(key) + ": " + quote(key) + "}}"
		if _, err := lang.Parse([]byte(file)); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// quote writes a string as JSON has it.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
