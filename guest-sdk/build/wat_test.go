package build

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

const goodWat = `;; (start $this is a comment)
(module
  (memory (export "memory") 1)
  (func (export "edgeftp_abi_v1") (param $minor i32) (param $features i64) (result i64)
    (i64.const 0x00008000_00001000))
  (func $decide (export "edgeftp_fs")
    (param $len i32)
    (result i64)
    (i64.const 0)))
`

// TestVetWat changes one thing of a good policy.
func TestVetWat(t *testing.T) {
	if m := vetWat(goodWat); m != (watMistake{}) {
		t.Errorf("the good one: %+v", m)
	}
	for _, tt := range []struct {
		old, replaced string
		line          int
		says          string
	}{
		{"(i64.const 0)))", "(i64.const 0))\n  (start $decide))", 10, "no start function"},
		{"(module\n", "(module (import \"env\" \"puts\" (func (param i32)))\n", 2, "imports nothing of"},
		{"(export \"memory\") ", "", 3, "memory is not exported"},
		{"edgeftp_abi_v1", "abi", 2, "does not export edgeftp_abi_v1"},
		{"edgeftp_fs", "edgeftp_files", 6, "edgeftp_files is no hook"},
		{"edgeftp_fs", "fs", 2, "exports no hook"},
		{"    (result i64)\n", "", 6, "returns a verdict"},
		{"(param $len i32)", "(param $len i32) (param i32)", 6, "is given the length"},
		{"00008000", "00000fff", 4, "4095 bytes, want 4096 to"},
		{"00008000", "0000f001", 4, "ends at 65537, the memory at 65536"},
	} {
		m := vetWat(strings.Replace(goodWat, tt.old, tt.replaced, 1))
		if m.line != tt.line || !strings.Contains(m.what, tt.says) || m.help == "" {
			t.Errorf("%q for %q: got %+v, want line %d, %q", tt.replaced, tt.old, m, tt.line, tt.says)
		}
	}
	for _, imported := range []string{"edgeftp", "wasi_snapshot_preview1"} {
		if m := vetWat(strings.Replace(goodWat, "(module\n", "(module (import \""+imported+"\" \"log\" (func (param i32)))\n", 1)); m.what != "" {
			t.Errorf("%s: %+v", imported, m)
		}
	}
}

func TestWatIsBuilt(t *testing.T) {
	needs(t, "wat2wasm", "install wabt")
	r, err := Build(t.Context(), write(t, map[string]string{"policy.wat": goodWat, "manifest.json": `{"name":"a"}`}), "")
	if err != nil || r.Language != "wat" || !strings.Contains(r.How, "wat2wasm") || !strings.HasSuffix(string(r.Module), `edgeftp.manifest{"name":"a"}`) {
		t.Errorf("got %+v, %v", r, err)
	}
}

// FuzzVetWat looks at any text, which is an author's.
func FuzzVetWat(f *testing.F) {
	f.Add(goodWat)
	f.Fuzz(func(t *testing.T, source string) {
		if m := vetWat(source); m.what != "" && (m.line < 1 || m.line > 1+strings.Count(source, "\n") || m.help == "") {
			t.Errorf("got %+v", m)
		}
	})
}

// TestMissingTool names the command that installs what is missing.
func TestMissingTool(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for file, says := range map[string]string{"policy.wat": "apt-get install wabt", "policy.ts": "npm install -g assemblyscript"} {
		_, err := Build(t.Context(), write(t, map[string]string{file: ""}), "")
		if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v", file, err)
		}
	}
}
