package module

// Instr is one instruction with what follows it.
type Instr struct {
	Op         Op
	Start, End int    // where it lies in the code
	X, Y       uint32 // indices in the order of the format; a label; a count; an i32
	// Block is the block type of block, loop and if: a value type, NoType, or 0 if
	// X is the index of a function type. Of ref.null and a typed select it is the
	// (last) type.
	Block ValueType
	// Targets are the labels of br_table: X of them and the default one.
	Targets []byte
}

// Cursor steps through the instructions of an expression. It only checks what it
// needs to find the next one.
type Cursor struct {
	Instr
	r reader
}

// NewCursor returns a cursor before the first instruction of code.
func NewCursor(code []byte) *Cursor { return &Cursor{r: reader{b: code}} }

// Reset places the cursor before the first instruction of code.
func (c *Cursor) Reset(code []byte) { *c = Cursor{r: reader{b: code}} }

// Err returns why Next returned false, nil at the end of the code.
func (c *Cursor) Err() error { return c.r.err }

// Next reads the next instruction. It returns false at the end and at an error.
func (c *Cursor) Next() bool {
	r := &c.r
	if r.done() {
		return false
	}
	in := &c.Instr
	in.Start = r.off
	in.Op = Op(r.byte())
	letter := in.Op.operand()
	if letter == 'c' || letter == 'd' {
		letter = c.prefixed()
	}
	c.operands(letter)
	if r.err != nil {
		return false
	}
	in.End = r.off
	return true
}

// prefixed reads the number of an instruction of two parts.
func (c *Cursor) prefixed() byte {
	sub := c.r.u32()
	switch {
	case sub > 0xff && c.Op == 0xfd:
		c.r.failf("instruction 0xfd %d%s", sub, unsupported("relaxed SIMD"))
		return '.'
	case sub > 0xff:
		c.r.failf("there is no instruction 0x%02x %d", int(c.Op), sub)
		return '.'
	}
	c.Op = c.Op<<8 | Op(sub)
	return c.Op.operand()
}

// operands reads what follows an instruction.
func (c *Cursor) operands(letter byte) {
	r := &c.r
	switch letter {
	case '.':
	case 'l', 'f', 'v', 'g', 'T', 'd', 'e':
		c.X = r.u32()
	case '3':
		c.X = uint32(r.signed(32))
	case 'm':
		c.memarg()
	case 'b':
		c.blockType()
	case 'i', 'I', 'C':
		c.X, c.Y = r.u32(), r.u32()
	case '6':
		r.signed(64)
	case '4':
		r.take(4)
	case '8':
		r.take(8)
	case 't':
		c.labels()
	default:
		c.rareOperands(letter)
	}
}

func (c *Cursor) rareOperands(letter byte) {
	r := &c.r
	switch letter {
	case '0':
		c.memory()
	case 'M':
		c.memory()
		c.memory()
	case 'D':
		c.X = r.u32()
		c.memory()
	case 's':
		for range r.count("types of a select", 1) {
			c.Block = r.valueType(false)
		}
	case 'n':
		c.Block = r.valueType(true)
	case 'k':
		r.take(16)
	case 'a':
		r.byte()
	case 'y':
		c.memarg()
		r.byte()
	default:
		r.off = c.Start
		if proposal := c.Op.proposal(); proposal != "" {
			r.failf("instruction 0x%02x%s", int(c.Op), proposal)
			return
		}
		r.failf("there is no instruction 0x%02x", int(c.Op))
	}
}

func (c *Cursor) memory() {
	if i := c.r.byte(); i != 0 {
		c.r.failf("memory %d%s", i, unsupported("several memories"))
	}
}

func (c *Cursor) memarg() {
	c.X = c.r.u32()
	if c.X >= 64 && c.X < 128 {
		c.r.failf("alignment %d%s", c.X, unsupported("several memories"))
	}
	c.Y = c.r.u32()
}

// blockType reads a block type: one byte, or an index as a number of 33 bits.
func (c *Cursor) blockType() {
	r := &c.r
	if r.off < len(r.b) && (r.b[r.off] == NoType || TypeName(r.b[r.off]) != "") {
		c.Block = r.byte()
		return
	}
	at := r.off
	i := r.signed(33)
	if r.err == nil && (i < 0 || i > 0xffffffff) {
		r.off = at
		r.failf("block type 0x%02x%s", r.b[at], typeProposal(r.b[at]))
	}
	c.Block, c.X = 0, uint32(i)
}

func (c *Cursor) labels() {
	r := &c.r
	c.X = uint32(r.count("labels", len(r.b)))
	at := r.off
	for range int64(c.X) + 1 {
		r.u32()
		if r.err != nil {
			return
		}
	}
	c.Targets = r.b[at:r.off]
}
