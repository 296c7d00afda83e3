package build

import (
	"errors"
	"os/exec"
	"strconv"
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
	toolOrSkip(t, "wat2wasm", "install wabt")
	fault := func(source string) string {
		_, err := Build(t.Context(), write(t, map[string]string{"policy.wat": source}), "")
		if err == nil {
			return ""
		}
		_, words, _ := strings.Cut(err.Error(), ": ")
		return words
	}
	if got := fault(goodWat); got != "" {
		t.Errorf("the good one: %s", got)
	}
	for _, tt := range []struct {
		old, replaced string
		line          int
		says          string
	}{
		{"(i64.const 0)))", "(i64.const 0))\n  (func $begin)\n  (start $begin))", 11, "no start function"},
		{"(module\n", "(module (import \"env\" \"puts\" (func (param i32)))\n", 2, "imports nothing of"},
		{"(module\n", "(module (import \"edgeftp\" \"random\" (func (param i32 i32)))\n", 2, "random needs the capability \"random\""},
		{"(module\n", "(module\n  (import \"edgeftp\" \"fetch\" (func (param i32 i32 i32 i32) (result i64)))\n", 3, "[\"fetch:HOST\"]"},
		{"(export \"memory\") ", "", 3, "memory is not exported"},
		{"edgeftp_abi_v1", "abi", 2, "does not export edgeftp_abi_v1"},
		{"edgeftp_fs", "edgeftp_files", 6, "edgeftp_files is no hook"},
		{"edgeftp_fs", "fs", 2, "exports no hook"},
		{"(param $len i32)", "(param $len i32) (param i32)", 6, "edgeftp_fs is (i32, i32) -> i64: it is given the length"},
		{"00008000", "00000fff", 4, "4095 bytes, want 4096 to"},
		{"00008000", "0000f001", 4, "ends at 65537, the memory at 65536"},
	} {
		got := fault(strings.Replace(goodWat, tt.old, tt.replaced, 1))
		if !strings.HasPrefix(got, "policy.wat:"+strconv.Itoa(tt.line)+": ") || !strings.Contains(got, tt.says) || !strings.Contains(got, "help:") {
			t.Errorf("%q for %q: got %s, want line %d, %q", tt.replaced, tt.old, got, tt.line, tt.says)
		}
	}
}

func TestWatIsBuilt(t *testing.T) {
	toolOrSkip(t, "wat2wasm", "install wabt")
	r, err := Build(t.Context(), write(t, map[string]string{"policy.wat": goodWat, "manifest.json": `{"name":"a"}`}), "")
	if err != nil || r.Language != "wat" || !strings.Contains(r.How, "wat2wasm") || !strings.HasSuffix(string(r.Module), `edgeftp.manifest{"name":"a"}`) {
		t.Errorf("got %+v, %v", r, err)
	}
}

// FuzzVetWat looks at any text, which is an author's.
func FuzzVetWat(f *testing.F) {
	f.Add(goodWat)
	f.Fuzz(func(t *testing.T, source string) {
		if m := vetWat(source, &border{exports: map[string]string{"memory": "", "edgeftp_abi_v1": "", "edgeftp_fs": "(i32) -> i64"}}); m.what != "" && (m.line < 1 || m.line > 1+strings.Count(source, "\n") || m.help == "") {
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
