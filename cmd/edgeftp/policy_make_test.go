package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp"
	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/workbench"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
)

// command runs the program, and returns everything that it writes with its exit code.
func command(t *testing.T, args ...string) (text string, code int) {
	t.Helper()
	var out bytes.Buffer
	code = run(t.Context(), args, &out, &out)
	return out.String(), code
}

// golden compares got with a file, but for what differs from one machine and run to
// another; UPDATE_GOLDEN=1 in the environment writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	for pattern, instead := range map[string]string{`go1\.\d+(\.\d+)?`: "go1.X", `in \d+(\.\d+)?m?s`: "in T", `\d{6,} bytes`: "N bytes",
		`languages are .*`: "languages are ...", `one of these files: .*`: "one of these files: ...", `main\.go:\d+:`: "main.go:N:"} {
		got = regexp.MustCompile(pattern).ReplaceAllString(got, instead)
	}
	name = filepath.Join("testdata", name+".golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// elsewhere makes an empty working directory, and returns a golden that still finds
// its files.
func elsewhere(t *testing.T) func(name, got string) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	return func(name, got string) {
		t.Helper()
		t.Chdir(here)
		golden(t, name, got)
		t.Chdir(dir)
	}
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// replaceText changes one place of a file.
func replaceText(t *testing.T, path, old, with string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), old) != 1 {
		t.Fatalf("%s holds %q %d times, %v", path, old, strings.Count(string(text), old), err)
	}
	writeText(t, path, strings.Replace(string(text), old, with, 1))
}

// tree lists the files below a folder.
func tree(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path) // it lies below
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

// offline keeps the Go tool from everything but its own library.
func offline(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{"GOPROXY": "off", "GOFLAGS": "", "GOMODCACHE": t.TempDir(), "GOWORK": "", "GOTOOLCHAIN": "local"} {
		t.Setenv(name, value)
	}
}

// Every template builds, passes its tests and is taken by a server, with nothing but
// what the program has written.
func TestInitAndBuild(t *testing.T) {
	golden := elsewhere(t)
	offline(t)
	for _, language := range workbench.Languages(edgeftp.Sources()) {
		t.Run(language, func(t *testing.T) {
			if _, err := build.Toolchain(t.Context(), language); err != nil {
				if os.Getenv("CI") != "" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			dir := "guard-" + language
			text, code := command(t, "policy", "init", "--lang", language, dir)
			if code != exitOK {
				t.Fatalf("exit code %d\n%s", code, text)
			}
			if language == "go" {
				golden("init-go", text)
			}
			before := tree(t, dir)
			for _, path := range before {
				text, err := os.ReadFile(filepath.Join(dir, path))
				if err != nil || bytes.Contains(text, []byte("{{name}}")) {
					t.Errorf("%s: %v, or the placeholder is left", path, err)
				}
			}
			text, code = command(t, "policy", "build", dir)
			if code != exitOK {
				t.Fatalf("exit code %d\n%s", code, text)
			}
			if language == "go" {
				golden("build-go", text)
			}
			if text, code = command(t, "policy", "inspect", filepath.Join(dir, dir+".wasm")); code != exitOK || !strings.Contains(text, "tests      passed") {
				t.Errorf("exit code %d\n%s", code, text)
			}
			var said bytes.Buffer
			ran, err := build.Test(t.Context(), dir, &said)
			if err != nil {
				t.Errorf("its own tests: %v\n%s", err, &said)
			}
			t.Logf("has tests of its own: %t", ran)
			if after := tree(t, dir); len(after) != len(before)+1 {
				t.Errorf("building has left %v, before there was %v", after, before)
			}
		})
	}
}

func TestInitRefuses(t *testing.T) {
	golden := elsewhere(t)
	writeText(t, "taken/x", "x")
	writeText(t, "file", "x")
	var all strings.Builder
	for _, args := range [][]string{
		{"a"}, {"--lang", "cobol", "a"}, {"--lang", "go", "../a"}, {"--lang", "go", ".a"}, {"--lang", "go", ""}, {"--lang", "go"},
		{"--lang", "go", "taken"}, {"--lang", "go", "a", "--dir", "taken"}, {"--lang", "go", "file"}, {"--lang", "go", "a", "--dir", "file/b"},
		{"--lang", "go", "a", "-o", "xml"},
	} {
		text, code := command(t, append([]string{"policy", "init"}, args...)...)
		all.WriteString("$ edgeftp policy init " + strings.Join(args, " ") + "\n" + text + "exit " + string(rune('0'+code)) + "\n\n")
	}
	golden("init-refused", all.String())
	if left := tree(t, "."); !slices.Equal(left, []string{"file", "taken/x"}) {
		t.Errorf("it has left %v", left)
	}
}

// What cannot be written to its end is removed.
func TestInitLeavesNothing(t *testing.T) {
	elsewhere(t)
	if err := os.MkdirAll("a/b", 0o755); err != nil {
		t.Fatal(err)
	}
	if text, code := command(t, "policy", "init", "--lang", "go", "a", "--dir", "a/b/c/d"); code != exitOK {
		t.Fatal(text)
	}
	if text, code := command(t, "policy", "init", "--lang", "go", "a", "--dir", "a/b/c/d"); code != exitFailed {
		t.Fatal(text)
	}
	// An empty folder is as good as none.
	if err := os.Mkdir("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	if text, code := command(t, "policy", "init", "--lang", "go", "a", "--dir", "empty"); code != exitOK || len(tree(t, "empty")) < 10 {
		t.Fatal(text)
	}
}

// Without the tools the folder is made all the same.
func TestInitWithoutTools(t *testing.T) {
	golden := elsewhere(t)
	t.Setenv("PATH", t.TempDir())
	text, code := command(t, "policy", "init", "--lang", "go", "guard")
	golden("init-no-tool", text)
	if code != exitChecks || len(tree(t, "guard")) < 10 {
		t.Errorf("exit code %d, %v", code, tree(t, "guard"))
	}
	text, code = command(t, "policy", "init", "--lang", "go", "second", "-o", "json")
	var f founded
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&f); err != nil || code != exitChecks || f.Missing == "" || f.Dir != "second" || !f.SDK || len(f.Files) < 4 {
		t.Errorf("%d, %v, %+v", code, err, f)
	}
	text, code = command(t, "policy", "build", "--check")
	if code != exitOK || !strings.Contains(text, "missing: the Go tool is missing; install Go") {
		t.Errorf("%d\n%s", code, text)
	}
}

// policy build says what is wrong in the compiler's or the server's words, and leaves
// what was there.
func TestBuildRefuses(t *testing.T) {
	golden := elsewhere(t)
	if text, code := command(t, "policy", "init", "--lang", "go", "guard"); code != exitOK {
		t.Fatal(text)
	}
	writeText(t, "guard/guard.wasm", "the old one")
	writeText(t, "nothing/readme.txt", "x")
	main, err := os.ReadFile("guard/main.go")
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile("guard/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("guard/tests.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(){
		"syntax":   func() { replaceText(t, "guard/main.go", "func main() {}", "func main( {}") },
		"types":    func() { replaceText(t, "guard/main.go", "func main() {}", "func main() { undefinedThing() }") },
		"no-hook":  func() { writeText(t, "guard/main.go", "package main\n\nfunc main() {}\n") },
		"manifest": func() { replaceText(t, "guard/manifest.json", `"hooks": ["fs"],`, `"hooks": ["fs", "auth"],`) },
		"tests":    func() { writeText(t, "guard/tests.json", "{\n  \"tests\": [\n    {,}\n  ]\n}\n") },
		"json":     func() { replaceText(t, "guard/manifest.json", `"hooks": ["fs"],`, `"hooks": ["fs"`) },
		"name":     func() { replaceText(t, "guard/manifest.json", `"name": "guard"`, `"name": "../guard"`) },
	} {
		spoil()
		text, code := command(t, "policy", "build", "guard")
		golden("build-"+name, text)
		old, err := os.ReadFile("guard/guard.wasm")
		if code != exitFailed || err != nil || string(old) != "the old one" {
			t.Errorf("%s: exit code %d, then %d bytes, %v", name, code, len(old), err)
		}
		writeText(t, "guard/main.go", string(main))
		writeText(t, "guard/manifest.json", string(manifest))
		writeText(t, "guard/tests.json", string(tests))
	}
	for name, args := range map[string][]string{"nothing": {"nothing"}, "nowhere": {"nowhere"}, "file": {"guard/main.go"}} {
		text, code := command(t, append([]string{"policy", "build"}, args...)...)
		golden("build-"+name, text)
		if code != exitFailed {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	for _, args := range [][]string{{"-o", "x.wasm", "guard", "nothing"}, {"--check", "guard"}, {"--check", "-o", "x.wasm"}, {"guard", "-o", "xml"}} {
		if text, code := command(t, append([]string{"policy", "build"}, args...)...); code != exitUsage {
			t.Errorf("%q: exit code %d\n%s", args, code, text)
		}
	}
	if hidden, _ := filepath.Glob("guard/.*"); len(hidden) > 0 {
		t.Errorf("left: %v", hidden)
	}
}

func TestBuildInto(t *testing.T) {
	elsewhere(t)
	if text, code := command(t, "policy", "init", "--lang", "go", "guard"); code != exitOK {
		t.Fatal(text)
	}
	replaceText(t, "guard/manifest.json", `"name": "guard",`, "")
	text, code := command(t, "policy", "build", "guard", "guard", "-o", "json")
	var all []built
	if err := json.Unmarshal([]byte(text), &all); err != nil || code != exitOK || len(all) != 2 {
		t.Fatalf("exit code %d, %v\n%s", code, err, text)
	}
	b := all[0]
	info, err := os.Stat(filepath.Join("guard", "guard.wasm"))
	if err != nil || b.File != filepath.Join("guard", "guard.wasm") || b.Name != "guard" || info.Size() != int64(b.Size) || !strings.HasPrefix(b.Tool, "go1.") ||
		b.Seconds <= 0 || !slices.Equal(b.Hooks, []string{"fs"}) || !b.Tests || b.Digest != all[1].Digest {
		t.Errorf("%+v, %v", b, err)
	}
	if text, code := command(t, "policy", "build", "guard", "-o", "other.wasm"); code != exitOK || !strings.HasPrefix(text, "other.wasm  ") {
		t.Errorf("exit code %d\n%s", code, text)
	}
	t.Chdir("guard")
	if text, code := command(t, "policy", "build"); code != exitOK || !strings.HasPrefix(text, "guard.wasm  ") {
		t.Errorf("exit code %d\n%s", code, text)
	}
}
