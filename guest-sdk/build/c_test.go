package build

import (
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBorder reads modules with all that it looks at.
func TestBorder(t *testing.T) {
	module, err := os.ReadFile(filepath.Join("..", "conformance", "guest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	b := borderOf(module)
	if len(b.imports) != 11 || !slices.Contains(b.imports, "kv_cas") || slices.Contains(b.imports, "fd_write") {
		t.Errorf("imports %q", b.imports)
	}
	for name, want := range map[string]string{"edgeftp_abi_v1": "(i32, i64) -> i64", "edgeftp_fs": "(i32) -> i64", "edgeftp_idle": "()", "memory": ""} {
		if got, ok := b.exports[name]; !ok || got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if b := borderOf(nil); len(b.exports) > 0 || len(b.imports) > 0 {
		t.Errorf("nothing: %+v", b)
	}
}

// FuzzBorder reads what no linker writes.
func FuzzBorder(f *testing.F) {
	for _, name := range []string{"conformance/guest.wasm"} {
		module, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(module[:min(len(module), 2000)])
	}
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x07\x05\x01\x01f\x00\x00"))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x07\xff\xff\xff\xff\x07\x01"))
	f.Fuzz(func(t *testing.T, module []byte) {
		b := borderOf(module)
		for _, name := range slices.Concat(b.imports, slices.Collect(maps.Keys(b.exports))) {
			if len(name) > len(module) {
				t.Errorf("a name of %d bytes out of %d", len(name), len(module))
			}
		}
	})
}

func TestVersionC(t *testing.T) {
	for output, want := range map[string]string{
		"Debian clang version 14.0.6\nTarget: x": "clang 14.0.6",
		"clang version 18.1.3 (1ubuntu1)":        "clang 18.1.3",
		"Apple nonsense":                         "clang of an unknown version",
	} {
		if got := versionC(output); got != want {
			t.Errorf("%q: got %q, want %q", output, got, want)
		}
	}
}

// TestNoToolC names the command that installs what is missing.
func TestNoToolC(t *testing.T) {
	dir := write(t, map[string]string{"policy.c": "int x;"})
	clang, err := exec.LookPath("clang")
	for _, tool := range []string{"clang", "wasm-ld"} {
		path := t.TempDir()
		if tool == "wasm-ld" {
			if err != nil {
				break // the first half has said it
			}
			if err := os.Symlink(clang, filepath.Join(path, "clang")); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", path)
		_, err := Build(t.Context(), dir, "")
		if err == nil || !strings.Contains(err.Error(), tool+" is missing") || !strings.Contains(err.Error(), "apt-get install clang lld") {
			t.Errorf("without %s: got %v", tool, err)
		}
	}
}

// TestNoSDKC builds a policy that has no SDK.
func TestNoSDKC(t *testing.T) {
	if _, err := exec.LookPath("clang"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("clang is missing: install clang and lld")
		}
		t.Skip("clang is missing: install clang and lld")
	}
	_, err := Build(t.Context(), write(t, map[string]string{"policy.c": "int x;"}), "")
	if err == nil || !strings.Contains(err.Error(), "the SDK is missing") || !strings.Contains(err.Error(), "policy init --lang c") {
		t.Errorf("got %v", err)
	}
}

// A unit test of a hook that the policy has no more is told so, once and in its own line.
func TestUnitsOfNoHook(t *testing.T) {
	if _, err := Toolchain(t.Context(), "c"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := write(t, map[string]string{
		"policy.c":      "#include \"edgeftp.h\"\nEDGEFTP_EVENT(q) { (void)q; return edgeftp_pass(); }\n",
		"policy_test.c": "#include \"policy.c\"\n#include \"edgeftp_fake.h\"\nint main(void) {\n    EDGEFTP_CHECK(edgeftp_fake_fs(.path = \"/a\").action == EDGEFTP_PASS);\n    return 0;\n}\n",
	})
	if err := os.CopyFS(filepath.Join(dir, "sdk"), os.DirFS("../c")); err != nil {
		t.Fatal(err)
	}
	_, err := Test(t.Context(), dir, io.Discard)
	var e *Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Help, "policy_test.c asks for fs, which policy.c does not have") ||
		!strings.Contains(e.Output, "policy_test.c:4:") || len(e.Output) > 700 {
		t.Errorf("%v", err)
	}
}
