package meter

import "github.com/edgeftp/edgeftp/wasmhost/internal/module"

// helpers are the functions that are added to pay for instructions whose time
// depends on an operand: their index, 0 if they are not needed. Each takes the
// operand, pays, looks at the fuel, and returns it. Those for fill and copy take all
// three operands and leave the instruction no more than a stride of bytes to do.
type helpers struct {
	bytes   uint32
	fill    uint32
	copy    uint32
	entries uint32
	memory  uint32
	tables  map[uint32]uint32 // of table.grow, by table
	bodies  []module.Body
	ranges  []bool // for each of the bodies: it takes and returns a range's three operands
}

// helper returns the index of a helper, which is made at its first use.
func (p *pass) helper(at *uint32, write func(*emitter)) uint32 {
	if *at == 0 {
		e := &emitter{p: p}
		write(e)
		e.check()
		e.op(module.OpLocalGet, 0)
		e.bytes(byte(module.OpEnd))
		*at = p.keep(e, false)
	}
	return *at
}

// keep puts the body of a helper behind the others and returns its index.
func (p *pass) keep(e *emitter, ranged bool) uint32 {
	p.helpers.bodies = append(p.helpers.bodies, module.Body{Code: e.out})
	p.helpers.ranges = append(p.helpers.ranges, ranged)
	return p.slow() + uint32(len(p.helpers.bodies))
}

// sized writes the call of a helper before an instruction that needs one. The
// operand that counts is the last one of all of these.
func (e *emitter) sized(in *module.Instr) {
	p, h := e.p, &e.p.helpers
	var fn uint32
	switch in.Op {
	case module.OpMemoryGrow:
		fn = p.helper(&h.memory, growMemory)
	case module.OpTableGrow:
		if h.tables == nil {
			h.tables = map[uint32]uint32{}
		}
		known := h.tables[in.X]
		fn = p.helper(&known, func(e *emitter) { growTable(e, in.X) })
		h.tables[in.X] = known
	case module.OpTableInit, module.OpTableCopy, module.OpTableFill:
		fn = p.helper(&h.entries, func(e *emitter) { e.payBy(func() {}) })
	case module.OpMemoryFill:
		fn = p.ranged(&h.fill, false)
	case module.OpMemoryCopy:
		fn = p.ranged(&h.copy, true)
	case module.OpMemoryInit:
		fn = p.helper(&h.bytes, func(e *emitter) {
			e.payBy(func() {
				e.i32(bytesShift)
				e.bytes(opI32ShrU)
			})
		})
	default:
		return // here for a point before it
	}
	e.op(module.OpCall, fn)
}

// payBy pays as many units as the operand, changed by scale, says.
func (e *emitter) payBy(scale func()) {
	e.op(module.OpGlobalGet, e.p.fuelGlobal)
	e.op(module.OpLocalGet, 0)
	scale()
	e.bytes(opI64Of32U, opI64Sub)
	e.op(module.OpGlobalSet, e.p.fuelGlobal)
}

// growMemory pays for the new pages and for moving the old ones, unless the
// memory cannot grow by so much: then the instruction only says so.
func growMemory(e *emitter) {
	most := e.p.pages
	if l, ok := e.p.m.Memory(); ok && l.HasMax {
		most = min(most, l.Max)
	}
	size := func() { e.bytes(byte(module.OpMemorySize), 0) }
	e.grow(size, most, unitsPerNewPage, unitsPerOldPage)
}

func growTable(e *emitter, table uint32) {
	most := uint32(1<<32 - 1)
	if l := e.p.m.TableAt(table).Limits; l.HasMax {
		most = l.Max
	}
	size := func() {
		e.bytes(0xfc)
		e.out = module.AppendU32(module.AppendU32(e.out, uint32(module.OpTableSize&0xff)), table)
	}
	e.grow(size, most, 1, 1)
}

// grow writes: if 0 < operand <= most - size, pay operand*fresh + size*old.
func (e *emitter) grow(size func(), most uint32, fresh, old int64) {
	e.op(module.OpLocalGet, 0)
	e.i32(int64(int32(most)))
	size()
	e.bytes(opI32Sub, opI32LeU)
	e.op(module.OpLocalGet, 0)
	e.bytes(opI32Eqz, opI32Eqz, opI32And, byte(module.OpIf), module.NoType)
	e.op(module.OpGlobalGet, e.p.fuelGlobal)
	e.op(module.OpLocalGet, 0)
	e.bytes(opI64Of32U)
	e.i64(fresh)
	e.bytes(opI64Mul)
	size()
	e.bytes(opI64Of32U)
	e.i64(old)
	e.bytes(opI64Mul, opI64Add, opI64Sub)
	e.op(module.OpGlobalSet, e.p.fuelGlobal)
	e.bytes(byte(module.OpEnd))
}

// slow returns the index of the helper that is called when the fuel or the depth
// is used up.
func (p *pass) slow() uint32 { return p.imported + 1 + uint32(len(p.m.Funcs)) }

// slowBody writes: if depth < 0, call __slice with TooDeep and trap; if fuel < 0,
// fuel = __slice(fuel).
func (p *pass) slowBody() module.Body {
	e := &emitter{p: p}
	e.op(module.OpGlobalGet, p.depthGlobal)
	e.i64(0)
	e.bytes(opI64LtS, byte(module.OpIf), module.NoType)
	e.i64(TooDeep)
	e.op(module.OpCall, p.imported)
	e.bytes(byte(module.OpUnreachable), byte(module.OpEnd))
	e.empty()
	e.bytes(byte(module.OpIf), module.NoType)
	e.fuel()
	e.op(module.OpCall, p.imported)
	e.setFuel()
	e.bytes(byte(module.OpEnd), byte(module.OpEnd))
	return module.Body{Code: e.out}
}

// addHelpers puts the helpers that were needed behind the module's functions.
func (p *pass) addHelpers() {
	p.out.Funcs = append(p.out.Funcs, p.addType(module.FuncType{}))
	p.out.Code = append(p.out.Code, p.slowBody())
	if len(p.helpers.bodies) == 0 {
		return
	}
	for _, ranged := range p.helpers.ranges {
		operands := []byte{module.I32, module.I32, module.I32}
		if !ranged {
			operands = operands[:1]
		}
		p.out.Funcs = append(p.out.Funcs, p.addType(module.FuncType{Params: operands, Results: operands}))
	}
	p.out.Code = append(p.out.Code, p.helpers.bodies...)
}
