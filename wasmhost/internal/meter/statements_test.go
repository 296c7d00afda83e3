package meter

import "github.com/edgeftp/edgeftp/wasmhost/internal/module"

// statement leaves the stack as it is.
func (g *generator) statement(depth int) {
	g.left--
	switch g.r.IntN(12) {
	case 0, 1:
		at := g.r.IntN(len(g.locals) - 4) // not the counters of loops
		g.value(g.locals[at], depth)
		g.op(0x21, uint32(at))
	case 2:
		g.address(depth)
		g.value(module.I64, depth)
		g.b(0x37, 3, 0)
	case 3:
		t := []byte{module.I32, module.I64, module.F64}[g.r.IntN(3)]
		at := map[byte]uint32{module.I32: 0, module.I64: 1, module.F64: 2}[t]
		g.value(t, depth)
		g.op(0x24, at)
	case 4, 5:
		g.block(g.types(3), nil, depth)
	case 6:
		results := g.types(3)
		g.block(g.types(2), results, depth)
		for range results {
			g.b(0x1a)
		}
	case 7, 8:
		g.branch(depth)
	case 9:
		g.ranges(depth)
	case 10:
		g.call(module.I32, depth)
		g.b(0x1a)
	default:
		// The form that pays ahead: an if that ends with a branch.
		g.value(module.I32, depth)
		g.b(0x04, module.NoType)
		g.labels, g.loops = append(g.labels, nil), append(g.loops, false)
		if depth < 6 && g.left > 0 {
			g.statement(depth + 2)
		}
		g.branch(depth)
		g.labels, g.loops = g.labels[:len(g.labels)-1], g.loops[:len(g.loops)-1]
		g.b(0x0b)
	}
}

// branch leaves for a block around, or not. Only forward: a branch to a loop
// without its counter might not end.
func (g *generator) branch(depth int) {
	to := g.r.IntN(len(g.labels))
	if g.backward(to) {
		to = len(g.labels) - 1
	}
	label := g.labels[len(g.labels)-1-to]
	g.values(label, depth+2)
	switch g.r.IntN(5) {
	case 0:
		g.op(0x0c, uint32(to))
	case 1:
		if to == len(g.labels)-1 {
			g.b(0x0f)
			return
		}
		fallthrough
	case 2, 3:
		g.value(module.I32, depth+2)
		g.op(0x0d, uint32(to))
		for range label {
			g.b(0x1a)
		}
	default:
		g.value(module.I32, depth+2)
		g.i32(3)
		g.b(0x71, 0x0e, 2)
		g.b(module.AppendU32(module.AppendU32(module.AppendU32(nil, uint32(to)), uint32(to)), uint32(to))...)
	}
}

// ranges uses an operation on a range of memory or of the table.
func (g *generator) ranges(depth int) {
	short := func() {
		g.value(module.I32, depth+1)
		g.i32(0xff)
		g.b(0x71)
	}
	switch g.r.IntN(7) {
	case 0:
		g.address(depth)
		g.value(module.I32, depth+1)
		short()
		g.b(0xfc, 0x0b, 0)
	case 1:
		g.address(depth)
		g.address(depth)
		short()
		g.b(0xfc, 0x0a, 0, 0)
	case 2:
		g.address(depth)
		g.b(0x41, 1, 0x41, 5, 0xfc, 0x08, 1, 0)
	case 3:
		g.value(module.I32, depth+1)
		g.b(0x41, 1, 0x71, 0x40, 0, 0x1a)
	case 4:
		g.b(0x41, 0, 0x41, 0, 0x41, 2, 0xfc, 0x0c, 1, 0) // table.init
	case 5:
		g.b(0x41, 2, 0x41, 1, 0x41, 1, 0xfc, 0x0e, 0, 0) // table.copy
	default:
		g.b(0xd0, 0x70, 0x41, 1, 0xfc, 0x0f, 0, 0x1a) // table.grow by a null
	}
}

func (g *generator) backward(to int) bool { return g.loops[len(g.labels)-1-to] }
