package meter

import (
	"errors"
	"fmt"
	"math"

	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// Version names the cost model and the form of what is added. It belongs into the
// key of every cache of compiled code, and changes with either of them.
const Version = "3"

// What the pass adds to a module, by name. A module that has one of them already
// is refused.
const (
	ImportModule = "edgeftp"         // module of the imported function
	ImportSlice  = "__slice"         // (i64) -> i64, see Rewrite
	ExportFuel   = "edgeftp.__fuel"  // mutable i64: units left of the slice
	ExportDepth  = "edgeftp.__depth" // mutable i64: units of depth left
)

// TooDeep is what __slice is called with when the depth is used up. The call must
// not return; if it does, the guest traps.
const TooDeep int64 = math.MinInt64

// Bounds that the pass works to; see the package's comment.
const (
	DefaultDepth = 2048
	// MaxUnchecked is how many units may run between two looks at the fuel in
	// one function.
	MaxUnchecked = 10_000
	// MaxTail is how many units may run after a call returned before the next
	// look.
	MaxTail = 500
)

// ErrMeter is wrapped by every error of [Rewrite]: the module cannot be metered.
var ErrMeter = errors.New("cannot be metered")

// Options are the bounds that a module is rewritten for. The zero value is ready
// to use.
type Options struct {
	Depth       uint32 // units of depth, 0 for DefaultDepth
	MemoryPages uint32 // pages of 64 KiB that the host gives at most, 0 for 65536
}

// Result is a metered module.
type Result struct {
	Code []byte // the module, in the binary format
	// Counted is the number of functions whose frames are counted.
	Counted int

	names []string
}

// Name returns the name of a function by its index in Code: that of the module's
// name section, or "$" and the index that the function had before.
func (r *Result) Name(index uint32) string {
	if int64(index) >= int64(len(r.names)) {
		return ""
	}
	return r.names[index]
}

// Rewrite adds the metering to a module; m itself is not changed.
//
// The rewritten module imports edgeftp.__slice. It is called with what is left of
// the fuel, a negative number, whenever the guest finds its slice used up, and
// first of all when the guest begins to run, for the fuel begins at 0. It either
// returns the fuel of the next slice, which must not be negative, or it does not
// return. What a guest used is the sum of all slices given minus what is left in
// the global [ExportFuel]. Called with [TooDeep] it must not return. Called with what
// is not negative, between two parts of a long fill or copy, it is to look at the
// time and to return what it was given.
//
// Before each call of an export the host sets [ExportDepth] to the units of depth
// that it allows, for a call that did not return has not given them back.
func Rewrite(m *module.Module, opts Options) (*Result, error) {
	return newPass(m, opts).run()
}

func (p *pass) run() (*Result, error) {
	if err := p.free(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMeter, err)
	}
	if err := p.measure(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMeter, err)
	}
	if err := p.rewrite(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMeter, err)
	}
	return &Result{Code: p.out.Encode(), Counted: p.counted, names: p.names}, nil
}

// pass is the state of one rewriting.
type pass struct {
	m, out *module.Module
	depth  uint32
	pages  uint32
	stride int // see ranged

	imported    uint32 // imported functions; also the index of __slice
	fuelGlobal  uint32
	depthGlobal uint32
	funcs       []function // those that the module defines
	graph       graph
	counted     int
	names       []string
	helpers     helpers
	budget      int // bytes that the code may grow to
	// singly makes each instruction pay for itself. Tests hold what is paid
	// together to it.
	singly bool
}

func newPass(m *module.Module, opts Options) *pass {
	p := &pass{m: m, depth: opts.Depth, pages: opts.MemoryPages, stride: stride}
	if p.depth == 0 {
		p.depth = DefaultDepth
	}
	p.depth = min(p.depth, math.MaxInt32/2)
	if p.pages == 0 || p.pages > 65536 {
		p.pages = 65536
	}
	p.imported = uint32(m.NumImported(module.KindFunc))
	p.fuelGlobal = uint32(m.NumGlobals())
	p.depthGlobal = p.fuelGlobal + 1
	return p
}

// free refuses a module that uses the names of what is added.
func (p *pass) free() error {
	for _, i := range p.m.Imports {
		if i.Module == ImportModule && i.Name == ImportSlice {
			return fmt.Errorf("it imports %s.%s, which is the server's own", i.Module, i.Name)
		}
	}
	for _, name := range []string{ExportFuel, ExportDepth} {
		if _, taken := p.m.Export(name); taken {
			return fmt.Errorf("it exports %q, which is the server's own", name)
		}
	}
	return nil
}

// fn returns a function's new index.
func (p *pass) fn(index uint32) uint32 {
	if index >= p.imported {
		return index + 1
	}
	return index
}

// rewrite makes the new module.
func (p *pass) rewrite() error {
	out := *p.m
	p.out = &out
	out.Types = append(make([]module.FuncType, 0, len(out.Types)+2), out.Types...)
	sliceType := p.addType(module.FuncType{Params: []byte{module.I64}, Results: []byte{module.I64}})
	out.Imports = append(make([]module.Import, 0, len(out.Imports)+1), out.Imports...)
	out.Imports = append(out.Imports, module.Import{Module: ImportModule, Name: ImportSlice, Kind: module.KindFunc, Type: sliceType})
	p.globals()
	p.exports()
	p.elems()
	if out.HasStart {
		out.Start = p.fn(out.Start)
	}
	if err := p.code(); err != nil {
		return err
	}
	p.addHelpers()
	p.addNames()
	return nil
}

// addType returns the index of a type, added if it is not there.
func (p *pass) addType(t module.FuncType) uint32 {
	for i, have := range p.out.Types {
		if string(have.Params) == string(t.Params) && string(have.Results) == string(t.Results) {
			return uint32(i)
		}
	}
	p.out.Types = append(p.out.Types, t)
	return uint32(len(p.out.Types) - 1)
}

func (p *pass) globals() {
	out := p.out
	list := make([]module.Global, 0, len(out.Globals)+2)
	for _, g := range out.Globals {
		g.Init = p.expr(g.Init)
		list = append(list, g)
	}
	out.Globals = append(list,
		module.Global{Type: module.GlobalType{Type: module.I64, Mutable: true},
			Init: []byte{byte(module.OpI64Const), 0, byte(module.OpEnd)}},
		module.Global{Type: module.GlobalType{Type: module.I64, Mutable: true},
			Init: append(module.AppendS64([]byte{byte(module.OpI64Const)}, int64(p.depth)), byte(module.OpEnd))})
}

// expr returns a constant expression with the new indices of functions.
func (p *pass) expr(e []byte) []byte {
	c := module.NewCursor(e)
	for c.Next() {
		if c.Op == module.OpRefFunc {
			return append(module.AppendU32([]byte{byte(module.OpRefFunc)}, p.fn(c.X)), e[c.End:]...)
		}
	}
	return e
}

func (p *pass) exports() {
	list := make([]module.Export, 0, len(p.out.Exports)+2)
	for _, e := range p.out.Exports {
		if e.Kind == module.KindFunc {
			e.Index = p.fn(e.Index)
		}
		list = append(list, e)
	}
	p.out.Exports = append(list,
		module.Export{Name: ExportFuel, Kind: module.KindGlobal, Index: p.fuelGlobal},
		module.Export{Name: ExportDepth, Kind: module.KindGlobal, Index: p.depthGlobal})
}

func (p *pass) elems() {
	list := make([]module.Elem, len(p.out.Elems))
	for n, e := range p.out.Elems {
		items := make([]byte, 0, len(e.Items)+len(e.Items)/8+8)
		for rest := e.Items; len(rest) > 0; {
			if e.Exprs() {
				size := exprLen(rest)
				items = append(items, p.expr(rest[:size])...)
				rest = rest[size:]
				continue
			}
			v, size := module.U32(rest)
			items = module.AppendU32(items, p.fn(v))
			rest = rest[size:]
		}
		e.Items = items
		list[n] = e
	}
	p.out.Elems = list
}

// exprLen returns the length of the constant expression at the start of b.
func exprLen(b []byte) int {
	c := module.NewCursor(b)
	for c.Next() {
		if c.Op == module.OpEnd {
			return c.End
		}
	}
	return len(b)
}

// addNames gives each function its name, with the index of before where it has
// none, so that a trap reads as it did.
func (p *pass) addNames() {
	name, named := p.m.FuncNames()
	total := p.imported + 1 + uint32(len(p.out.Funcs))
	p.names = make([]string, total)
	for i := range uint32(p.m.NumFuncs()) {
		if p.names[p.fn(i)] = named[i]; named[i] == "" {
			p.names[p.fn(i)] = fmt.Sprintf("$%d", i)
		}
	}
	p.names[p.imported] = ImportModule + "." + ImportSlice
	for i := p.imported + 1 + uint32(len(p.m.Funcs)); i < total; i++ {
		p.names[i] = ImportModule + ".__charge"
	}
	p.out.Customs = []module.Custom{module.NameCustom(name, p.names)}
}
