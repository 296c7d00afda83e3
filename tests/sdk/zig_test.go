package sdk

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

const (
	zigSDK      = sdkDir + "/zig"
	zigExamples = "../../examples/wasm"
)

// needZig returns the version of the compiler. Without one the test is skipped, and
// fails in CI, where it is there.
func needZig(t *testing.T) string {
	t.Helper()
	version, err := build.Toolchain(t.Context(), "zig")
	if err == nil {
		return version
	}
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}

// TestZigUnits runs the SDK's own tests natively, with the golden vectors of records.
func TestZigUnits(t *testing.T) {
	needZig(t)
	cmd := exec.CommandContext(t.Context(), "zig", "test", "--color", "off", "--dep", "records", "--dep", "bad-records",
		"-Mroot=sdk_test.zig", "-Mrecords=../vectors/records.json", "-Mbad-records=../vectors/bad-records.json")
	cmd.Dir = zigSDK
	cmd.Env = append(os.Environ(), "ZIG_LOCAL_CACHE_DIR="+t.TempDir(), "ZIG_GLOBAL_CACHE_DIR="+filepath.Join(cached(t), "zig"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "tests passed.") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, name := range []string{"records", "bad records", "broken records", "broken settings"} {
		if !strings.Contains(string(out), ".test."+name+"...OK") {
			t.Errorf("the test %q did not run:\n%s", name, out)
		}
	}
}

// zigModule builds a folder. cache saves what all builds of a test have in common.
func zigModule(t *testing.T, dir, cache string) []byte {
	t.Helper()
	r, err := build.Build(t.Context(), dir, cache)
	if err != nil {
		t.Fatal(err)
	}
	return r.Module
}

// zigImports are what a module imports, by name.
func zigImports(module []byte) (names []string) {
	for _, imp := range abi.Imports() {
		entry := append([]byte("\x07edgeftp"), byte(len(imp.Name)))
		if bytes.Contains(module, append(entry, imp.Name...)) {
			names = append(names, imp.Name)
		}
	}
	return names
}

// TestZigImports holds modules to the imports that they use.
func TestZigImports(t *testing.T) {
	needZig(t)
	cache := cached(t)
	for dir, want := range map[string][]string{
		zigExamples + "/readonly/zig":            nil,
		zigExamples + "/office-hours/zig":        nil,
		filepath.Join(zigSDK, "testdata/all"):    {"log"},
		"testdata/mistakes/zig/panics-in-place":  nil,
		filepath.Join(zigSDK, "testdata/mirror"): {"log", "kv_get", "kv_set", "kv_incr", "kv_cas", "metric", "random", "pw_verify", "stat", "digest", "fetch"},
	} {
		if got := zigImports(zigModule(t, dir, cache)); !slices.Equal(got, want) {
			t.Errorf("%s imports %q, want %q", dir, got, want)
		}
	}
}

// TestZigExamples builds the example policies, runs their unit tests, and loads the
// modules that lie beside them, which asks them their own questions.
func TestZigExamples(t *testing.T) {
	version := needZig(t)
	cache := cached(t)
	hours := `{"hours":[{"days":"mon-fri","from":"08:00","to":"18:00"}]}`
	for name, settings := range map[string]string{"readonly": "", "office-hours": hours, "geo-fence": `{"deny":["XB"]}`} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(zigExamples, name, "zig")
			var said bytes.Buffer
			if ran, err := build.Test(t.Context(), dir, &said); err != nil || !ran || !strings.Contains(said.String(), "tests passed.") {
				t.Errorf("%t, %v\n%s", ran, err, &said)
			}
			module, committed := zigModule(t, dir, cache), filepath.Join(dir, name+".wasm")
			if os.Getenv("EDGEFTP_UPDATE") != "" {
				if err := os.WriteFile(committed, module, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			old, err := os.ReadFile(committed)
			if err != nil {
				t.Fatal(err)
			}
			if version == "zig 0.16.0" && !bytes.Equal(module, old) {
				t.Errorf("the committed module is not what the source builds: run this test with EDGEFTP_UPDATE=1")
			}
			for which, m := range map[string][]byte{"built": module, "committed": old} {
				if len(m) > 64<<10 || !bytes.Contains(m, []byte("edgeftp.tests")) {
					t.Errorf("%s: %d bytes, with tests: %t", which, len(m), bytes.Contains(m, []byte("edgeftp.tests")))
				}
				if _, err := load(t, m, wasmhost.LoadOptions{Settings: []byte(settings)}); err != nil {
					t.Errorf("%s: %v", which, err)
				}
			}
			t.Logf("%d bytes with its sections", len(module))
		})
	}
}

// TestZigAll asks a policy of all stages the questions that it brings, at load, and for
// the words of a failure.
func TestZigAll(t *testing.T) {
	needZig(t)
	module := zigModule(t, filepath.Join(zigSDK, "testdata", "all"), cached(t))
	p, err := load(t, module, wasmhost.LoadOptions{Settings: []byte(`{"users": {"anna": {"hash": "x"}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.HookNames(), " "); got != "auth fs list cmd site throttle data event cert idle" {
		t.Errorf("hooks %s", got)
	}
	err = p.Hooks().Observer.Observe(t.Context(), &policy.Event{Meta: zigAction(policy.OpWrite, "", "").Meta,
		Kind: policy.EventFileReceived, Path: "/a", Size: 10})
	if err == nil || !strings.Contains(err.Error(), "/a is too long, 10 bytes") {
		t.Errorf("got %v", err)
	}
	for settings, says := range map[string]string{
		`{"users": {"anna": {}}}`:                        `setting "users.anna.hash" is missing`,
		`{"users": {"anna": {"hash": ""}}}`:              `users.anna.hash is empty`,
		`{"users": {"anna": {"hash": "x"}}, "rate": -1}`: `setting "rate" is not a whole number from 0 to 18446744073709551615`,
	} {
		if _, err := load(t, module, wasmhost.LoadOptions{Settings: []byte(settings)}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %s", settings, err, says)
		}
	}
}

// TestZigStyle holds the source to the compiler's own form, and each public name of the
// SDK to a comment.
func TestZigStyle(t *testing.T) {
	needZig(t)
	out, err := exec.CommandContext(t.Context(), "zig", "fmt", "--check", zigSDK, zigExamples, "testdata/mistakes/zig").CombinedOutput()
	if err != nil {
		t.Errorf("zig fmt --check: %v\n%s", err, out)
	}
	name := regexp.MustCompile(`^\s*pub (const|fn|var) \w+`)
	another := regexp.MustCompile(`^\s*pub const \w+ = (\w+\.\w+|@import\(.*\)(\.\w+)?);$`) // has its comment there
	files, err := filepath.Glob(zigSDK + "/*.zig")
	hooks, err2 := filepath.Glob(zigSDK + "/hooks/*.zig")
	if err := errors.Join(err, err2); err != nil || len(hooks) != 9 {
		t.Fatalf("%d hooks, %v", len(hooks), err)
	}
	for _, file := range append(files, hooks...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before := ""
		source, _, _ := strings.Cut(string(text), "\ntest \"") // what follows are tests
		for i, line := range strings.Split(source, "\n") {
			if name.MatchString(line) && !another.MatchString(line) && !strings.HasPrefix(strings.TrimSpace(before), "///") && filepath.Base(file) != "root.zig" {
				t.Errorf("%s:%d: no comment: %s", file, i+1, line)
			}
			before = line
		}
	}
}

// TestZigTable: a table that is wrong is a compile error with the number of its line.
func TestZigTable(t *testing.T) {
	needZig(t)
	source, cache := filepath.Join(zigExamples, "geo-fence", "zig"), cached(t)
	table, err := os.ReadFile(filepath.Join(source, "networks.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line, says := range map[string]string{
		"192.0.2.0/33 XA\n":      "networks.txt:12: want a network and two capitals, such as 192.0.2.0/24 XA",
		"192.0.2.0/24 Xa\n":      "networks.txt:12: want a network",
		"192.0.2.192/26 XC\n":    "networks.txt: two networks overlap, of XB and XC",
		"10.0.0.0/8 XD # ours\n": "networks.txt:12: want a network",
	} {
		dir := filepath.Join(t.TempDir(), "fence")
		zigCopy(t, source, dir)
		zigCopy(t, zigSDK, filepath.Join(dir, "sdk"))
		if err := os.WriteFile(filepath.Join(dir, "networks.txt"), append(table, line...), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := build.Build(t.Context(), dir, cache); err == nil || !strings.Contains(err.Error(), "table.zig:") || !strings.Contains(err.Error(), "error: "+says) {
			t.Errorf("%q: got %v, want %q", line, err, says)
		}
	}
}

// TestZigTemplate makes a policy's folder of the template, elsewhere and with the SDK
// in it, and builds, loads and tests it. Nothing of where it lies is in the module, and
// nothing of the compiler's is left in the folder.
func TestZigTemplate(t *testing.T) {
	needZig(t)
	var modules [2][]byte
	for i := range modules {
		dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", i), "guard")
		zigFolder(t, dir)
		if i == 0 {
			var said bytes.Buffer
			if ran, err := build.Test(t.Context(), dir, &said); err != nil || !ran || !strings.Contains(said.String(), "All 2 tests passed.") {
				t.Errorf("%t, %v\n%s", ran, err, &said)
			}
		}
		modules[i] = zigModule(t, dir, "")
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !slices.Contains([]string{"README.md", "manifest.json", "policy.zig", "policy_test.zig", "sdk", "tests.json"}, e.Name()) {
				t.Errorf("%s was left in the folder", e.Name())
			}
		}
		source, err := os.ReadFile(filepath.Join(dir, "policy.zig"))
		if err != nil || bytes.Count(source, []byte("\n")) > 40 {
			t.Errorf("policy.zig has %d lines, %v", bytes.Count(source, []byte("\n")), err)
		}
	}
	if !bytes.Equal(modules[0], modules[1]) {
		t.Error("the same source in two places gives two modules")
	}
	p, err := load(t, modules[0], wasmhost.LoadOptions{Settings: []byte(`{"deny_extensions": ["ISO"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Hooks().Authorizer.Authorize(t.Context(), zigAction(policy.OpRename, "/a.txt", "/b.iso"))
	if err != nil || got.Verdict != policy.Deny || got.Text != "files of the kind .ISO are not accepted here" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// zigFolder writes what policy init is to write.
func zigFolder(t *testing.T, dir string) {
	t.Helper()
	zigCopy(t, filepath.Join(zigSDK, "template"), dir)
	zigCopy(t, zigSDK, filepath.Join(dir, "sdk"))
}

// zigCopy copies a folder; of the SDK without what is not for policies.
func zigCopy(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(from, path)
		switch {
		case errors.Join(err, relErr) != nil:
			return errors.Join(err, relErr)
		case d.IsDir() && rel != "." && (d.Name() == "template" || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), bytes.ReplaceAll(text, []byte("{{name}}"), []byte("guard")), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func zigAction(op policy.Op, path, path2 string) *policy.Action {
	return &policy.Action{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/"}, Request: 1},
		Op: op, Path: path, Path2: path2}
}

// TestZigMistakes holds what an author is told of each mistake to the golden texts:
// testdata/mistakes/zig/NAME.txt, for the folder NAME.
func TestZigMistakes(t *testing.T) {
	needZig(t)
	folders, err := filepath.Glob("testdata/mistakes/zig/*/policy.zig")
	if err != nil || len(folders) < 16 {
		t.Fatalf("%d mistakes, %v", len(folders), err)
	}
	cache := cached(t)
	for _, file := range folders {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			got := zigMistake(t, dir, cache)
			if os.Getenv("EDGEFTP_UPDATE") != "" {
				if err := os.WriteFile(dir+".txt", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(dir + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			if x := cmp.Diff(string(want), got); x != "" {
				t.Error(x)
			}
		})
	}
}

// zigMistake builds a folder, loads the module and asks it one question, and returns
// what the author is shown.
func zigMistake(t *testing.T, dir, cache string) string {
	r, err := build.Build(t.Context(), dir, cache)
	if err != nil { // lines of the SDK change without making a text another one
		return regexp.MustCompile(`(guest-sdk/zig/\S+\.zig):\d+:\d+`).ReplaceAllString(err.Error(), "$1:LINE") + "\n"
	}
	var o wasmhost.LoadOptions
	if filepath.Base(dir) == "settings-not-taken" {
		o.Settings = []byte(`{"deny": []}`)
	}
	p, err := load(t, r.Module, o)
	if err != nil {
		return err.Error() + "\n"
	}
	if _, err = p.Hooks().Authorizer.Authorize(t.Context(), zigAction(policy.OpWrite, "/a", "")); err == nil {
		t.Fatal("it is no mistake")
	}
	return err.Error() + "\n"
}
