package meter

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// script is a file of the specification's test suite, as wast2json writes it.
type script struct {
	Commands []command `json:"commands"`
}

type command struct {
	Type       string  `json:"type"`
	Line       int     `json:"line"`
	Name       string  `json:"name"`
	Filename   string  `json:"filename"`
	As         string  `json:"as"`
	ModuleType string  `json:"module_type"`
	Text       string  `json:"text"`
	Action     action  `json:"action"`
	Expected   []value `json:"expected"`
}

type action struct {
	Type   string  `json:"type"`
	Module string  `json:"module"`
	Field  string  `json:"field"`
	Args   []value `json:"args"`
}

type value struct {
	Type  string          `json:"type"`
	Lane  string          `json:"lane_type"`
	Value json.RawMessage `json:"value"`
}

// anyNaN marks a lane that may be any NaN of its class.
type lane struct {
	width int
	bits  uint64
	nan   string // "canonical", "arithmetic", or "" for the bits
	any   bool   // a reference that is not named
}

func (v value) lanes(t *testing.T) []lane {
	t.Helper()
	if v.Type == "v128" {
		var texts []string
		if err := json.Unmarshal(v.Value, &texts); err != nil {
			t.Fatal(err)
		}
		lanes := make([]lane, len(texts))
		for i, text := range texts {
			lanes[i] = number(t, text, 128/len(texts), strings.HasPrefix(v.Lane, "f"))
		}
		return lanes
	}
	if len(v.Value) == 0 {
		return []lane{{width: 64, any: true}}
	}
	var text string
	if err := json.Unmarshal(v.Value, &text); err != nil {
		t.Fatal(err)
	}
	width := 64
	switch v.Type {
	case "i32", "f32":
		width = 32
	case "externref", "funcref":
		if text == "null" {
			return []lane{{width: 64}}
		}
		l := number(t, text, 64, false)
		l.bits++ // the engine takes 0 for null
		return []lane{l}
	}
	return []lane{number(t, text, width, strings.HasPrefix(v.Type, "f"))}
}

func number(t *testing.T, text string, width int, float bool) lane {
	t.Helper()
	if float && strings.HasPrefix(text, "nan:") {
		return lane{width: width, nan: text[4:]}
	}
	if strings.HasPrefix(text, "-") {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return lane{width: width, bits: uint64(n) & (1<<width - 1)}
	}
	n, err := strconv.ParseUint(text, 10, width)
	if err != nil {
		t.Fatal(err)
	}
	return lane{width: width, bits: n}
}

// words packs values as the engine takes them.
func words(t *testing.T, values []value) (out []uint64) {
	t.Helper()
	for _, v := range values {
		var lo, hi uint64
		at := 0
		for _, l := range v.lanes(t) {
			if at < 64 {
				lo |= l.bits << at
			} else {
				hi |= l.bits << (at - 64)
			}
			at += l.width
		}
		out = append(out, lo)
		if v.Type == "v128" {
			out = append(out, hi)
		}
	}
	return out
}

// matches reports whether got is what is expected.
func matches(t *testing.T, got []uint64, want []value) bool {
	t.Helper()
	for _, v := range want {
		at := 0
		for _, l := range v.lanes(t) {
			if len(got) == 0 {
				return false
			}
			bits := got[0] >> at & (1<<l.width - 1)
			if !l.holds(bits) {
				return false
			}
			if at += l.width; at == 64 {
				got, at = got[1:], 0
			}
		}
		if at != 0 {
			got = got[1:]
		}
	}
	return len(got) == 0
}

func (l lane) holds(bits uint64) bool {
	quiet, sign := uint64(0x7fc00000), uint64(1)<<31
	if l.width == 64 {
		quiet, sign = 0x7ff8000000000000, 1<<63
	}
	switch {
	case l.any:
		return true
	case l.nan == "canonical":
		return bits&^sign == quiet
	case l.nan == "arithmetic":
		return bits&quiet == quiet
	}
	return bits == l.bits
}

// world is one engine that runs a script.
type world struct {
	*bench
	named map[string]api.Module
	last  api.Module
}

func newWorld(t *testing.T, metered bool) *world {
	w := &world{bench: newBench(t, metered, 500), named: map[string]api.Module{}}
	w.stride = 3
	if _, err := w.add(t.Context(), spectest(), "spectest"); err != nil {
		t.Fatal(err)
	}
	return w
}

// spectest is the module that the suite's modules import from.
func spectest() []byte {
	m := &module.Module{}
	fn := func(name string, params ...byte) {
		m.Types = append(m.Types, module.FuncType{Params: params})
		m.Exports = append(m.Exports, module.Export{Name: name, Index: uint32(len(m.Funcs))})
		m.Funcs = append(m.Funcs, uint32(len(m.Funcs)))
		m.Code = append(m.Code, module.Body{Code: []byte{0x0b}})
	}
	fn("print")
	fn("print_i32", module.I32)
	fn("print_i64", module.I64)
	fn("print_f32", module.F32)
	fn("print_f64", module.F64)
	fn("print_i32_f32", module.I32, module.F32)
	fn("print_f64_f64", module.F64, module.F64)
	global := func(name string, typ byte, init ...byte) {
		m.Exports = append(m.Exports, module.Export{Name: name, Kind: module.KindGlobal, Index: uint32(len(m.Globals))})
		m.Globals = append(m.Globals, module.Global{Type: module.GlobalType{Type: typ}, Init: append(init, 0x0b)})
	}
	global("global_i32", module.I32, 0x41, 0x9a, 0x05)
	global("global_i64", module.I64, 0x42, 0x9a, 0x05)
	f32, f64 := math.Float32bits(666.6), math.Float64bits(666.6)
	global("global_f32", module.F32, 0x43, byte(f32), byte(f32>>8), byte(f32>>16), byte(f32>>24))
	global("global_f64", module.F64, 0x44, byte(f64), byte(f64>>8), byte(f64>>16), byte(f64>>24),
		byte(f64>>32), byte(f64>>40), byte(f64>>48), byte(f64>>56))
	m.Tables = []module.Table{{Type: module.FuncRef, Limits: module.Limits{Min: 10, Max: 20, HasMax: true}}}
	m.Memories = []module.Limits{{Min: 1, Max: 2, HasMax: true}}
	m.Exports = append(m.Exports, module.Export{Name: "table", Kind: module.KindTable},
		module.Export{Name: "memory", Kind: module.KindMemory})
	return m.Encode()
}

// tally counts what the suite did.
type tally struct{ files, modules, returns, traps, exhausted, refused, unlinkable, actions, texts int }

// TestSpecification runs the suite of core 2.0 three times at once: as it is,
// metered, and metered so that each instruction pays for itself. All must do the
// same, the metered ones for the same fuel. It is one goroutine, and with the race detector
// each fifth file is enough.
func TestSpecification(t *testing.T) {
	dir := wazeroDir(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) < 140 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	every, modules, assertions := 1, 1500, 50_000
	if raceEnabled {
		every, modules, assertions = 5, 400, 15_000
	}
	var n tally
	for i := 0; i < len(files); i += every {
		file := files[i]
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			n.files++
			runScript(t, file, &n)
		})
	}
	t.Logf("%+v", n)
	if asserted := n.returns + n.traps + n.exhausted + n.refused + n.unlinkable; n.modules < modules || asserted < assertions {
		t.Errorf("%d modules and %d assertions are too few to be the suite", n.modules, asserted)
	}
}

func runScript(t *testing.T, file string, n *tally) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s script
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	worlds := []*world{newWorld(t, false), newWorld(t, true), newWorld(t, true)}
	worlds[2].singly = true
	for i, c := range s.Commands {
		where := fmt.Sprintf("line %d: %s", c.Line, c.Type)
		var code []byte
		if c.Filename != "" {
			if code, err = os.ReadFile(filepath.Join(filepath.Dir(file), c.Filename)); err != nil && c.ModuleType != "text" {
				t.Fatal(err)
			}
		}
		switch c.Type {
		case "register":
		case "module":
			n.modules++
			as := registered(s.Commands[i+1:], c.Name)
			for _, w := range worlds {
				if w.last, err = w.add(t.Context(), code, as); err != nil {
					t.Fatalf("%s: metered %v: %v", where, w.metered, err)
				}
				w.named[c.Name] = w.last
			}
		case "action", "assert_return", "assert_trap", "assert_exhaustion":
			runAction(t, where, worlds, c, n)
		case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
			if c.ModuleType == "text" {
				n.texts++ // this is about a reader of text
				continue
			}
			refuse(t, where, worlds, c, code, n)
		default:
			t.Fatalf("%s is not known", where)
		}
	}
}

// registered returns the name under which later modules import the one that was
// just made, "" if none does. A module has its name from the start here.
func registered(rest []command, name string) string {
	last := true // still the last module that was made
	for _, c := range rest {
		switch {
		case c.Type == "register" && (name != "" && c.Name == name || c.Name == "" && last):
			return c.As
		case c.Type == "module" && c.Name == name:
			return ""
		case c.Type == "module":
			last = false
		}
	}
	return ""
}

func refuse(t *testing.T, where string, worlds []*world, c command, code []byte, n *tally) {
	n.refused++
	if c.Type == "assert_unlinkable" || c.Type == "assert_uninstantiable" {
		n.unlinkable++
		n.refused--
	}
	_, plain := worlds[0].add(t.Context(), code, "")
	for _, w := range worlds[1:] {
		if _, err := w.add(t.Context(), code, ""); (err == nil) != (plain == nil) {
			t.Errorf("%s (%s): plain %v, metered %v", where, c.Filename, plain, err)
		}
	}
	worlds[1].granted += worlds[2].used() - worlds[1].used()    // of a start function that trapped
	if plain == nil && c.Text != "out of bounds table access" { // that one the engine defers
		t.Errorf("%s: the module was accepted", where)
	}
}

func runAction(t *testing.T, where string, worlds []*world, c command, n *tally) {
	type outcome struct {
		results []uint64
		err     error
		used    int64
	}
	var outcomes []outcome
	for _, w := range worlds {
		m := w.last
		if c.Action.Module != "" {
			m = w.named[c.Action.Module]
		}
		var o outcome
		if c.Action.Type == "get" {
			o.results = []uint64{m.ExportedGlobal(c.Action.Field).Get()}
		} else {
			o.results, o.err = w.call(t.Context(), m, c.Action.Field, words(t, c.Action.Args)...)
		}
		if w.metered {
			o.used = w.used()
		}
		outcomes = append(outcomes, o)
	}
	plain, metered, again := outcomes[0], outcomes[1], outcomes[2]
	used := metered.used == again.used
	if c.Type == "assert_trap" || c.Type == "assert_exhaustion" {
		// What was paid ahead shows, and stays for the rest of the script.
		worlds[1].granted += again.used - metered.used
		used = again.used <= metered.used
	}
	if !used {
		t.Errorf("%s: fuel %d and %d", where, metered.used, again.used)
	}
	switch c.Type {
	case "assert_exhaustion":
		n.exhausted++
		if plain.err == nil || !errors.Is(metered.err, errDeep) || !errors.Is(again.err, errDeep) {
			t.Errorf("%s: plain %v, metered %v", where, firstLine(plain.err), metered.err)
		}
		return
	case "assert_trap":
		n.traps++
		if plain.err == nil || metered.err == nil {
			t.Errorf("%s: plain %v, metered %v", where, plain.err, metered.err)
			return
		}
	default:
		n.actions++
		if c.Type == "assert_return" {
			n.actions--
			n.returns++
		}
		if plain.err != nil || !matches(t, metered.results, c.Expected) && c.Type == "assert_return" {
			t.Errorf("%s: %v, %v, want %s", where, metered.results, plain.err, c.Expected)
		}
	}
	if text := fmt.Sprint(metered.err); text != fmt.Sprint(plain.err) {
		t.Errorf("%s: plain %v\nmetered %v", where, plain.err, text)
	}
	if !slices.Equal(metered.results, plain.results) && !references(c.Expected) {
		t.Errorf("%s: plain %v, metered %v", where, plain.results, metered.results)
	}
}

// references reports whether a result is a reference, which is an address.
func references(values []value) bool {
	return slices.ContainsFunc(values, func(v value) bool { return v.Type == "funcref" && len(v.Value) == 0 })
}
