package meter

import (
	"bytes"
	"errors"
	"hash/crc32"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// state is what a run leaves behind.
type state struct {
	results []uint64
	err     string
	memory  uint32
	globals [2]uint64
	used    int64
}

// runAll calls every function of a generated module once and returns what came
// of each call.
func runAll(t *testing.T, code []byte, metered, singly bool) (states []state) {
	b := newBench(t, metered, 300)
	b.stride = 7
	b.singly = singly
	mod, err := b.add(t.Context(), code, "")
	if err != nil {
		t.Fatalf("metered %v: %v", metered, err)
	}
	for i := 0; ; i++ {
		name := string(rune('a' + i))
		fn := mod.ExportedFunction(name)
		if fn == nil {
			return states
		}
		mod.ExportedGlobal("calls").(api.MutableGlobal).Set(40)
		var args []uint64
		for at, p := range fn.Definition().ParamTypes() {
			args = append(args, uint64(at*7+i))
			if p == 0x7b {
				args = append(args, 9)
			}
		}
		s := state{}
		before := int64(0)
		if metered {
			before = b.used()
		}
		s.results, err = b.call(t.Context(), mod, name, args...)
		if err != nil {
			s.err = err.Error()
		}
		if metered {
			s.used = b.used() - before
		}
		whole, _ := mod.Memory().Read(0, mod.Memory().Size())
		s.memory = crc32.ChecksumIEEE(whole)
		s.globals = [2]uint64{mod.ExportedGlobal("g0").Get(), mod.ExportedGlobal("g1").Get()}
		states = append(states, s)
	}
}

// tried counts what random modules did, so that a generator that no longer does
// anything is noticed.
type tried struct {
	calls, traps int
	used         int64
}

// differ runs a generated module plain, metered twice, and metered so that each
// instruction pays for itself.
func differ(t *testing.T, seed uint64, n *tried) {
	code := generate(seed)
	m, err := module.Decode(code)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	if !bytes.Equal(m.Encode(), code) {
		t.Fatalf("seed %d: written differently", seed)
	}
	plain := runAll(t, code, false, false)
	metered, again, singly := runAll(t, code, true, false), runAll(t, code, true, false), runAll(t, code, true, true)
	for i, p := range plain {
		got := metered[i]
		n.calls++
		n.used += got.used
		if p.err != "" {
			n.traps++
		}
		if got.used != again[i].used || p.err == "" && got.used != singly[i].used {
			t.Errorf("seed %d, call %d: fuel %d, %d, singly %d", seed, i, got.used, again[i].used, singly[i].used)
		}
		if got.used < 0 || got.used < singly[i].used {
			t.Errorf("seed %d, call %d: fuel %d is less than the %d of the instructions", seed, i, got.used, singly[i].used)
		}
		if !slices.Equal(p.results, got.results) || p.err != got.err || p.memory != got.memory || p.globals != got.globals {
			t.Errorf("seed %d, call %d: plain %v\nmetered %v", seed, i, p, got)
		}
	}
}

func TestRandomModules(t *testing.T) {
	var n tried
	for seed := range uint64(150) {
		differ(t, seed, &n)
	}
	t.Logf("%+v", n)
	if n.calls < 600 || n.traps == 0 || n.traps > n.calls/2 || n.used < 100_000 {
		t.Errorf("the modules do too little: %+v", n)
	}
}

func FuzzMetered(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { differ(t, seed, new(tried)) })
}

// FuzzRewrite holds that what the engine compiles it also compiles rewritten, and
// that whatever is refused is refused in our words.
func FuzzRewrite(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(generate(seed))
	}
	for _, name := range []string{"bench", "hostile"} {
		f.Add(readModule(f, "testdata/"+name+".wasm"))
	}
	files, err := filepath.Glob(filepath.Join(wazeroDir(f), "*.wasm"))
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for i := 0; i < len(files); i += 25 {
		f.Add(readModule(f, files[i]))
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		m, err := module.Decode(code)
		if err != nil || len(code) > 1<<16 {
			return
		}
		r, err := Rewrite(m, Options{})
		if err != nil {
			if !errors.Is(err, ErrMeter) {
				t.Error(err)
			}
			return
		}
		b := newBench(t, false, 1)
		m.Customs = nil // names that the engine cannot read are not passed on
		if _, err := b.rt.CompileModule(t.Context(), m.Encode()); err != nil {
			if _, err := b.rt.CompileModule(t.Context(), r.Code); err == nil {
				t.Error("an invalid module became valid")
			}
			return
		}
		if _, err := b.rt.CompileModule(t.Context(), r.Code); err != nil {
			t.Errorf("a valid module became invalid: %v", err)
		}
	})
}
