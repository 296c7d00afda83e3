package build

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/tests/executable"
)

// rustFolder makes a policy's folder that has the SDK in it.
func rustFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	if _, err := Toolchain(t.Context(), "rust"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := write(t, files)
	if err := os.CopyFS(filepath.Join(dir, "sdk", "src"), os.DirFS("../rust/src")); err != nil {
		t.Fatal(err)
	}
	return dir
}

const rustPolicy = `use edgeftp::{fs, Policy, Result, Settings};

mod words;

struct Guard;

impl Policy for Guard {
    fn new(_: &Settings) -> Result<Self> {
        Ok(Guard)
    }
}

impl fs::Hook for Guard {
    fn fs(&mut self, _: &fs::Question) -> Result<fs::Answer> {
        Ok(fs::Answer::deny(words::NO))
    }
}

edgeftp::export!(Guard: fs);

#[cfg(test)]
mod tests {
    #[test]
    fn words() {
        assert_eq!(super::words::NO, "no");
    }
}
`

// TestRustWantsCapabilities tells where a capability is needed that the manifest lacks.
func TestRustWantsCapabilities(t *testing.T) {
	counts := strings.Replace(rustPolicy, "        Ok(fs::Answer::deny", "        edgeftp::kv::incr(\"n\", 1, None)?;\n        Ok(fs::Answer::deny", 1)
	files := map[string]string{"policy.rs": counts, "words.rs": "pub const NO: &str = \"no\";\n", "manifest.json": `{"capabilities": ["log"]}`}
	_, err := Build(t.Context(), rustFolder(t, files), "")
	var e *Error
	if !errors.As(err, &e) || e.Summary != `policy.rs:15: kv_incr needs the capability "kv", which manifest.json does not declare` {
		t.Errorf("%v", err)
	}
	files["manifest.json"] = `{"capabilities": ["kv"]}`
	if _, err := Build(t.Context(), rustFolder(t, files), ""); err != nil {
		t.Error(err)
	}
}

// TestRustIsCachedByContent builds, builds again, and changes a module of the policy,
// whose unit test then fails.
func TestRustIsCachedByContent(t *testing.T) {
	dir := rustFolder(t, map[string]string{"policy.rs": rustPolicy, "words.rs": "pub const NO: &str = \"no\";\n"})
	cache := filepath.Join(t.TempDir(), "cache")
	for _, how := range []string{"built with rustc 1.", "from the cache"} {
		r, err := Build(t.Context(), dir, cache)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(r.How, how) || r.Language != "rust" || !bytes.HasPrefix(r.Module, []byte("\x00asm")) {
			t.Errorf("%s: %q, %d bytes, want %q", r.Language, r.How, len(r.Module), how)
		}
		if len(r.Module) > 60_000 {
			t.Errorf("the module has %d bytes", len(r.Module))
		}
	}
	r, err := Build(WithNames(t.Context()), dir, "")
	if err != nil || !bytes.Contains(r.Module, []byte("edgeftp6record")) {
		t.Errorf("no names of functions: %v", err)
	}
	var out bytes.Buffer
	if ran, err := Test(t.Context(), dir, &out); !ran || err != nil || !strings.Contains(out.String(), "1 passed") {
		t.Errorf("%v, %v\n%s", ran, err, &out)
	}
	if err := os.WriteFile(filepath.Join(dir, "words.rs"), []byte("pub const NO: &str = \"never\";\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, err := Build(t.Context(), dir, cache); err != nil || !strings.Contains(r.How, "built with") {
		t.Errorf("%+v, %v", r, err)
	}
	ran, err := Test(t.Context(), dir, &out)
	if !ran || err == nil || !strings.Contains(err.Error(), "its unit tests fail") || !strings.Contains(err.Error(), `"never"`) {
		t.Errorf("%v, %v", ran, err)
	}
}

// TestRustKeepsTheSDK builds two policies with one SDK, which is compiled once, and then
// with another SDK, which is compiled as well.
func TestRustKeepsTheSDK(t *testing.T) {
	dir := rustFolder(t, map[string]string{"policy.rs": rustPolicy, "words.rs": "pub const NO: &str = \"no\";\n"})
	cache := filepath.Join(t.TempDir(), "cache")
	built := func(says string, libraries int) os.FileInfo {
		t.Helper()
		r, err := Build(t.Context(), dir, cache)
		if err != nil || !strings.Contains(r.How, "built with") || !bytes.Contains(r.Module, []byte(says)) {
			t.Fatalf("%v, want a module that says %q", err, says)
		}
		kept, err := filepath.Glob(filepath.Join(cache, "rust", "sdk-*.rlib"))
		if err != nil || len(kept) != libraries {
			t.Fatalf("%q, %v, want %d", kept, err, libraries)
		}
		info, err := os.Stat(kept[0])
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first := built("no", 1)
	replace(t, filepath.Join(dir, "words.rs"), `"no"`, `"never at all"`)
	if second := built("never at all", 1); !os.SameFile(first, second) {
		t.Error("the SDK was compiled again")
	}
	replace(t, filepath.Join(dir, "sdk", "src", "lib.rs"), "\n", "\n\n") // a line more
	built("never at all", 2)
}

// replace changes a text in a file, which has it.
func replace(t *testing.T, file, from, to string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(text, []byte(from)) {
		t.Fatalf("%s has no %q: %v", file, from, err)
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte(from), []byte(to), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRustc finds the first compiler that has the target, and says the one command that
// is missing.
func TestRustc(t *testing.T) {
	script := func(dir, says string) string {
		path := filepath.Join(t.TempDir(), dir)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := executable.Write(filepath.Join(path, "rustc"), []byte("#!/bin/sh\n"+says+"\n")); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("PATH", t.TempDir()) // no linker is in it
	libs, unlinked := t.TempDir(), t.TempDir()
	linker := filepath.Join(libs, "lib", "rustlib", "host", "bin", "rust-lld"+exeSuffix())
	if err := os.MkdirAll(filepath.Dir(linker), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(libs, "libstd-0.rlib"), filepath.Join(unlinked, "libstd-0.rlib"), linker} {
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	broken, bare := script("broken", "exit 1"), script("bare", "echo /nowhere")
	good := script("good", `case $1 in --version) echo rustc 9.9.9;; *) echo "`+libs+`";; esac`)
	alone := script("alone", `case $1 in --version) echo rustc 9.9.9;; *) echo "`+unlinked+`";; esac`)
	rustup := script("rustup", "echo /nowhere")
	if err := executable.Write(filepath.Join(rustup, "rustup"), nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		dirs []string
		says string // of the fault; empty is the good one
	}{
		{[]string{broken, bare, t.TempDir(), good, rustup}, ""},
		{[]string{alone}, "the linker rust-lld is missing"},
		{[]string{bare, rustup}, "help:   apt-get install libstd-rust-dev-wasm32"},
		{[]string{rustup, bare}, "help:   rustup target add wasm32-unknown-unknown"},
		{[]string{t.TempDir()}, "apt-get install rustc libstd-rust-dev-wasm32"},
	} {
		j := &job{dir: ".", language: rust()}
		err := j.findRustc(t.Context(), tt.dirs)
		if tt.says == "" {
			if err != nil || j.tool != filepath.Join(good, "rustc") || j.version != "rustc 9.9.9" {
				t.Errorf("%+v, %v", j, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("got %v, want %q", err, tt.says)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&job{dir: "."}).findRustc(ctx, []string{bare}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRustWithoutSDK(t *testing.T) {
	rustFolder(t, nil)
	_, err := Build(t.Context(), write(t, map[string]string{"policy.rs": rustPolicy}), "")
	if err == nil || !strings.Contains(err.Error(), "the SDK is missing") || !strings.Contains(err.Error(), "policy init --lang rust") {
		t.Errorf("got %v", err)
	}
}
