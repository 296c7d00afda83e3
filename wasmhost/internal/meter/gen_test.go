package meter

import (
	"math/rand/v2"
	"slices"

	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// generate makes a valid module from a seed: functions that call one another
// directly and through a table, blocks, loops and ifs with operands, branches of
// all kinds, memory, operations on ranges, vectors. A run of it ends by itself:
// loops count, and so do calls.
func generate(seed uint64) []byte {
	g := &generator{r: rand.New(rand.NewPCG(seed, 1)), m: &module.Module{}}
	m := g.m
	g.typ(nil, nil) // 0
	m.Memories = []module.Limits{{Min: 1, Max: 3, HasMax: true}}
	n := 3 + g.r.IntN(6)
	m.Tables = []module.Table{{Type: module.FuncRef, Limits: module.Limits{Min: uint32(n) + 2, Max: 40, HasMax: true}}}
	for _, t := range []byte{module.I32, module.I64, module.F64, module.I32} {
		m.Globals = append(m.Globals, module.Global{Type: module.GlobalType{Type: t, Mutable: true}, Init: zero(t)})
	}
	m.Globals[3].Init = []byte{0x41, 40, 0x0b} // calls that are left
	for range n {
		m.Funcs = append(m.Funcs, g.typ(g.types(4), g.types(3)))
	}
	elem := module.Elem{Offset: []byte{0x41, 1, 0x0b}, Count: uint32(n)}
	for i := range n {
		elem.Items = module.AppendU32(elem.Items, uint32(i))
		m.Exports = append(m.Exports, module.Export{Name: string(rune('a' + i)), Index: uint32(i)})
	}
	passive := module.Elem{Flags: 1, Count: 2, Items: []byte{0, 1}}
	m.Elems = []module.Elem{elem, passive}
	m.Data = []module.Data{{Offset: []byte{0x41, 0, 0x0b}, Init: []byte("some bytes")}, {Flags: 1, Init: []byte("passive bytes")}}
	m.HasCount, m.DataCount = true, 2
	m.Exports = append(m.Exports, module.Export{Name: "memory", Kind: module.KindMemory},
		module.Export{Name: "calls", Kind: module.KindGlobal, Index: 3}, module.Export{Name: "g0", Kind: module.KindGlobal},
		module.Export{Name: "g1", Kind: module.KindGlobal, Index: 1})
	for i := range n {
		m.Code = append(m.Code, g.function(m.Types[m.Funcs[i]]))
	}
	return m.Encode()
}

func zero(t byte) []byte {
	switch t {
	case module.I32:
		return []byte{0x41, 0, 0x0b}
	case module.I64:
		return []byte{0x42, 0, 0x0b}
	}
	return []byte{0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b}
}

type generator struct {
	r      *rand.Rand
	m      *module.Module
	out    []byte
	locals []byte
	labels [][]byte // the operands that a branch takes along
	loops  []bool   // which of them are loops
	left   int      // statements
}

func (g *generator) typ(params, results []byte) uint32 {
	for i, t := range g.m.Types {
		if slices.Equal(t.Params, params) && slices.Equal(t.Results, results) {
			return uint32(i)
		}
	}
	g.m.Types = append(g.m.Types, module.FuncType{Params: params, Results: results})
	return uint32(len(g.m.Types) - 1)
}

func (g *generator) types(limit int) []byte {
	list := make([]byte, g.r.IntN(limit))
	for i := range list {
		list[i] = g.pick()
	}
	return list
}

func (g *generator) pick() byte {
	return []byte{module.I32, module.I32, module.I32, module.I64, module.I64, module.F64, module.V128}[g.r.IntN(7)]
}

func (g *generator) b(b ...byte)          { g.out = append(g.out, b...) }
func (g *generator) op(op byte, x uint32) { g.out = module.AppendU32(append(g.out, op), x) }
func (g *generator) i32(v int32)          { g.out = module.AppendS64(append(g.out, 0x41), int64(v)) }

func (g *generator) function(t module.FuncType) module.Body {
	own := append(g.types(8), module.I32, module.I32, module.I32, module.I32, module.I32)
	g.locals = slices.Concat(t.Params, own)
	g.out, g.labels, g.loops, g.left = nil, [][]byte{t.Results}, []bool{false}, 4+g.r.IntN(25)
	g.op(0x23, 3) // if no call is left, return
	g.b(0x45, 0x04, module.NoType)
	for _, r := range t.Results {
		g.constant(r)
	}
	g.b(0x0f, 0x0b)
	g.op(0x23, 3)
	g.b(0x41, 1, 0x6b)
	g.op(0x24, 3)
	for g.left > 0 {
		g.statement(0)
	}
	g.values(t.Results, 3)
	g.b(0x0b)
	body := module.Body{RunCount: uint32(len(own)), Code: g.out, NumLocals: uint32(len(own))}
	for _, l := range own {
		body.Runs = append(body.Runs, 1, l)
	}
	return body
}

func (g *generator) values(types []byte, depth int) {
	for _, t := range types {
		g.value(t, depth)
	}
}

func (g *generator) constant(t byte) {
	switch t {
	case module.I32:
		g.i32(int32(g.r.Uint32() >> g.r.IntN(32)))
	case module.I64:
		g.out = module.AppendS64(append(g.out, 0x42), int64(g.r.Uint64()>>g.r.IntN(64)))
	case module.F64:
		g.b(0x44, 0, 0, 0, 0, 0, byte(g.r.IntN(256)), byte(g.r.IntN(256)), 0x40)
	default:
		g.i32(int32(g.r.Uint32()))
		g.b(0xfd, 0x11)
	}
}

// address puts an address on the stack, mostly one that is there.
func (g *generator) address(depth int) {
	g.value(module.I32, depth+1)
	if g.r.IntN(200) > 0 {
		g.i32(0x7fff)
		g.b(0x71)
	}
}

// value puts a value of a type on the stack.
func (g *generator) value(t byte, depth int) {
	if depth > 4 {
		g.constant(t)
		return
	}
	switch g.r.IntN(8) {
	case 0:
		g.constant(t)
	case 1, 2:
		for _, at := range g.r.Perm(len(g.locals)) {
			if g.locals[at] == t {
				g.op(0x20, uint32(at))
				return
			}
		}
		g.constant(t)
	case 3:
		g.block(nil, []byte{t}, depth+1)
	case 4:
		g.call(t, depth+1)
	default:
		g.compute(t, depth+1)
	}
}

func (g *generator) compute(t byte, depth int) {
	switch t {
	case module.I32:
		switch g.r.IntN(6) {
		case 0:
			g.address(depth)
			g.b(0x28, 2, 0)
		case 1:
			g.values([]byte{module.I64, module.I64}, depth)
			g.b(0x53)
		case 2:
			g.value(module.V128, depth)
			g.b(0xfd, 0x1b, 1)
		default:
			g.values([]byte{t, t}, depth)
			g.b([]byte{0x6a, 0x6b, 0x6c, 0x6e, 0x71, 0x73, 0x74, 0x48}[g.r.IntN(8)])
		}
	case module.I64:
		if g.r.IntN(3) == 0 {
			g.value(module.I32, depth)
			g.b(0xad)
			return
		}
		g.values([]byte{t, t}, depth)
		g.b([]byte{0x7c, 0x7d, 0x7e, 0x83, 0x85, 0x88}[g.r.IntN(6)])
	case module.F64:
		g.values([]byte{t, t}, depth)
		g.b([]byte{0xa0, 0xa1, 0xa2, 0xa4}[g.r.IntN(4)])
	default:
		g.values([]byte{t, t}, depth)
		g.b(0xfd, []byte{0x4e, 0x50, 0x51}[g.r.IntN(3)])
	}
}

// call puts the first result of a call on the stack that has this type, or a
// constant.
func (g *generator) call(t byte, depth int) {
	for _, fn := range g.r.Perm(len(g.m.Funcs)) {
		typ := g.m.Types[g.m.Funcs[fn]]
		if len(typ.Results) == 0 || typ.Results[0] != t {
			continue
		}
		g.values(typ.Params, depth)
		if g.r.IntN(3) == 0 {
			g.i32(int32(1 + fn))
			if g.r.IntN(40) == 0 {
				g.value(module.I32, depth)
				g.b(0x6a)
			}
			g.op(0x11, g.m.Funcs[fn])
			g.b(0)
		} else {
			g.op(0x10, uint32(fn))
		}
		for range typ.Results[1:] {
			g.b(0x1a)
		}
		return
	}
	g.constant(t)
}

// block puts results on the stack by a block, an if or a loop.
func (g *generator) block(params, results []byte, depth int) {
	g.values(params, depth)
	kind := byte(0x02 + g.r.IntN(3))
	open := 0 // loops, each of which has a counter of its own
	for _, l := range g.loops {
		if l {
			open++
		}
	}
	if kind == 0x03 && open == 4 {
		kind = 0x02
	}
	counter := uint32(len(g.locals) - 1 - open)
	label := results
	switch kind {
	case 0x03:
		label = params
		g.i32(int32(g.r.IntN(5)))
		g.op(0x21, counter)
	case 0x04:
		g.value(module.I32, depth+1)
	}
	g.b(kind)
	switch {
	case len(params) == 0 && len(results) == 0:
		g.b(module.NoType)
	case len(params) == 0 && len(results) == 1:
		g.b(results[0])
	default:
		g.out = module.AppendS64(g.out, int64(g.typ(params, results)))
	}
	g.labels, g.loops = append(g.labels, label), append(g.loops, kind == 0x03)
	g.inside(params, results, kind, counter, depth)
	if kind == 0x04 && (len(results) > 0 || len(params) > 0 || g.r.IntN(2) == 0) {
		g.b(0x05)
		g.inside(params, results, kind, counter, depth)
	}
	g.labels, g.loops = g.labels[:len(g.labels)-1], g.loops[:len(g.loops)-1]
	g.b(0x0b)
}

func (g *generator) inside(params, results []byte, kind byte, counter uint32, depth int) {
	for range params {
		g.b(0x1a)
	}
	for range g.r.IntN(3) {
		if g.left > 0 && depth < 6 {
			g.statement(depth + 1)
		}
	}
	if kind == 0x03 && g.r.IntN(2) == 0 {
		g.goRound(params, counter)
	} else if kind == 0x03 { // go round while the counter is above 0
		g.op(0x20, counter)
		g.b(0x41, 0, 0x4a, 0x04, module.NoType)
		g.labels, g.loops = append(g.labels, nil), append(g.loops, false)
		g.op(0x20, counter)
		g.b(0x41, 1, 0x6b)
		g.op(0x21, counter)
		g.values(params, 4)
		if g.r.IntN(2) == 0 {
			g.op(0x0c, 1)
		} else {
			g.b(0x41, 1)
			g.op(0x0d, 1)
			for range params {
				g.b(0x1a)
			}
		}
		g.labels, g.loops = g.labels[:len(g.labels)-1], g.loops[:len(g.loops)-1]
		g.b(0x0b)
	}
	g.values(results, depth+1)
}

// goRound goes round a loop by a branch that is not conditional itself, but can be
// left out.
func (g *generator) goRound(params []byte, counter uint32) {
	g.b(0x02, module.NoType)
	g.labels, g.loops = append(g.labels, nil), append(g.loops, false)
	g.op(0x20, counter)
	g.b(0x41, 1, 0x48, 0x04, module.NoType, 0x0c, 1, 0x0b)
	g.op(0x20, counter)
	g.b(0x41, 1, 0x6b)
	g.op(0x21, counter)
	g.values(params, 4)
	g.op(0x0c, 1)
	g.labels, g.loops = g.labels[:len(g.labels)-1], g.loops[:len(g.loops)-1]
	g.b(0x0b)
}
