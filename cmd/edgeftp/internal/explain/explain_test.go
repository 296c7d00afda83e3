package explain

import (
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
		if seen[e.Code+e.Summary] || e.Code[0] != 'E' && seen[e.Code] {
			t.Errorf("%s stands there twice", e.Code)
		}
		seen[e.Code+e.Summary], seen[e.Code] = true, true
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

func TestFind(t *testing.T) {
	for code, want := range map[string]int{"550": 1, "ef2101": 1, "2106": 2, " EF2118 ": 1, "299": 0, "259": 1, "x": 0, "": 0, "999": 0, "EF9999": 0, "700": 0} {
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
