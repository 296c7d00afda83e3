package module

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// suite are the modules of the specification's tests as they lie among wazero's
// sources; valid are those that the tests run.
func suite(t testing.TB) (all map[string][]byte, valid map[string]bool) {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest", "v2", "testdata")
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 4000 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	all, valid = map[string][]byte{}, map[string]bool{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		switch filepath.Ext(f) {
		case ".wasm":
			all[filepath.Base(f)] = b
		case ".json":
			var script struct {
				Commands []struct{ Type, Filename string }
			}
			if err := json.Unmarshal(b, &script); err != nil {
				t.Fatal(err)
			}
			for _, c := range script.Commands {
				valid[c.Filename] = valid[c.Filename] || c.Type == "module"
			}
		}
	}
	return all, valid
}

// same holds that a module is written so that it reads equally.
func same(t *testing.T, name string, m *Module) {
	t.Helper()
	once := m.Encode()
	again, err := Decode(once)
	if err != nil {
		t.Errorf("%s: what was written cannot be read: %v", name, err)
		return
	}
	if twice := again.Encode(); !bytes.Equal(once, twice) {
		t.Errorf("%s: written twice, and not the same", name)
	}
	if a, b := describe(m), describe(again); a != b {
		t.Errorf("%s: read\n%s\nand then\n%s", name, a, b)
	}
}

// describe is all that a module says, but how long its numbers are written.
func describe(m *Module) string {
	return fmt.Sprintf("%v %v %v %v %v %v %v %v %d %v %v %v %d %v %v %v", m.Types, m.Imports, m.Funcs, m.Tables, m.Memories,
		m.Globals, m.Exports, m.HasStart, m.Start, m.Elems, m.Code, m.HasCount, m.DataCount, m.Data, m.Customs, m.imported)
}

func TestSuite(t *testing.T) {
	read, ends := 0, 0
	all, valid := suite(t)
	for name, code := range all {
		m, err := Decode(code)
		if err != nil {
			if valid[name] {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		read++
		same(t, name, m)
		if valid[name] {
			ends += checkEffects(t, name, m)
		}
	}
	t.Logf("%d modules read, %d ends of blocks", read, ends)
	if read < 1500 || ends < 7_000 {
		t.Errorf("%d modules and %d ends are too few", read, ends)
	}
}

// block is a block that checkEffects is in.
type block struct {
	base, params, results int
	dead                  bool // the rest of it cannot be reached
	within                bool // nothing in it can be
}

// checkEffects follows the number of operands through every function. Where a
// block can be left at its end there must be as many as its type says: that holds
// [Op.Effect] to the specification.
func checkEffects(t *testing.T, name string, m *Module) (ends int) {
	for i := range m.Code {
		sig, _ := m.TypeOf(uint32(m.NumImported(KindFunc) + i))
		nest := []block{{results: len(sig.Results)}}
		height := 0
		c := NewCursor(m.Code[i].Code)
		for c.Next() {
			top := &nest[len(nest)-1]
			pops, pushes, ok := c.Op.Effect()
			if !ok {
				pops, pushes = special(m, &c.Instr)
			}
			switch c.Op {
			case OpEnd, OpElse:
				if !top.dead && height != top.base+top.results {
					t.Errorf("%s, function %d: %d operands at an end, want %d", name, i, height-top.base, top.results)
				}
				ends++
				height, top.dead = top.base+top.params, top.within
				if c.Op == OpEnd {
					height = top.base + top.results
					nest = nest[:len(nest)-1]
				}
				continue
			}
			height = max(height-pops, top.base) + pushes
			switch c.Op {
			case OpBlock, OpLoop, OpIf:
				p, r := blockArity(m, &c.Instr)
				nest = append(nest, block{base: height - p, params: p, results: r, dead: top.dead, within: top.dead})
			case OpBr, OpBrTable, OpReturn, OpUnreachable:
				top.dead, height = true, top.base
			}
		}
	}
	return ends
}

func blockArity(m *Module, in *Instr) (params, results int) {
	switch in.Block {
	case NoType:
		return 0, 0
	case 0:
		return len(m.Types[in.X].Params), len(m.Types[in.X].Results)
	}
	return 0, 1
}

func special(m *Module, in *Instr) (pops, pushes int) {
	switch in.Op {
	case OpIf, OpBrIf, OpBrTable:
		return 1, 0
	case OpCall:
		sig, _ := m.TypeOf(in.X)
		return len(sig.Params), len(sig.Results)
	case OpCallIndirect:
		return len(m.Types[in.X].Params) + 1, len(m.Types[in.X].Results)
	}
	return 0, 0
}

// build makes a module of sections, each a number and its bytes.
func build(sections ...string) []byte {
	out := []byte(header)
	for _, s := range sections {
		out = append(out, s[0])
		out = AppendU32(out, uint32(len(s)-1))
		out = append(out, s[1:]...)
	}
	return out
}

// function is a module with one function of no parameters and this code.
func function(code string) []byte {
	return build("\x01\x01\x60\x00\x00", "\x03\x01\x00", "\x04\x01\x70\x00\x01", "\x05\x01\x00\x01", "\x06\x01\x7f\x01\x41\x00\x0b",
		"\x0a\x01"+string(AppendU32(nil, uint32(len(code)+1)))+"\x00"+code)
}

func TestRefusals(t *testing.T) {
	for says, code := range map[string][]byte{
		"not the header":                                    []byte("\x00asm\x02\x00\x00\x00"),
		"section 1 at byte 3: ends too early":               build("\x01\x01\x60\x00"),
		"section at byte 10: ends too early":                append([]byte(header), 1, 9),
		"section 5 is there twice":                          build("\x05\x01\x00\x01", "\x05\x01\x00\x01"),
		"section 1 is out of order":                         build("\x05\x01\x00\x01", "\x01\x00"),
		"section 13 at byte 0: there is no such section":    build("\x0d\x00"),
		"section 1 at byte 1: bytes left over":              build("\x01\x00\x00"),
		"1000000 types, at most 100000":                     build("\x01" + string(AppendU32(nil, 1_000_000))),
		"1000000 functions, at most 100000":                 build("\x03" + string(AppendU32(nil, 1_000_000))),
		"number above 32 bits":                              build("\x01\xff\xff\xff\xff\x7f"),
		"number of more than 5 bytes":                       build("\x01\x80\x80\x80\x80\x80\x00"),
		"name is not UTF-8":                                 build("\x00\x01\xff"),
		"limits of kind 3 (shared":                          build("\x05\x01\x03\x01\x01"),
		"more than one memory":                              build("\x05\x02\x00\x01\x00\x01"),
		"there is no function 0":                            build("\x08\x00"),
		"there is no type 7":                                build("\x01\x01\x60\x00\x00", "\x03\x01\x07"),
		"export \"a\" is given twice":                       build("\x05\x01\x00\x01", "\x07\x02\x01a\x02\x00\x01a\x02\x00"),
		"0 bodies for 1 functions":                          build("\x01\x01\x60\x00\x00", "\x03\x01\x00"),
		"2 data segments, 1 announced":                      build("\x0c\x01", "\x0b\x02\x01\x00\x01\x00"),
		"in a constant expression":                          build("\x06\x01\x7f\x00\x41\x00\x41\x00\x6a\x0b"),
		"instruction 0xfe (uses threads (atomic":            function("\xfe\x00\x0b"),
		"instruction 0x12 (uses tail calls,":                function("\x12\x00\x0b"),
		"instruction 0x06 (uses exceptions,":                function("\x06\x40\x0b\x0b"),
		"instruction 0x1f (uses exceptions,":                function("\x1f\x40\x00\x0b\x0b"),
		"instruction 0x14 (uses typed function references,": function("\x14\x00\x0b"),
		"instruction 0xfb (uses garbage collection,":        function("\xfb\x00\x0b"),
		"(uses relaxed SIMD, which policies do not get)":    function("\xfd\x80\x02\x0b"),
		"there is no instruction 0x27":                      function("\x27\x0b"),
		"there is no instruction 0xfc12":                    function("\xfc\x12\x0b"),
		"there is no instruction 0xfd9a":                    function("\xfd\x9a\x01\x0b"),
		"memory 1 (uses several memories":                   function("\x3f\x01\x1a\x0b"),
		"alignment 64 (uses several memories":               function("\x41\x00\x28\x40\x00\x00\x1a\x0b"),
		"there is no global 1":                              function("\x23\x01\x1a\x0b"),
		"there is no local 0":                               function("\x20\x00\x1a\x0b"),
		"there is no label 1":                               function("\x0c\x01\x0b"),
		"there is no label 2":                               function("\x41\x00\x0e\x01\x00\x02\x0b"),
		"there is no table 1":                               function("\x41\x00\x25\x01\x1a\x0b"),
		"there is no element segment 0":                     function("\xfc\x0d\x00\x0b"),
		"no data count section":                             function("\xfc\x09\x00\x0b"),
		"else without an if":                                function("\x02\x40\x05\x0b\x0b"),
		"instructions after the end":                        function("\x0b\x01"),
		"the function has no end":                           function("\x01"),
		"block type 0x7a":                                   function("\x02\x7a\x0b\x0b"),
		"value type 0x64 (uses typed function references":   build("\x01\x01\x60\x01\x64\x00"),
		"function with 50001 locals":                        build("\x01\x01\x60\x00\x00", "\x03\x01\x00", "\x0a\x01\x06\x01\xd1\x86\x03\x7f\x0b"),
	} {
		if _, err := Decode(code); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%x: got %v, want %q", code, err, says)
		}
	}
	if _, err := Decode(function("\x0b")); err != nil {
		t.Errorf("the module that the others are made of: %v", err)
	}
}

// TestTruncated cuts a module at every byte.
func TestTruncated(t *testing.T) {
	code := function("\x02\x40\x41\x80\x01\x0d\x00\x0b\x0b")
	for n := len(code) - 1; n > len(header); n-- {
		m, err := Decode(code[:n])
		if err == nil && len(m.Code) == 1 {
			t.Errorf("%d of %d bytes were accepted", n, len(code))
		}
	}
}

// TestBounded reads what is made to take time or memory.
func TestBounded(t *testing.T) {
	million := string(AppendU32(nil, 100_000)) + strings.Repeat("\x60\x00\x00", 100_000)
	customs := strings.Repeat("\x00\x01\x00", 2_000_000)
	segments := string(AppendU32(nil, 100_000)) + strings.Repeat("\x01\x00", 100_000)
	for name, code := range map[string][]byte{
		"types":     build("\x01" + million),
		"counts":    build("\x01" + million[:5]),
		"customs":   append([]byte(header), customs...),
		"data":      build("\x0c"+string(AppendU32(nil, 100_000)), "\x0b"+segments),
		"elements":  build("\x09\x01\x01\x00\xff\xff\xff\xff\x0f"),
		"exports":   build("\x07" + string(AppendU32(nil, 100_000))),
		"nesting":   function(strings.Repeat("\x02\x40", 2_000_000)),
		"br_table":  function("\x41\x00\x0e\xff\xff\xff\xff\x0f\x00\x0b"),
		"200 MB":    make([]byte, 200<<20),
		"functions": build("\x01\x01\x60\x00\x00", "\x03"+string(AppendU32(nil, 1_000_000))+strings.Repeat("\x00", 1_000_000)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := Decode(code)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; took > 2*time.Second || used > 64<<20 {
			t.Errorf("%s: %v and %d bytes for %v", name, took, used, err)
		}
	}
}

func TestTables(t *testing.T) {
	m, err := Decode(build("\x04\x03\x70\x00\x05\x6f\x01\x01\x02\x70\x01\x01\xff\xff\xff\xff\x0f"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.LimitTables(4, 100); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(m.Tables); got != "[{112 {5 100 true}} {111 {1 2 true}} {112 {1 100 true}}]" {
		t.Error(got)
	}
	same(t, "limited", m)
	if err := m.LimitTables(2, 100); err == nil || !strings.Contains(err.Error(), "3 tables, at most 2") {
		t.Error(err)
	}
	if err := m.LimitTables(3, 4); err == nil || !strings.Contains(err.Error(), "table of 5 entries, at most 4") {
		t.Error(err)
	}
}

// TestReading asks a module for what the host wants to know.
func TestReading(t *testing.T) {
	code := build("\x01\x02\x60\x02\x7f\x7e\x01\x7e\x60\x00\x00", "\x02\x01\x01e\x01f\x00\x00", "\x03\x01\x01",
		"\x07\x01\x01x\x00\x01", "\x0a\x01\x02\x00\x0b", "\x00\x04name\x00\x02\x01g\x01\x04\x01\x01\x01h", "\x00\x01x")
	m, err := Decode(code)
	if err != nil {
		t.Fatal(err)
	}
	imported, ok := m.TypeOf(0)
	if _, none := m.TypeOf(2); !ok || none || imported.String() != "(i32, i64) -> i64" {
		t.Errorf("type %v", imported)
	}
	if e, ok := m.Export("x"); !ok || e.Index != 1 || e.Kind != KindFunc {
		t.Errorf("export %v", e)
	}
	if name, funcs := m.FuncNames(); name != "g" || len(funcs) != 1 || funcs[1] != "h" {
		t.Errorf("names %q %v", name, funcs)
	}
	if _, ok := m.Custom("x"); !ok || m.EmptyCustom != "x" {
		t.Errorf("empty section %q", m.EmptyCustom)
	}
}

func FuzzDecode(f *testing.F) {
	n := 0
	all, _ := suite(f)
	for _, code := range all {
		if n++; n%20 == 0 && len(code) < 2000 {
			f.Add(code)
		}
	}
	f.Add(function("\x02\x40\x41\x80\x01\x0d\x00\x0b\x0b"))
	f.Fuzz(func(t *testing.T, code []byte) {
		m, err := Decode(code)
		if err != nil {
			return
		}
		m.FuncNames()
		same(t, "fuzzed", m)
	})
}
