package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	goMod  = "module example.org/policy\n\ngo 1.24\n"
	goMain = "package main\n\nimport \"example.org/policy/words\"\n\n//go:wasmexport f\nfunc f() int32 { return words.N }\n\nfunc main() {}\n"
	goLib  = "package words\n\nconst N = 1\n"
)

// write makes a directory of files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustBuild(t *testing.T, dir, cache, wantHow string) []byte {
	t.Helper()
	r, err := Build(t.Context(), dir, cache)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.How, wantHow) || !bytes.HasPrefix(r.Module, []byte("\x00asm")) || r.Language != "go" {
		t.Errorf("%s: %q, %d bytes, want %q", r.Language, r.How, len(r.Module), wantHow)
	}
	return r.Module
}

// TestBuildIsCachedByContent builds, builds again, changes a dependency, and
// changes it back.
func TestBuildIsCachedByContent(t *testing.T) {
	dir := write(t, map[string]string{"go.mod": goMod, "main.go": goMain, "words/words.go": goLib})
	cache := filepath.Join(t.TempDir(), "cache")
	first := mustBuild(t, dir, cache, "built with go1.")
	if again := mustBuild(t, dir, cache, "from the cache"); !bytes.Equal(first, again) {
		t.Error("the cache holds something else")
	}
	lib := filepath.Join(dir, "words", "words.go")
	if err := os.WriteFile(lib, []byte(strings.Replace(goLib, "1", "2", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if changed := mustBuild(t, dir, cache, "built with"); bytes.Equal(first, changed) {
		t.Error("a changed dependency gave the same module")
	}
	if err := os.WriteFile(lib, []byte(goLib), 0o644); err != nil {
		t.Fatal(err)
	}
	mustBuild(t, dir, cache, "from the cache")
	info, err := os.Stat(cache)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("cache: %v, %v", info.Mode(), err)
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		says  []string
	}{
		{"compiler", map[string]string{"go.mod": goMod, "main.go": "package main\n\nfunc main() {\n\tundefinedThing()\n}\n"},
			[]string{"main.go:4:2: undefined: undefinedThing"}},
		{"syntax", map[string]string{"go.mod": goMod, "main.go": "package main\n\nfunc main( {\n"},
			[]string{"main.go:3:"}},
		{"library", map[string]string{"go.mod": goMod, "a.go": "package words\n"},
			[]string{"package words, not a main package", "help:"}},
		{"no Go files", map[string]string{"go.mod": goMod, "a.txt": "x"},
			[]string{"holds no policy", "main.go", "help:"}},
		{"no module", map[string]string{"main.go": "package main\n\nfunc main() {}\n"},
			[]string{"policy init --lang go"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Build(t.Context(), write(t, tt.files), "")
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			for _, says := range tt.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("got %v\nwant %q in it", err, says)
				}
			}
		})
	}
}

// TestFolders: the folders of a policy's packages are told, those below its own with it.
func TestFolders(t *testing.T) {
	dir := write(t, map[string]string{"go.mod": goMod, "words/words.go": goLib, "cmd/a/inner/inner.go": "package inner\n", "cmd/a/tests.json": "{}",
		"cmd/a/main.go": strings.Replace(goMain, "import", "import _ \"example.org/policy/cmd/a/inner\"\nimport", 1)})
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "cmd", "a"), link); err != nil {
		t.Fatal(err)
	}
	r, err := Build(t.Context(), link, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "cmd", "a"), filepath.Join(dir, "words")}
	if !slices.Equal(r.Dirs, want) || r.Tool == "" || r.Took <= 0 {
		t.Errorf("%v by %q in %v, want %v", r.Dirs, r.Tool, r.Took, want)
	}
}

// TestManifest puts the files beside the source into the module, and builds anew when
// one of them has changed.
func TestManifest(t *testing.T) {
	dir := write(t, map[string]string{"go.mod": goMod, "main.go": goMain, "words/words.go": goLib,
		"manifest.json": "{ \"name\": \"a\" }\n", "tests.json": "{}"})
	cache := filepath.Join(t.TempDir(), "cache")
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte("{ \"name\": \""+name+"\" }\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		wasm := mustBuild(t, dir, cache, "built with")
		for _, section := range []string{`edgeftp.manifest{"name":"` + name + `"}`, "edgeftp.tests{}"} {
			if !bytes.Contains(wasm, []byte(section)) {
				t.Errorf("no section %s", section)
			}
		}
	}
	if err := os.Remove(filepath.Join(dir, "tests.json")); err != nil {
		t.Fatal(err)
	}
	if wasm := mustBuild(t, dir, cache, "built with"); bytes.Contains(wasm, []byte("edgeftp.tests")) {
		t.Error("tests that are not there any more")
	}
	mustBuild(t, dir, cache, "from the cache")
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte("[]"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), dir, cache); err == nil || !strings.Contains(err.Error(), "manifest.json cannot be put") {
		t.Errorf("got %v", err)
	}
}

// TestTestsOfSeveralLanguages finds the tests in the folder above, but only where there
// are none beside the source.
func TestTestsOfSeveralLanguages(t *testing.T) {
	dir := write(t, map[string]string{"tests.json": `{"tests":[]}`, "go/go.mod": goMod, "go/main.go": goMain, "go/words/words.go": goLib})
	if wasm := mustBuild(t, filepath.Join(dir, "go"), "", "built with"); !bytes.Contains(wasm, []byte(`edgeftp.tests{"tests":[]}`)) {
		t.Error("the tests above are not in the module")
	}
	if err := os.WriteFile(filepath.Join(dir, "go", "tests.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if wasm := mustBuild(t, filepath.Join(dir, "go"), "", "built with"); !bytes.Contains(wasm, []byte("edgeftp.tests{}")) {
		t.Error("the tests beside the source are not in the module")
	}
}

func TestNoDirectory(t *testing.T) {
	file := filepath.Join(write(t, map[string]string{"x": "x"}), "x")
	for dir, says := range map[string]string{file: "it is a file", file + "y": "no such directory"} {
		if _, err := Build(t.Context(), dir, ""); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

func TestNoTool(t *testing.T) {
	dir := write(t, map[string]string{"go.mod": goMod, "main.go": goMain})
	t.Setenv("PATH", t.TempDir())
	if _, err := Build(t.Context(), dir, ""); err == nil || !strings.Contains(err.Error(), "install Go") {
		t.Errorf("got %v", err)
	}
}

// TestNames keeps the names of functions where that is wanted, and both in the cache.
func TestNames(t *testing.T) {
	dir := write(t, map[string]string{"go.mod": goMod, "main.go": goMain, "words/words.go": goLib})
	cache := t.TempDir()
	for i, how := range []string{"built with", "from the cache"} {
		bare := mustBuild(t, dir, cache, how)
		r, err := Build(WithNames(t.Context()), dir, cache)
		if err != nil || !strings.Contains(r.How, how) {
			t.Fatalf("%+v, %v", r, err)
		}
		if n := []byte("runtime.mallocgc"); !bytes.Contains(r.Module, n) || len(r.Module) <= len(bare) {
			t.Errorf("round %d: %d bytes with names, %d without", i, len(r.Module), len(bare))
		}
	}
}

func TestContextEndsTheBuild(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := write(t, map[string]string{"go.mod": goMod, "main.go": goMain, "words/words.go": goLib})
	if _, err := Build(ctx, dir, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The cache does not grow for ever.
func TestCacheIsPruned(t *testing.T) {
	dir := t.TempDir()
	at := time.Now().Add(-time.Hour)
	for i := range maxCached + 3 {
		path := filepath.Join(dir, fmt.Sprintf("go-%03d.wasm", i))
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, at, at.Add(time.Duration(i)*time.Second))); err != nil {
			t.Fatal(err)
		}
	}
	if err := modules(dir).keep("c", "digest", []byte("\x00asm")); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != maxCached || filepath.Base(left[0]) != "c-digest.wasm" || filepath.Base(left[1]) != "go-004.wasm" {
		t.Errorf("%d files, the first %s, %v", len(left), left[0], err)
	}
	if modules(dir).find("c", "digest") == nil || (cache{}).find("c", "digest") != nil {
		t.Error("found what is not there, or not what is")
	}
}
