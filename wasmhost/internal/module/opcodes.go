package module

import "fmt"

// Op is an instruction: its byte, or 0xfc00 or 0xfd00 and the number that follows
// such a byte (core specification §5.4).
type Op uint16

// The instructions that a pass over code has to know by name.
const (
	OpUnreachable  Op = 0x00
	OpNop          Op = 0x01
	OpBlock        Op = 0x02
	OpLoop         Op = 0x03
	OpIf           Op = 0x04
	OpElse         Op = 0x05
	OpEnd          Op = 0x0b
	OpBr           Op = 0x0c
	OpBrIf         Op = 0x0d
	OpBrTable      Op = 0x0e
	OpReturn       Op = 0x0f
	OpCall         Op = 0x10
	OpCallIndirect Op = 0x11
	OpDrop         Op = 0x1a
	OpLocalGet     Op = 0x20
	OpLocalSet     Op = 0x21
	OpLocalTee     Op = 0x22
	OpGlobalGet    Op = 0x23
	OpGlobalSet    Op = 0x24
	OpMemorySize   Op = 0x3f
	OpMemoryGrow   Op = 0x40
	OpI32Const     Op = 0x41
	OpI64Const     Op = 0x42
	OpRefNull      Op = 0xd0
	OpRefFunc      Op = 0xd2
	OpMemoryInit   Op = 0xfc08
	OpDataDrop     Op = 0xfc09
	OpMemoryCopy   Op = 0xfc0a
	OpMemoryFill   Op = 0xfc0b
	OpTableInit    Op = 0xfc0c
	OpElemDrop     Op = 0xfc0d
	OpTableCopy    Op = 0xfc0e
	OpTableGrow    Op = 0xfc0f
	OpTableSize    Op = 0xfc10
	OpTableFill    Op = 0xfc11
)

// What follows each instruction, one letter for each:
//
//	.  nothing           b  block type       l  label
//	t  table of labels   f  function         i  type and table
//	v  local             g  global           T  table
//	m  alignment, offset 0  the memory       M  the memory twice
//	3  i32   6  i64      4  f32   8  f64     s  value types
//	n  reference type    D  data, memory     d  data
//	I  element, table    e  element          C  two tables
//	k  16 bytes          a  lane             y  alignment, offset, lane
//	c  d  the prefixes 0xfc and 0xfd
//
// Capitals that stand for proposals which are not part of version 2.0:
// E exceptions, R tail calls, Y typed function references, G garbage collection,
// A threads. x is nothing at all.
const (
	operands = "..bbb.EEEEE.llt." + "fiRRYYxxEE..sxxE" + "vvvggTTxmmmmmmmm" + "mmmmmmmmmmmmmmm0" +
		"03648..........." + "................" + "................" + "................" +
		"................" + "................" + "................" + "................" +
		".....xxxxxxxxxxx" + "n.fGYYYxxxxxxxxx" + "xxxxxxxxxxxxxxxx" + "xxxxxxxxxxxGcdAx"
	operandsFC = "........DdM0IeCTTT"
	operandsFD = "mmmmmmmmmmmmkk.." + ".....aaaaaaaaaaa" + "aaa............." + "................" +
		"................" + "....yyyyyyyymm.." // and nothing after the others
)

// What each instruction takes from the stack of operands and puts there:
//
//	0  nothing        c  puts one       u  takes one, puts one
//	b  two for one    t  three for one  d  takes one
//	s  takes two      3  takes three    *  as its operand says
//	x  there is no such instruction
const (
	effects = "*0**************" + "**********dtt***" + "cducdus*uuuuuuuu" + "uuuuuusssssssssc" +
		"uccccubbbbbbbbbb" + "ubbbbbbbbbbbbbbb" + "bbbbbbbuuubbbbbb" + "bbbbbbbbbuuubbbb" +
		"bbbbbbbbbbbuuuuu" + "uubbbbbbbuuuuuuu" + "bbbbbbbuuuuuuuuu" + "uuuuuuuuuuuuuuuu" +
		"uuuuuxxxxxxxxxxx" + "cucxxxxxxxxxxxxx"
	effectsFC = "uuuuuuuu3033303bc3"
	effectsFD = "uuuuuuuuuuuscbbu" + "uuuuuuubuubububu" + "bubbbbbbbbbbbbbb" + "bbbbbbbbbbbbbbbb" +
		"bbbbbbbbbbbbbubb" + "bbtubbbbssssuuuu" + "uuuuubbuuuubbbbb" + "bbbbuubbbbubuuuu" +
		"uubuubbuuuubbbbb" + "bbbbubbbbbxbbbbb" + "uuxuuxxuuuubbbbx" + "xbxxxbbbbbbxbbbb" +
		"uuxuuxxuuuubbbbx" + "xbxxxbbbbbbbbbbb" + "uuxubbbbbbbbuuxu" + "bbbbbbbbuuuuuuuu"
)

// operand returns the letter of what follows an instruction.
func (op Op) operand() byte {
	sub := int(op & 0xff)
	switch op >> 8 {
	case 0:
		return operands[sub]
	case 0xfc:
		if sub < len(operandsFC) {
			return operandsFC[sub]
		}
	case 0xfd:
		if effectsFD[sub] == 'x' {
			return 'x'
		}
		if sub < len(operandsFD) {
			return operandsFD[sub]
		}
		return '.'
	}
	return 'x'
}

// Effect returns how many operands an instruction takes from the stack and puts
// there. ok is false where that depends on what follows it: blocks, branches,
// calls.
func (op Op) Effect() (pops, pushes int, ok bool) {
	c, sub := byte('x'), int(op&0xff)
	switch {
	case op>>8 == 0 && sub < len(effects):
		c = effects[sub]
	case op>>8 == 0xfc && sub < len(effectsFC):
		c = effectsFC[sub]
	case op>>8 == 0xfd:
		c = effectsFD[sub]
	}
	switch c {
	case '0':
		return 0, 0, true
	case 'c':
		return 0, 1, true
	case 'u':
		return 1, 1, true
	case 'b':
		return 2, 1, true
	case 't':
		return 3, 1, true
	case 'd':
		return 1, 0, true
	case 's':
		return 2, 0, true
	case '3':
		return 3, 0, true
	}
	return 0, 0, false
}

// SIMD reports whether the instruction is one of vectors.
func (op Op) SIMD() bool { return op>>8 == 0xfd }

func unsupported(proposal string) string {
	return fmt.Sprintf(" (uses %s, which policies do not get)", proposal)
}

// proposal names where an instruction comes from that version 2.0 does not have.
func (op Op) proposal() string {
	switch op.operand() {
	case 'E':
		return unsupported("exceptions")
	case 'R':
		return unsupported("tail calls")
	case 'Y':
		return unsupported("typed function references")
	case 'G':
		return unsupported("garbage collection")
	case 'A':
		return unsupported("threads (atomic instructions)")
	}
	return ""
}
