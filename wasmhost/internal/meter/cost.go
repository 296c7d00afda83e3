package meter

import "github.com/edgeftp/edgeftp/wasmhost/internal/module"

// Costs in units; the package's comment explains them.
const (
	costCall         = 4
	costCallIndirect = 6
	costSlow         = 4 // divisions and square roots
	costVector       = 2
	costBulk         = 8
	costMemoryGrow   = 32

	localsPerUnit = 16 // of a branch
	localsAtEntry = 4  // of a call

	maxFixed         = 4096 // bytes that are paid for as a constant
	bytesShift       = 4    // log2 of the bytes of memory for a unit
	unitsPerNewPage  = 4096 // of memory.grow
	unitsPerOldPage  = 256
	wordsPerUnit     = 64 // of depth
	maxLeaf          = 64 // units of a function that does not look at the fuel
	uncountedDivisor = 4  // an uncounted chain may take this part of the depth
)

// entryCost is what a call of the function costs the function itself.
func entryCost(numLocals uint32) int { return 1 + int(numLocals)/localsAtEntry }

// sig is how many operands a function or block takes and gives.
type sig struct{ params, results int }

func (p *pass) sigOf(t module.FuncType) sig { return sig{len(t.Params), len(t.Results)} }

func (p *pass) blockSig(in *module.Instr) sig {
	switch in.Block {
	case module.NoType:
		return sig{}
	case 0:
		return p.sigOf(p.m.Types[in.X])
	}
	return sig{results: 1}
}

// cost returns the units of an instruction that stands for itself. Branches,
// returns and calls depend on what they lead to.
func cost(op module.Op) int {
	switch {
	case op < 0x40:
		switch op {
		case module.OpBlock, module.OpLoop, module.OpElse, module.OpEnd, module.OpNop:
			return 0
		}
		return 1
	case op == module.OpMemoryGrow:
		return costMemoryGrow
	case op >= 0x6d && op <= 0x70, op >= 0x7f && op <= 0x82, // i32 and i64 div, rem
		op == 0x91, op == 0x95, op == 0x9f, op == 0xa3: // sqrt and div of f32 and f64
		return costSlow
	case op.SIMD():
		return costVector
	case bulk(op):
		return costBulk
	}
	return 1
}

// bulk reports whether the time of an instruction depends on an operand.
func bulk(op module.Op) bool {
	switch op {
	case module.OpMemoryInit, module.OpMemoryCopy, module.OpMemoryFill,
		module.OpTableInit, module.OpTableCopy, module.OpTableGrow, module.OpTableFill:
		return true
	}
	return false
}

// length returns what a bulk operation after this instruction knows of its
// length: one more than the constant, or 0 if there is none.
func length(in *module.Instr) uint32 {
	if in.Op != module.OpI32Const || in.X > maxFixed {
		return 0
	}
	return in.X + 1
}

// fixedSize returns what a bulk operation on memory pays for a length that is a
// small constant, which needs no helper.
func fixedSize(op module.Op, length uint32) (units int, ok bool) {
	switch op {
	case module.OpMemoryInit, module.OpMemoryCopy, module.OpMemoryFill:
		return int(max(length, 1)-1) >> bytesShift, length > 0
	}
	return 0, false
}
