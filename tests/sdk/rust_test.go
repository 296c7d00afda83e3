package sdk

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// pinnedRust is the compiler whose words and bytes are compared; another one's are
// judged by what they do.
const pinnedRust = "rustc 1.63.0"

// rustc reports whether the compiler is the pinned one. Without one the test is skipped,
// and fails in CI.
func rustc(t testing.TB) (pinned bool) {
	t.Helper()
	version, err := build.Toolchain(t.Context(), "rust")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return strings.HasPrefix(version, pinnedRust)
}

// TestRustMistakes holds what a Rust author is told of each mistake to the golden texts.
func TestRustMistakes(t *testing.T) {
	pinned := rustc(t)
	dirs, err := filepath.Glob("testdata/mistakes/rust/*/policy.rs")
	if err != nil || len(dirs) < 20 {
		t.Fatalf("%d mistakes, %v", len(dirs), err)
	}
	for _, file := range dirs {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			got := rustMistake(t, dir)
			if os.Getenv("EDGEFTP_UPDATE") != "" && pinned {
				if err := os.WriteFile(dir+".txt", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(dir + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			want := string(golden)
			if !pinned { // other compilers have other words, but their place is the same
				want, got = rustPlace(want), rustPlace(got)
			}
			if x := cmp.Diff(want, got); x != "" {
				t.Error(x)
			}
		})
	}
}

// rustPlace is the file and the line that a message leads with, empty if there is none.
func rustPlace(message string) string {
	line, _, _ := strings.Cut(message, "\n")
	if _, after, ok := strings.Cut(line, "policy.rs:"); ok {
		n, _, _ := strings.Cut(after, ":")
		return "policy.rs:" + n
	}
	return ""
}

// rustMistake builds a folder, loads the module, asks it one question, and returns what
// the author is shown.
func rustMistake(t *testing.T, dir string) string {
	t.Helper()
	r, err := build.Build(t.Context(), dir, cached(t))
	if err != nil {
		var e *build.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		return err.Error() + "\n"
	}
	o := map[string]wasmhost.LoadOptions{
		"unknown-setting": {Settings: []byte(`{"deny_extensions": []}`)},
		"wrong-setting":   {Settings: []byte(`{"limit": "10"}`)},
	}[filepath.Base(dir)]
	p, err := load(t, r.Module, o)
	if err != nil {
		return err.Error() + "\n"
	}
	_, err = p.Hooks().Authorizer.Authorize(t.Context(), rustQuestion(policy.OpWrite, "/a", ""))
	if err == nil {
		t.Fatal("no mistake")
	}
	return err.Error() + "\n"
}

func rustQuestion(op policy.Op, path, path2 string) *policy.Action {
	return &policy.Action{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/"}, Request: 1},
		Op: op, Path: path, Path2: path2}
}

// TestRustUnits runs the SDK's own tests, those in its documents, and those of the
// examples, natively.
func TestRustUnits(t *testing.T) {
	rustc(t)
	tool := rustTool(t)
	lib, err := filepath.Abs(filepath.Join(sdkDir, "rust", "src", "lib.rs"))
	if err != nil {
		t.Fatal(err)
	}
	tmp := t.TempDir()
	tests, rlib := filepath.Join(tmp, "tests"), filepath.Join(tmp, "libedgeftp.rlib")
	options := []string{"--edition=2021", "--crate-name=edgeftp", "-Dwarnings", lib}
	rustRun(t, tool, append(options, "--test", "-o", tests)...)
	if out := rustRun(t, tests, "--color=never"); !strings.Contains(out, "19 passed; 0 failed") {
		t.Error(out)
	}
	rustRun(t, tool, append(options, "--crate-type=rlib", "-o", rlib)...)
	rustdoc := filepath.Join(filepath.Dir(tool), "rustdoc")
	if out := rustRun(t, rustdoc, append(options[:2:2], lib, "--test", "--extern=edgeftp="+rlib)...); !strings.Contains(out, "3 passed; 0 failed") {
		t.Error(out)
	}
	for policy, want := range map[string]string{"dropbox": "6 passed; 0 failed", "quota": "11 passed; 0 failed"} {
		var out bytes.Buffer
		if ran, err := build.Test(t.Context(), rustExample(policy), &out); !ran || err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v, %v\n%s", policy, ran, err, &out)
		}
	}
	if ran, err := build.Test(t.Context(), rustExample("readonly"), os.Stderr); ran || err != nil {
		t.Errorf("readonly has no unit tests: %v, %v", ran, err)
	}
}

// rustTool is the compiler that the builder takes.
func rustTool(t *testing.T) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin") {
		tool := filepath.Join(dir, "rustc")
		out, err := exec.CommandContext(t.Context(), tool, "--print", "target-libdir", "--target", "wasm32-unknown-unknown").Output()
		if err != nil {
			continue
		}
		if found, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "libstd-*")); err == nil && found != nil {
			return tool
		}
	}
	t.Fatal("no compiler, where the builder found one")
	return ""
}

func rustRun(t *testing.T, tool string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v", tool, args, err)
	}
	return string(out)
}

func rustExample(policy string) string { return filepath.Join("../../examples/wasm", policy, "rust") }

// TestRustExamples builds the examples, compares them with the committed modules, and
// loads both, which asks them the questions of tests.json.
func TestRustExamples(t *testing.T) {
	pinned := rustc(t)
	for _, name := range []string{"readonly", "dropbox", "quota"} {
		t.Run(name, func(t *testing.T) {
			committed := filepath.Join(rustExample(name), name+".wasm")
			built := compile(t, rustExample(name))
			if os.Getenv("EDGEFTP_UPDATE") != "" && pinned {
				if err := os.WriteFile(committed, built, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(committed)
			if err != nil {
				t.Fatal(err)
			}
			if pinned && !bytes.Equal(built, want) {
				t.Error("the committed module is not what the source builds: run the test with EDGEFTP_UPDATE=1")
			}
			for what, module := range map[string][]byte{"built": built, "committed": want} {
				if !bytes.Contains(module, []byte("edgeftp.tests")) {
					t.Errorf("%s: it brings no tests", what)
				}
				if _, err := load(t, module, rustGrants()); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func rustGrants() wasmhost.LoadOptions {
	return wasmhost.LoadOptions{Grant: wasmhost.Grant{KV: func(string, int64) (policy.KV, error) { return &policy.MemKV{}, nil }}}
}

// TestRustTemplate makes a policy's folder of the template, elsewhere and with the SDK in
// it: it is the same module as here, to the byte, so no path is in it; its tests pass.
func TestRustTemplate(t *testing.T) {
	rustc(t)
	var modules [2][]byte
	for i, name := range []string{"a", "another folder"} {
		dir := filepath.Join(t.TempDir(), name, "guard")
		rustCopy(t, filepath.Join(sdkDir, "rust", "template"), dir)
		rustCopy(t, filepath.Join(sdkDir, "rust", "src"), filepath.Join(dir, "sdk", "src"))
		modules[i] = compileAnew(t, dir)
		if i > 0 {
			continue
		}
		var out bytes.Buffer
		if ran, err := build.Test(t.Context(), dir, &out); !ran || err != nil || !strings.Contains(out.String(), "2 passed") {
			t.Errorf("%v, %v\n%s", ran, err, &out)
		}
	}
	if !bytes.Equal(modules[0], modules[1]) {
		t.Error("two folders make two modules")
	}
	for _, path := range []string{os.TempDir(), "another folder", "guest-sdk"} {
		if bytes.Contains(modules[1], []byte(path)) {
			t.Errorf("the module holds %q", path)
		}
	}
	p, err := load(t, modules[0], wasmhost.LoadOptions{Settings: []byte(`{"deny_extensions": ["iso"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]policy.Verdict{"/a.ISO": policy.Deny, "/a.exe": policy.Pass} {
		got, err := p.Hooks().Authorizer.Authorize(t.Context(), rustQuestion(policy.OpRename, "/b", path))
		if err != nil || got.Verdict != want {
			t.Errorf("%s: got %v, %v, want %v", path, got.Verdict, err, want)
		}
	}
}

// rustCopy copies a folder with the name of the policy in its files.
func rustCopy(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, bytes.ReplaceAll(text, []byte("{{name}}"), []byte("guard")), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRustLeaksNothing holds that questions leave the guest's memory as long as it is:
// what an answer needs is used again.
func TestRustLeaksNothing(t *testing.T) {
	rustc(t)
	o := rustGrants()
	o.Limits = wasmhost.Limits{Instances: 1}
	p, err := load(t, compile(t, rustExample("dropbox")), o)
	if err != nil {
		t.Fatal(err)
	}
	q := rustQuestion(policy.OpWrite, "/in/"+strings.Repeat("x", 4000), "")
	q.Time = time.Unix(1_700_000_000, 0)
	ask := func(n int) uint64 {
		for range n {
			if a, err := p.Hooks().Authorizer.Authorize(t.Context(), q); err != nil || a.Verdict != policy.Rewrite {
				t.Fatal(a, err)
			}
		}
		return p.Stats().Memory
	}
	if before, after := ask(10), ask(2000); before == 0 || after != before {
		t.Errorf("%d bytes, then %d", before, after)
	}
}
