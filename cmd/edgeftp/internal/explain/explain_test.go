package explain

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestForm(t *testing.T) {
	code := regexp.MustCompile(`^([1-6][0-5][0-9]|EF[0-9]{4})$`)
	seen := map[string]bool{}
	for _, e := range All() {
		if !code.MatchString(e.Code) || e.Summary == "" || e.Meaning+e.Do == "" || strings.HasSuffix(e.Summary, ".") {
			t.Errorf("%+v", e)
		}
		if seen[e.Code] {
			t.Errorf("%s is explained twice: %s", e.Code, e.Summary)
		}
		seen[e.Code] = true
	}
}

// Every code of the sources has an entry in codes.txt, and every reply code that the
// server has a name for one in replies.txt.
func TestComplete(t *testing.T) {
	top := filepath.Join("..", "..", "..", "..")
	own := regexp.MustCompile(`EF[0-9]{4}\b`)
	found := 0
	for _, dir := range []string{"acme", "cmd", "edge", "guest-sdk", "policies", "wasmhost"} {
		err := filepath.WalkDir(filepath.Join(top, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, code := range own.FindAllString(string(text), -1) {
				found++
				if len(Find(code)) == 0 {
					t.Errorf("%s: nothing is said of %s: add it to codes.txt", path, code)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 30 {
		t.Errorf("only %d codes were found", found)
	}
	text, err := os.ReadFile(filepath.Join(top, "edge", "wire", "code.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`Code = (\d{3}) `).FindAllStringSubmatch(string(text), -1)
	for _, m := range names {
		if e := Find(m[1]); len(e) != 1 || strings.Contains(e[0].Meaning, "does not send "+m[1]) {
			t.Errorf("nothing is said of %s: add it to replies.txt", m[1])
		}
	}
	if len(names) < 40 {
		t.Errorf("only %d reply codes were found", len(names))
	}
}

// A code means one thing: its text stands once in the sources (elsewhere its name does),
// and what is explained is there.
func TestOneMeaning(t *testing.T) {
	declared := map[string]string{}
	top := filepath.Join("..", "..", "..", "..")
	for _, dir := range []string{"acme", "cmd", "edge", "guest-sdk", "policies", "wasmhost"} {
		err := filepath.WalkDir(filepath.Join(top, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			return literals(path, func(code, place string) {
				if first := declared[code]; first != "" {
					t.Errorf("%s: %s is declared at %s already: use its name, or a code of its own", place, code, first)
				}
				declared[code] = place
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range parse(codes) {
		if declared[e.Code] == "" {
			t.Errorf("codes.txt: %s is no code of the sources", e.Code)
		}
	}
	if len(declared) < 60 {
		t.Errorf("only %d codes were found", len(declared))
	}
}

// literals tells the strings of a file that are a code, and where they stand.
func literals(path string, tell func(code, place string)) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, 0)
	if err != nil {
		return err
	}
	form := regexp.MustCompile("^[\"`](EF[0-9]{4})[\"`]$")
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			if m := form.FindStringSubmatch(lit.Value); m != nil {
				tell(m[1], files.Position(lit.Pos()).String())
			}
		}
		return true
	})
	return nil
}

func TestFind(t *testing.T) {
	for code, want := range map[string]int{"550": 1, "ef2101": 1, "2106": 1, " EF2118 ": 1, "299": 0, "259": 1, "x": 0, "": 0, "999": 0, "EF9999": 0, "700": 0} {
		if got := Find(code); len(got) != want {
			t.Errorf("%q has %d entries: %+v", code, len(got), got)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("550")
	f.Fuzz(func(t *testing.T, code string) {
		for _, e := range Find(code) {
			if e.Summary == "" {
				t.Errorf("%q: %+v", code, e)
			}
		}
	})
}
