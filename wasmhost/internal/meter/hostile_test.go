package meter

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// TestHostile runs guests that want to run without end: each comes to __slice
// often, and stops there when the budget is used up.
func TestHostile(t *testing.T) {
	const slice, budget = 10_000, 3_000_000
	code := readModule(t, "testdata/hostile.wasm")
	for _, c := range []struct {
		export string
		args   []uint64
		most   int64 // units of one instruction that may come on top
	}{
		{"forever", nil, 0},
		{"forever_if", []uint64{5}, 0},
		{"double", []uint64{40}, 0},
		{"fill_loop", nil, 65536 >> bytesShift},
		{"fill", []uint64{1 << 31}, 1 << 31 >> bytesShift},
		{"grow", nil, unitsPerNewPage + 1024*unitsPerOldPage},
		{"maze", []uint64{1}, 0},
		{"smalls", []uint64{1}, 0},
	} {
		t.Run(c.export, func(t *testing.T) {
			b := newBench(t, true, slice)
			b.budget = budget
			mod, err := b.add(t.Context(), code, "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.call(t.Context(), mod, c.export, c.args...)
			if !errors.Is(err, errNoUnits) {
				t.Fatalf("got %v", err)
			}
			if bound := slice + c.most + MaxUnchecked + MaxTail; b.largest > bound {
				t.Errorf("%d units between two slices, at most %d are promised", b.largest, bound)
			}
			t.Logf("%d calls of __slice, at most %d units between two", b.slices, b.largest)
		})
	}
}

// TestHugeFill holds that the fuel is looked at before a long operation, not after.
func TestHugeFill(t *testing.T) {
	b := newBench(t, true, 100)
	b.budget = 1000
	mod, err := b.add(t.Context(), readModule(t, "testdata/hostile.wasm"), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.call(t.Context(), mod, "fill", 65536); !errors.Is(err, errNoUnits) {
		t.Fatalf("got %v", err)
	}
	if page, _ := mod.Memory().Read(0, 65536); bytes.ContainsRune(page, 1) {
		t.Error("the memory was filled before the fuel was looked at")
	}
}

// A memory.grow that must fail fails, and costs nothing beside itself.
func TestGrowthThatFails(t *testing.T) {
	b := newBench(t, true, 1000)
	mod, err := b.add(t.Context(), readModule(t, "testdata/hostile.wasm"), "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.call(t.Context(), mod, "grow_far")
	if err != nil || int32(got[0]) != -1 || b.used() > 100 {
		t.Errorf("%v, %v, %d units", got, err, b.used())
	}
}

// TestDeep holds that recursion ends at the depth, on a small stack: without the
// depth it takes hundreds of MiB.
func TestDeep(t *testing.T) {
	code := readModule(t, "testdata/hostile.wasm")
	wide := deepWithLocals(5_000)
	for _, c := range []struct {
		name, export string
		code         []byte
		args         []uint64
	}{
		{"direct", "deep", code, []uint64{1}},
		{"indirect", "indirect", code, nil},
		{"many variables", "f", wide, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, true, 100_000)
			mod, err := b.add(t.Context(), c.code, "")
			if err != nil {
				t.Fatal(err)
			}
			before := resident(t)
			if _, err := b.call(t.Context(), mod, c.export, c.args...); !errors.Is(err, errDeep) {
				t.Fatalf("got %v", err)
			}
			grown := resident(t) - before
			t.Logf("resident memory grew by %d KiB", grown>>10)
			if grown > 8<<20 {
				t.Errorf("resident memory grew by %d KiB", grown>>10)
			}
		})
	}
}

// deepWithLocals is a module whose function has n live variables and calls itself.
func deepWithLocals(n uint32) []byte {
	var code []byte
	for i := range n { // each gets a value of its own
		code = append(module.AppendU32(append(code, 0x23), 0), 0x21)
		code = module.AppendU32(code, i)
	}
	code = append(code, 0x10, 0)
	for i := range n { // and is used after the call
		code = append(module.AppendU32(append(code, 0x20), i), 0x24, 0)
	}
	m := &module.Module{
		Types:   []module.FuncType{{}},
		Funcs:   []uint32{0},
		Globals: []module.Global{{Type: module.GlobalType{Type: module.I64, Mutable: true}, Init: []byte{0x42, 1, 0x0b}}},
		Exports: []module.Export{{Name: "f"}},
		Code: []module.Body{{RunCount: 1, Runs: append(module.AppendU32(nil, n), module.I64),
			Code: append(code, 0x0b)}},
	}
	return m.Encode()
}

// resident is the process's memory in bytes.
func resident(t *testing.T) int64 {
	t.Helper()
	runtime.GC()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestTextIsTheModule rebuilds the modules of testdata from their text.
func TestTextIsTheModule(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("wat2wasm is missing: install wabt")
		}
		t.Skip("wat2wasm is missing (Debian package wabt): the modules are not compared with their text")
	}
	for _, name := range []string{"bench", "hostile"} {
		out := filepath.Join(t.TempDir(), "out.wasm")
		if b, err := exec.Command(tool, "testdata/"+name+".wat", "-o", out).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if !bytes.Equal(readModule(t, out), readModule(t, "testdata/"+name+".wasm")) {
			t.Errorf("%s.wasm is not what its text builds", name)
		}
	}
}
