package meter

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// TestGoGuest runs a stock Go module: same verdicts, and the fuel of a run is
// exactly that of its instructions.
func TestGoGuest(t *testing.T) {
	code := goGuest(t)
	guests := []*guest{newGuest(t, false, code, "edgeftp_fs"), newGuest(t, true, code, "edgeftp_fs")}
	singly := newPass(decode(t, code), Options{})
	singly.singly = true
	r, err := singly.run()
	if err != nil {
		t.Fatal(err)
	}
	guests = append(guests, newRewritten(t, r.Code, "edgeftp_fs"))
	rec := record(t)
	for round := range 50 {
		rec[6] = byte(1 + round%15) // another operation each time
		var verdicts []uint64
		for _, g := range guests {
			g.record, g.arg = rec, uint64(len(rec))
			if g.fuel != nil && round == 0 {
				g.left = int64(g.fuel.Get())
			}
			verdicts = append(verdicts, g.call(t))
		}
		for i, g := range guests[1:] {
			if verdicts[i+1] != verdicts[0] {
				t.Errorf("round %d: verdict %x, plain %x", round, verdicts[i+1], verdicts[0])
			}
			if g.used != guests[1].used || g.used <= 0 {
				t.Errorf("round %d: %d units and %d units", round, guests[1].used, g.used)
			}
		}
	}
	t.Logf("%d units for the last call", guests[1].used)
}

func decode(t testing.TB, code []byte) *module.Module {
	t.Helper()
	m, err := module.Decode(code)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPassIsBounded holds the pass to memory for the largest kind of guest. Its time is
// BenchmarkRewrite's matter.
func TestPassIsBounded(t *testing.T) {
	code := goGuest(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := Rewrite(decode(t, code), Options{})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d to %d bytes with %d bytes of memory, %d functions counted", len(code), len(r.Code), allocated, r.Counted)
	if allocated > 64<<20 || len(r.Code) > len(code)*3/2 {
		t.Error("that is too much")
	}
}

// TestRefused holds that what is reserved stays so.
func TestRefused(t *testing.T) {
	slice := &module.Module{Types: []module.FuncType{{}},
		Imports: []module.Import{{Module: ImportModule, Name: ImportSlice}}}
	fuel := &module.Module{Globals: []module.Global{{Type: module.GlobalType{Type: module.I64}, Init: []byte{0x42, 0, 0x0b}}},
		Exports: []module.Export{{Name: ExportFuel, Kind: module.KindGlobal}}}
	var loops []byte
	for range 50_000 {
		loops = append(loops, 0x03, module.NoType, 0x0b)
	}
	large := &module.Module{Types: []module.FuncType{{}}, Funcs: []uint32{0}, Code: []module.Body{{Code: append(loops, 0x0b)}}}
	for says, c := range map[string]struct {
		m    *module.Module
		opts Options
	}{
		"it imports edgeftp.__slice":     {slice, Options{}},
		`it exports "edgeftp.__fuel"`:    {fuel, Options{}},
		"four times as large":            {large, Options{}},
		"takes 391 units of depth":       {decode(t, deepWithLocals(25_000)), Options{Depth: 100}},
		"there are 100: it has too many": {decode(t, deepWithLocals(25_000)), Options{Depth: 100}},
	} {
		_, err := Rewrite(decode(t, c.m.Encode()), c.opts)
		if !errors.Is(err, ErrMeter) || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
}

// TestNames holds that a trap names functions as it did.
func TestNames(t *testing.T) {
	m := decode(t, readModule(t, "testdata/hostile.wasm"))
	m.Customs = []module.Custom{module.NameCustom("guest", []string{"", "", "twice", "sink"})}
	r, err := Rewrite(decode(t, m.Encode()), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for index, want := range map[uint32]string{0: "edgeftp.__slice", 1: "$0", 3: "twice", 4: "sink", 5: "$4", 1000: ""} {
		if got := r.Name(index); got != want {
			t.Errorf("function %d is %q, want %q", index, got, want)
		}
	}
	b := newBench(t, true, 1000)
	mod, err := b.add(t.Context(), m.Encode(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.call(t.Context(), mod, "deep", 1)
	if err == nil || !strings.Contains(err.Error(), "guest.sink(i64) i64") {
		t.Errorf("got %v", err)
	}
}

// TestCosts holds the costs to what the package's comment says.
func TestCosts(t *testing.T) {
	bench := readModule(t, "testdata/bench.wasm")
	for _, c := range []struct {
		export string
		arg    uint64
		units  int64
	}{
		{"empty", 0, 1 + 1},
		// Entry 1; const, set; rounds of 3*6, and get, const, sub, tee, br_if; get.
		{"xorshift", 1, 1 + 2 + 23 + 1},
		{"xorshift", 10, 1 + 2 + 230 + 1},
		// Entry 1; rounds of get, get, ge_u, br_if and 10 of the body; once more the
		// first four; get. The two variables are too few to count.
		{"sum", 3, 1 + 3*(4+10) + 4 + 1},
		{"sum", 0, 1 + 4 + 1},
		// get, const, lt_u, if, get, extend.
		{"fib", 0, 1 + 6},
		// get, const, lt_u, if; twice get, const, sub, call; add.
		{"fib", 2, 1 + 4 + 2*(3+6) + 1 + 2*7},
	} {
		b := newBench(t, true, 1000)
		mod, err := b.add(context.Background(), bench, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.call(t.Context(), mod, c.export, c.arg); err != nil {
			t.Fatal(err)
		}
		if got := b.used(); got != c.units {
			t.Errorf("%s(%d) cost %d units, want %d", c.export, c.arg, got, c.units)
		}
	}
}
