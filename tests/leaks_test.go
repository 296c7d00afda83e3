package tests

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unwatched are folders whose tests need not look for goroutines that are left: what
// authors of policies copy imports the SDK alone, and has none.
func unwatched() []string { return []string{"examples/wasm", "guest-sdk/go/template"} }

// TestLeaksAreSought: the tests of every package fail if a goroutine is left at their
// end.
func TestLeaksAreSought(t *testing.T) {
	watched := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			return fs.SkipDir
		}
		for _, dir := range unwatched() {
			if d.IsDir() && name == dir {
				return fs.SkipDir
			}
		}
		if d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		dir := filepath.Dir(path)
		watched[dir] = watched[dir] || bytes.Contains(text, []byte("goleak.VerifyTestMain(")) || bytes.Contains(text, []byte("goleak.Find("))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(watched) < 50 {
		t.Errorf("only %d packages have tests", len(watched))
	}
	for dir, yes := range watched {
		if !yes {
			t.Errorf("the tests of %s do not look for goroutines that are left: give it a TestMain with goleak.VerifyTestMain", dir)
		}
	}
}
