package module

import "errors"

// checker holds the code of functions to what the module declares.
type checker struct {
	m      *Module
	cursor Cursor
	nest   []Op // the blocks that are open, the function first
	locals uint32
}

var (
	errElse   = errors.New("else without an if")
	errAfter  = errors.New("instructions after the end of the function")
	errNoEnd  = errors.New("the function has no end")
	errDeep   = errors.New("too many blocks in one another")
	errCount  = errors.New("a data segment is used, and there is no data count section")
	errMemory = errors.New("memory is used, and there is none")
)

// body checks one function, whose bytes begin at byte base of the section.
func (c *checker) body(i, base int) error {
	b := &c.m.Code[i]
	t, ok := c.m.TypeOf(uint32(c.m.NumImported(KindFunc) + i))
	if !ok {
		return errors.New("function without a type") // decoding the section refused it
	}
	c.locals = uint32(len(t.Params)) + b.NumLocals
	cur := &c.cursor
	cur.Reset(b.Code)
	lead := len(AppendU32(nil, b.RunCount)) + len(b.Runs)
	cur.r.base = base + lead
	c.nest = append(c.nest[:0], OpBlock)
	for cur.Next() {
		if len(c.nest) == 0 {
			cur.r.off = cur.Start
			cur.r.fail(errAfter)
			break
		}
		c.instr()
	}
	if cur.r.err == nil && len(c.nest) > 0 {
		cur.r.fail(errNoEnd)
	}
	return cur.r.err
}

func (c *checker) below(what string, i uint32, bound int) {
	if int64(i) >= int64(bound) {
		c.cursor.r.failf("there is no %s %d", what, i)
	}
}

// instr checks the instruction at the cursor.
func (c *checker) instr() {
	in, m := &c.cursor.Instr, c.m
	switch letter := in.Op.operand(); letter {
	case '.':
		c.structure()
	case 'b':
		c.open()
	case 'v':
		c.below("local", in.X, int(c.locals))
	case 'l':
		c.below("label", in.X, len(c.nest))
	case 't':
		for rest := in.Targets; len(rest) > 0; {
			v, n := U32(rest)
			rest = rest[n:]
			c.below("label", v, len(c.nest))
		}
	case 'f':
		c.below("function", in.X, m.NumFuncs())
	case 'i':
		c.below("type", in.X, len(m.Types))
		c.below("table", in.Y, m.NumTables())
	case 'g':
		c.below("global", in.X, m.NumGlobals())
	case 'T':
		c.below("table", in.X, m.NumTables())
	case 'C':
		c.below("table", max(in.X, in.Y), m.NumTables())
	case 'I':
		c.below("element segment", in.X, len(m.Elems))
		c.below("table", in.Y, m.NumTables())
	case 'e':
		c.below("element segment", in.X, len(m.Elems))
	case 'D', 'd':
		if !m.HasCount {
			c.cursor.r.fail(errCount)
		}
		c.below("data segment", in.X, len(m.Data))
		c.memory(letter == 'D')
	case 'm', 'y', '0', 'M':
		c.memory(true)
	}
}

func (c *checker) memory(needed bool) {
	if _, ok := c.m.Memory(); needed && !ok {
		c.cursor.r.fail(errMemory)
	}
}

// structure follows the blocks.
func (c *checker) structure() {
	switch top := len(c.nest) - 1; c.cursor.Op {
	case OpElse:
		if c.nest[top] != OpIf {
			c.cursor.r.fail(errElse)
		}
		c.nest[top] = OpElse // a second one has no if
	case OpEnd:
		c.nest = c.nest[:top]
	}
}

func (c *checker) open() {
	if c.cursor.Block == 0 {
		c.below("type", c.cursor.X, len(c.m.Types))
	}
	if len(c.nest) >= MaxNesting {
		c.cursor.r.fail(errDeep)
	}
	c.nest = append(c.nest, c.cursor.Op)
}
