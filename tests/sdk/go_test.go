package sdk

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// goMistakes are the folders of mistakes.
func goMistakes(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("testdata/mistakes/go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	if len(names) < 14 {
		t.Fatalf("only %d mistakes", len(names))
	}
	return names
}

// TestGoMistakes holds what a Go author is told of each mistake to the golden texts.
func TestGoMistakes(t *testing.T) {
	for _, name := range goMistakes(t) {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", "mistakes", "go", name)
			got := goMistake(t, dir)
			golden := dir + ".txt"
			if os.Getenv("EDGEFTP_UPDATE") != "" {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if x := cmp.Diff(string(want), got); x != "" {
				t.Error(x)
			}
		})
	}
}

// goMistake builds a folder, loads the module and asks it one question, and returns what
// the author is shown.
func goMistake(t *testing.T, dir string) string {
	r, err := build.Build(t.Context(), dir, "")
	if err != nil {
		var e *build.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		return err.Error() + "\n"
	}
	var o wasmhost.LoadOptions
	if filepath.Base(dir) == "settings-not-taken" {
		o.Settings = []byte(`{"deny": []}`)
	}
	log := new(bytes.Buffer)
	p, err := loadLogged(t, r.Module, o, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})))
	if err != nil {
		return err.Error() + "\n"
	}
	_, err = p.Hooks().Authorizer.Authorize(t.Context(), &policy.Action{
		Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/"}, Request: 1}, Op: policy.OpWrite, Path: "/a"})
	if err != nil {
		return err.Error() + "\n"
	}
	return log.String()
}

// sdkPackages are what a policy of its own module is given of this one.
func sdkPackages(t *testing.T) []string {
	t.Helper()
	list := []string{"edge/policy", "wasmhost/abi", "wasmhost/abi/cases"}
	err := filepath.WalkDir("../../guest-sdk/go", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			if d.Name() == "testdata" || d.Name() == "template" {
				return filepath.SkipDir
			}
			list = append(list, strings.TrimPrefix(filepath.ToSlash(path), "../../"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestGoTemplate makes a policy's folder of the template, elsewhere and with the SDK in
// it, and builds, loads and tests it without a network.
func TestGoTemplate(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOFLAGS", "-mod=mod")
	t.Setenv("GOWORK", "off")
	dir := filepath.Join(t.TempDir(), "guard")
	template := filepath.Join(sdkDir, "go", "template")
	copyFiles(t, template, dir, func(string) bool { return true })
	if err := os.Rename(filepath.Join(dir, "go.mod.template"), filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	for _, pkg := range sdkPackages(t) {
		copyFiles(t, filepath.Join("../..", pkg), filepath.Join(dir, "sdk", pkg), func(name string) bool {
			return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
		})
	}
	if err := os.WriteFile(filepath.Join(dir, "sdk", "go.mod"), []byte("module github.com/edgeftp/edgeftp\n\ngo 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := load(t, compile(t, dir), wasmhost.LoadOptions{Settings: []byte(`{"deny_extensions": ["iso"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]policy.Verdict{"/a.ISO": policy.Deny, "/a.exe": policy.Pass} {
		got, err := p.Hooks().Authorizer.Authorize(t.Context(), &policy.Action{
			Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/"}, Request: 1}, Op: policy.OpWrite, Path: path})
		if err != nil || got.Verdict != want {
			t.Errorf("%s: got %v, %v, want %v", path, got.Verdict, err, want)
		}
	}
	var out bytes.Buffer
	if ran, err := build.Test(t.Context(), dir, &out); !ran || err != nil {
		t.Errorf("%v, %v\n%s", ran, err, &out)
	}
	if n := codeLines(t, filepath.Join(dir, "main.go")); n > 20 {
		t.Errorf("main.go has %d lines of code, at most 20", n)
	}
}

// copyFiles copies the files of one folder, with the name of the policy in them.
func copyFiles(t *testing.T, from, to string, wanted func(name string) bool) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err == nil {
		err = os.MkdirAll(to, 0o755)
	}
	for _, e := range entries {
		if err != nil {
			break
		}
		if e.IsDir() || !wanted(e.Name()) {
			continue
		}
		var text []byte
		if text, err = os.ReadFile(filepath.Join(from, e.Name())); err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), bytes.ReplaceAll(text, []byte("{{name}}"), []byte("guard")), 0o644)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// codeLines counts the lines that are neither empty nor a comment alone.
func codeLines(t *testing.T, file string) (n int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}
