package meter

import "github.com/edgeftp/edgeftp/wasmhost/internal/module"

// stride is how many bytes of a fill or a copy are moved between two calls of the
// host, some tens of microseconds: nothing can stop the instruction itself.
const stride = 256 << 10

// ranged returns the index of the helper for memory.fill or memory.copy, which is
// made at its first use. It pays for the whole range, looks at the fuel, and then
// moves all but the last stride of it, with a call of the host behind each. A range
// that is not in the memory is left to the instruction, which traps before it has
// moved anything.
func (p *pass) ranged(at *uint32, copies bool) uint32 {
	if *at != 0 {
		return *at
	}
	e := &emitter{p: p}
	e.fuel()
	e.bytes(byte(module.OpLocalGet), 2)
	e.i32(bytesShift)
	e.bytes(opI32ShrU, opI64Of32U, opI64Sub)
	e.setFuel()
	e.check()
	e.more()
	e.bytes(byte(module.OpIf), module.NoType)
	e.inMemory(0)
	if copies {
		e.inMemory(1)
		e.bytes(opI32And)
	}
	e.bytes(byte(module.OpIf), module.NoType, byte(module.OpLoop), module.NoType)
	if copies {
		e.copyStride()
	} else {
		e.bytes(byte(module.OpLocalGet), 0, byte(module.OpLocalGet), 1)
		e.i32(int64(p.stride))
		e.bytes(0xfc, byte(module.OpMemoryFill&0xff), 0)
		e.shift(opI32Add, 0)
		e.shift(opI32Sub, 2)
	}
	// The host looks at the time; the fuel is paid for.
	e.fuel()
	e.op(module.OpCall, p.imported)
	e.setFuel()
	e.more()
	e.bytes(byte(module.OpBrIf), 0, byte(module.OpEnd), byte(module.OpEnd), byte(module.OpEnd))
	for operand := range byte(3) {
		e.bytes(byte(module.OpLocalGet), operand)
	}
	e.bytes(byte(module.OpEnd))
	*at = p.keep(e, true)
	return *at
}

// more puts on the stack whether more than a stride is left.
func (e *emitter) more() {
	e.bytes(byte(module.OpLocalGet), 2)
	e.i32(int64(e.p.stride))
	e.bytes(opI32GtU)
}

// inMemory puts on the stack whether the range that begins at an operand ends within
// the memory.
func (e *emitter) inMemory(operand byte) {
	e.bytes(byte(module.OpLocalGet), operand, opI64Of32U, byte(module.OpLocalGet), 2, opI64Of32U, opI64Add,
		byte(module.OpMemorySize), 0, opI64Of32U)
	e.i64(16) // log2 of a page
	e.bytes(opI64Shl, opI64LeU)
}

// shift adds a stride to an operand, or subtracts one.
func (e *emitter) shift(op, operand byte) {
	e.bytes(byte(module.OpLocalGet), operand)
	e.i32(int64(e.p.stride))
	e.bytes(op, byte(module.OpLocalSet), operand)
}

// copyStride copies one stride: the first one where the target lies before the
// source, else the last one, so that no byte is overwritten that is still to be
// copied.
func (e *emitter) copyStride() {
	copying := []byte{0xfc, byte(module.OpMemoryCopy & 0xff), 0, 0}
	e.bytes(byte(module.OpLocalGet), 0, byte(module.OpLocalGet), 1, opI32LeU, byte(module.OpIf), module.NoType)
	e.bytes(byte(module.OpLocalGet), 0, byte(module.OpLocalGet), 1)
	e.i32(int64(e.p.stride))
	e.bytes(copying...)
	e.shift(opI32Add, 0)
	e.shift(opI32Add, 1)
	e.shift(opI32Sub, 2)
	e.bytes(byte(module.OpElse))
	e.shift(opI32Sub, 2)
	for operand := range byte(2) {
		e.bytes(byte(module.OpLocalGet), operand, byte(module.OpLocalGet), 2, opI32Add)
	}
	e.i32(int64(e.p.stride))
	e.bytes(copying...)
	e.bytes(byte(module.OpEnd))
}
