package meter

import (
	"errors"

	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// sizeFactor bounds how much a module may grow.
const sizeFactor = 4

var errSize = errors.New("it would become more than four times as large: it has too many loops and branches for its size")

// code rewrites every function.
func (p *pass) code() error {
	total := 0
	for i := range p.m.Code {
		total += len(p.m.Code[i].Code)
	}
	p.budget = sizeFactor*total + 1<<16
	e := &emitter{p: p, plan: plan{p: p}, out: make([]byte, 0, total+total/4)}
	list := make([]module.Body, len(p.m.Code))
	for i := range p.m.Code {
		body, err := e.function(i)
		if err != nil {
			return err
		}
		list[i] = body
	}
	p.out.Code = list
	p.out.Funcs = append(make([]uint32, 0, len(p.m.Funcs)+4), p.m.Funcs...)
	return nil
}

// emitter writes functions anew. Their code lies in one buffer, one behind the
// other.
type emitter struct {
	p      *pass
	plan   plan
	cursor module.Cursor
	out    []byte
	used   int // of the budget
	next   int // the next of the plan's points
	loop   int // the next of the plan's loops
	nest   []emitBlock
	level  uint32 // how many blocks are open in the new code
	fn     *function
	// held is how many loops are open of which the outermost, that calls nothing,
	// keeps a copy of the fuel in a local variable; used says that there is one.
	held    int
	holding bool
	prior   uint32 // see length
}

type emitBlock struct {
	op    module.Op
	level uint32 // of its label
	outer bool   // a loop of its own stands around it, see openLoop
}

func (e *emitter) bytes(b ...byte) { e.out = append(e.out, b...) }
func (e *emitter) op(op module.Op, x uint32) {
	e.out = module.AppendU32(append(e.out, byte(op)), x)
}
func (e *emitter) i64(v int64) { e.out = module.AppendS64(append(e.out, byte(module.OpI64Const)), v) }
func (e *emitter) i32(v int64) { e.out = module.AppendS64(append(e.out, byte(module.OpI32Const)), v) }

// Instructions that only the added code uses by name.
const (
	opI32Eqz   = 0x45
	opI32GtU   = 0x4b
	opI32LeU   = 0x4d
	opI64LeU   = 0x58
	opI32Add   = 0x6a
	opI64Shl   = 0x86
	opI64LtS   = 0x53
	opI32Sub   = 0x6b
	opI32And   = 0x71
	opI32ShrU  = 0x76
	opI64Add   = 0x7c
	opI64Sub   = 0x7d
	opI64Mul   = 0x7e
	opI64Of32U = 0xad
)

// function writes one function.
func (e *emitter) function(i int) (module.Body, error) {
	e.plan.function(i)
	body := e.p.m.Code[i]
	e.fn = &e.p.funcs[i]
	start := len(e.out)
	e.held, e.holding = 0, false
	e.next, e.loop, e.level, e.nest = 0, 0, 0, append(e.nest[:0], emitBlock{op: module.OpBlock})
	if e.fn.counted {
		t, _ := e.p.m.TypeOf(e.p.imported + uint32(i))
		e.enter(t)
	}
	e.cursor.Reset(body.Code)
	copied := 0 // the code up to here is written
	for e.prior = 0; e.cursor.Next(); e.prior = length(&e.cursor.Instr) {
		in := &e.cursor.Instr
		if e.pointAt(in.Start) || e.changes(in) {
			e.out = append(e.out, body.Code[copied:in.Start]...)
			e.points(in.Start)
			copied = in.End
			e.instr(in, body.Code[in.Start:in.End])
			if e.used+len(e.out)-start > e.p.budget {
				return body, errSize
			}
		}
	}
	e.used += len(e.out) - start
	body.Code = e.out[start:len(e.out):len(e.out)]
	if e.holding {
		body.RunCount++
		body.Runs = append(body.Runs[:len(body.Runs):len(body.Runs)], 1, module.I64)
	}
	return body, e.cursor.Err()
}

func (e *emitter) pointAt(at int) bool {
	return e.next < len(e.plan.points) && e.plan.points[e.next].at <= at
}

// changes reports whether an instruction is not simply copied.
func (e *emitter) changes(in *module.Instr) bool {
	switch in.Op {
	case module.OpBlock, module.OpLoop, module.OpIf, module.OpEnd, module.OpBr, module.OpBrIf, module.OpBrTable,
		module.OpReturn, module.OpCall, module.OpRefFunc, module.OpMemoryGrow:
		return true
	}
	return bulk(in.Op)
}

// points writes what is to be paid before the instruction at this place.
func (e *emitter) points(at int) {
	for ; e.pointAt(at); e.next++ {
		pt := e.plan.points[e.next]
		if units := pt.pays(); units != 0 {
			e.pay(int64(units))
		}
		if pt.check {
			e.check()
		}
	}
}

// pay takes units from the fuel.
func (e *emitter) pay(units int64) {
	e.fuel()
	e.i64(units)
	e.bytes(opI64Sub)
	e.setFuel()
}

// fuel puts what is left on the stack.
func (e *emitter) fuel() {
	if e.held > 0 {
		e.op(module.OpLocalGet, e.fn.all())
		return
	}
	e.op(module.OpGlobalGet, e.p.fuelGlobal)
}

// setFuel takes what is left from the stack.
func (e *emitter) setFuel() {
	if e.held > 0 {
		e.op(module.OpLocalTee, e.fn.all())
	}
	e.op(module.OpGlobalSet, e.p.fuelGlobal)
}

// empty puts on the stack whether the slice is used up.
func (e *emitter) empty() {
	e.fuel()
	e.i64(0)
	e.bytes(opI64LtS)
}

// check asks the host for the next slice if this one is used up.
func (e *emitter) check() {
	e.empty()
	e.refuel()
}

// refuel calls the helper that asks for the next slice if what is on the stack is
// not 0.
func (e *emitter) refuel() {
	e.bytes(byte(module.OpIf), module.NoType)
	e.op(module.OpCall, e.p.slow())
	if e.held > 0 {
		e.op(module.OpGlobalGet, e.p.fuelGlobal)
		e.op(module.OpLocalSet, e.fn.all())
	}
	e.bytes(byte(module.OpEnd))
}

// enter takes the frame's weight from the depth, and opens a block around the
// function's body. A branch to the function itself then leads to the end of that
// block, where the weight is given back.
func (e *emitter) enter(t module.FuncType) {
	e.weigh(opI64Sub)
	e.op(module.OpGlobalGet, e.p.depthGlobal)
	e.i64(0)
	e.bytes(opI64LtS)
	e.refuel()
	e.bytes(byte(module.OpBlock))
	switch len(t.Results) {
	case 0:
		e.bytes(module.NoType)
	case 1:
		e.bytes(t.Results[0])
	default:
		e.out = module.AppendS64(e.out, int64(e.p.addType(module.FuncType{Results: t.Results})))
	}
}

func (e *emitter) weigh(op byte) {
	e.op(module.OpGlobalGet, e.p.depthGlobal)
	e.i64(int64(e.fn.weight))
	e.bytes(op)
	e.op(module.OpGlobalSet, e.p.depthGlobal)
}

// instr writes one instruction that may not be copied.
func (e *emitter) instr(in *module.Instr, text []byte) {
	switch in.Op {
	case module.OpBlock, module.OpIf:
		e.open(in.Op, text)
	case module.OpLoop:
		e.openLoop(in, text)
	case module.OpEnd:
		e.end()
	case module.OpBr, module.OpBrIf:
		e.op(in.Op, e.label(in.X))
	case module.OpBrTable:
		e.out = module.AppendU32(append(e.out, byte(in.Op)), in.X)
		for rest := in.Targets; len(rest) > 0; {
			v, n := module.U32(rest)
			rest = rest[n:]
			e.out = module.AppendU32(e.out, e.label(v))
		}
	case module.OpReturn:
		if !e.fn.counted {
			e.bytes(byte(in.Op))
			return
		}
		e.op(module.OpBr, e.level)
	case module.OpCall, module.OpRefFunc:
		e.op(in.Op, e.p.fn(in.X))
	default:
		if _, ok := fixedSize(in.Op, e.prior); !ok {
			e.sized(in)
		}
		e.out = append(e.out, text...)
	}
}

// label returns what a label is in the new code, where more blocks are open.
func (e *emitter) label(l uint32) uint32 {
	return e.level - e.nest[len(e.nest)-1-int(l)].level
}

func (e *emitter) open(op module.Op, text []byte) {
	e.level++
	e.nest = append(e.nest, emitBlock{op: op, level: e.level})
	e.out = append(e.out, text...)
}

// openLoop opens a loop. One that calls nothing gets a second loop around it,
// where the host is asked for the next slice: so the loop itself still calls
// nothing, and the compiler can keep its variables in registers.
func (e *emitter) openLoop(in *module.Instr, text []byte) {
	live := e.pointAt(in.End)
	if !live {
		e.open(in.Op, text)
		return
	}
	calls := e.plan.calls[e.loop]
	e.loop++
	if calls {
		e.open(in.Op, text)
		return
	}
	e.out = append(e.out, text...)
	e.check()
	if e.held++; e.held == 1 {
		e.holding = true
		e.op(module.OpGlobalGet, e.p.fuelGlobal)
		e.op(module.OpLocalSet, e.fn.all())
	}
	e.level++
	e.open(in.Op, text)
	e.nest[len(e.nest)-1].outer = true
	e.empty()
	e.op(module.OpBrIf, 1)
	e.plan.points[e.next].check = false
}

func (e *emitter) end() {
	top := e.nest[len(e.nest)-1]
	e.nest = e.nest[:len(e.nest)-1]
	e.bytes(byte(module.OpEnd))
	switch {
	case len(e.nest) == 0:
		if e.fn.counted {
			e.weigh(opI64Add)
			e.bytes(byte(module.OpEnd))
		}
		return
	case top.outer:
		e.held--
		e.level--
		e.bytes(byte(module.OpEnd))
	}
	e.level--
}
