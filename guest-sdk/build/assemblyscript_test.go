package build

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// toolOrSkip skips a test without a tool, and fails it in CI, where all are there.
func toolOrSkip(t *testing.T, tool, install string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: %s", tool, install)
	}
	t.Skipf("%s is missing: %s", tool, install)
}

// TestAscWords puts the place in front of each fault.
func TestAscWords(t *testing.T) {
	words := "ERROR TS2322: one.\n   :\n 5 │ x\n   │ ~\n   └─ in policy.ts(5,26)\n\nERROR AS100: Not implemented: Closures\n   :\n 7 │ y\n   └─ in lib/a.ts(7,1)\n\nFAILURE 2 compile error(s)"
	err := ascWords(&Error{Dir: "d", Summary: "asc reports faults", Output: words})
	want := "policy.ts:5:26: ERROR TS2322: one.\n   :\n 5 │ x\n   │ ~\n\nlib/a.ts:7:1: ERROR AS100: Not implemented: Closures\n   :\n 7 │ y\n\nFAILURE 2 compile error(s)"
	var e *Error
	if !errors.As(err, &e) || e.Output != want || !strings.Contains(e.Help, "variables of the file") {
		t.Errorf("got %v", err)
	}
	if other := errors.New("other"); ascWords(other) != other {
		t.Error("an error of another kind was changed")
	}
}

// TestAssemblyScriptIsBuilt builds with the SDK in sdk/ and with that of a folder above,
// to the same bytes.
func TestAssemblyScriptIsBuilt(t *testing.T) {
	toolOrSkip(t, "asc", "npm install -g assemblyscript@0.28.20")
	const source = "import { fs } from \"edgeftp\";\n\nexport function edgeftp_fs(length: i32): i64 {\n  return fs(length, (q) => q.path.is(\"/x\") ? q.deny(\"no\") : q.pass());\n}\n"
	root := write(t, map[string]string{"one/policy.ts": source, "two/policy.ts": source})
	for _, sdk := range []string{"one/sdk", "guest-sdk/assemblyscript"} {
		if err := os.CopyFS(filepath.Join(root, sdk), os.DirFS("../assemblyscript")); err != nil {
			t.Fatal(err)
		}
	}
	var modules [2][]byte
	for i, dir := range []string{"one", "two"} {
		r, err := Build(t.Context(), filepath.Join(root, dir), "")
		if err != nil || r.Language != "assemblyscript" {
			t.Fatalf("got %+v, %v", r, err)
		}
		modules[i] = r.Module
	}
	if !bytes.Equal(modules[0], modules[1]) {
		t.Error("the place of the SDK is in the module")
	}
	for _, word := range []string{root, "env"} {
		if bytes.Contains(modules[0], []byte(word)) {
			t.Errorf("%q is in the module", word)
		}
	}
}

// TestNoSDK says how to get it.
func TestNoSDK(t *testing.T) {
	toolOrSkip(t, "asc", "npm install -g assemblyscript@0.28.20")
	_, err := Build(t.Context(), write(t, map[string]string{"policy.ts": ""}), "")
	if err == nil || !strings.Contains(err.Error(), "policy init --lang assemblyscript") {
		t.Errorf("got %v", err)
	}
}
