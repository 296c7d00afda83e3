package sdk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost"
)

// watVersion is the assembler with which the committed modules were built.
const watVersion = "wat2wasm 1.0.32"

func watFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestWatTemplate holds the template to its length and to its tests, which the host asks
// at load.
func TestWatTemplate(t *testing.T) {
	files := asTemplate(t, "wat", "guard")
	if n := asLines(files["policy.wat"]); n > 20 {
		t.Errorf("the template has %d lines, at most 20", n)
	}
	module := compile(t, watFolder(t, files))
	t.Logf("%d bytes", len(module))
	asLoad(t, module, wasmhost.LoadOptions{})
}

// TestWatExamples builds the committed modules again.
func TestWatExamples(t *testing.T) {
	asSame(t, "../../examples/wasm/readonly/wat", "readonly", watVersion)
}

const (
	watABI = "  (func (export \"edgeftp_abi_v1\") (param i32 i64) (result i64)\n    (i64.const 0x00008000_00001000))\n"
	watFS  = "  (func (export \"edgeftp_fs\") (param $len i32) (result i64)\n    (i64.const 0))\n"
	watMem = "  (memory (export \"memory\") 1)\n"
)

// watMistakes are what authors get wrong: the source, and what they see of it, which is
// in testdata/mistakes/wat.
func watMistakes() map[string]string {
	return map[string]string{
		"syntax":        "(module\n" + watMem + watABI + "  (func (export \"edgeftp_fs\") (param $len i32) (result i64)\n    (i64.cons 0)))\n",
		"stack":         "(module\n" + watMem + watABI + "  (func (export \"edgeftp_fs\") (param $len i32) (result i64)\n    (i32.const 0)))\n",
		"name":          "(module\n" + watMem + watABI + "  (func (export \"edgeftp_fs\") (param $len i32) (result i64)\n    (call $decide)))\n",
		"no-abi":        "(module\n" + watMem + watFS + ")\n",
		"no-memory":     "(module\n  (memory 1)\n" + watABI + watFS + ")\n",
		"no-hook":       "(module\n" + watMem + watABI + ")\n",
		"shape":         "(module\n" + watMem + watABI + "  (func (export \"edgeftp_fs\") (param i32 i32) (result i64)\n    (i64.const 0)))\n",
		"misspelt":      "(module\n" + watMem + watABI + "  (func (export \"edgeftp_filesystem\") (param i32) (result i64)\n    (i64.const 0)))\n",
		"small-mailbox": "(module\n" + watMem + "  (func (export \"edgeftp_abi_v1\") (param i32 i64) (result i64)\n    (i64.const 0x00000400_00001000))\n" + watFS + ")\n",
		"outside":       "(module\n" + watMem + "  (func (export \"edgeftp_abi_v1\") (param i32 i64) (result i64)\n    (i64.const 0x00010000_00001000))\n" + watFS + ")\n",
		"start":         "(module\n" + watMem + watABI + watFS + "  (func $begin)\n  (start $begin))\n",
		"import":        "(module\n  (import \"env\" \"puts\" (func (param i32)))\n" + watMem + watABI + watFS + ")\n",
		"capability":    "(module\n  (import \"edgeftp\" \"kv_set\" (func (param i32 i32 i32 i32 i64) (result i32)))\n" + watMem + watABI + watFS + ")\n",
	}
}

// TestWatMistakes compares what authors see.
func TestWatMistakes(t *testing.T) {
	for name, source := range watMistakes() {
		t.Run(name, func(t *testing.T) {
			asGolden(t, "wat", name, asRefusal(t, watFolder(t, map[string]string{"policy.wat": source})))
		})
	}
}

// TestWatFaults compares what the host says of calls that fail. In this language nothing
// tells the line: what the bytes of the answer break does.
func TestWatFaults(t *testing.T) {
	answers := map[string]string{
		"call-trap":   "(unreachable)",
		"call-code":   "(i64.const 0x00000000_0002ffff)",
		"call-action": "(i64.const 0x00000000_00070000)",
		"call-reply":  "(i64.const 0x00000004_00020000)",
		"call-length": "(i64.const 0x00010000_00020000)",
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			source := "(module\n" + watMem + watABI + "  (func (export \"edgeftp_fs\") (param $len i32) (result i64)\n    " + answer + "))\n"
			p := asLoad(t, compile(t, watFolder(t, map[string]string{"policy.wat": source})), wasmhost.LoadOptions{})
			if _, err := p.Hooks().Authorizer.Authorize(t.Context(), asWrite("/a")); err == nil {
				t.Error("the call did not fail")
			} else {
				asGolden(t, "wat", name, err.Error())
			}
		})
	}
}
