package module

import "errors"

func (d *decoder) imports(r *reader) {
	m := d.m
	for n := range r.count("imports", MaxImports) {
		i := Import{Module: r.name(), Name: r.name(), Kind: r.byte()}
		at := uint32(n)
		switch i.Kind {
		case KindFunc:
			i.Type = r.u32()
			d.index(r, "type", i.Type, len(m.Types))
			at = i.Type
		case KindTable:
			i.Table = readTable(r)
		case KindMemory:
			i.Memory = r.limits()
		case KindGlobal:
			i.Global = readGlobalType(r)
		case 4:
			r.failf("import of kind 4%s", unsupported("exceptions"))
		default:
			r.failf("import of kind %d", i.Kind)
		}
		if r.err != nil {
			return
		}
		m.Imports = append(m.Imports, i)
		m.imported[i.Kind] = append(m.imported[i.Kind], at)
	}
	if m.NumImported(KindMemory) > 1 {
		r.fail(errMemories)
	}
}

var errMemories = errors.New("more than one memory" + " (uses several memories, which policies do not get)")

func readTable(r *reader) Table { return Table{Type: r.valueType(true), Limits: r.limits()} }

func readGlobalType(r *reader) GlobalType {
	t := GlobalType{Type: r.valueType(false)}
	c := r.byte()
	if r.err == nil && c > 1 {
		r.failf("global of mutability %d", c)
	}
	t.Mutable = c == 1
	return t
}

func (d *decoder) tables(r *reader) {
	n := r.count("tables", MaxFunctions)
	d.m.Tables = make([]Table, 0, r.room(n, 3))
	for range n {
		t := readTable(r)
		if r.err != nil {
			return
		}
		d.m.Tables = append(d.m.Tables, t)
	}
}

func (d *decoder) memories(r *reader) {
	n := r.u32()
	if int64(n)+int64(d.m.NumImported(KindMemory)) > 1 {
		r.fail(errMemories)
		return
	}
	for range n {
		d.m.Memories = append(d.m.Memories, r.limits())
	}
}

func (d *decoder) globals(r *reader) {
	n := r.count("globals", MaxFunctions)
	d.m.Globals = make([]Global, 0, r.room(n, 4))
	for range n {
		g := Global{Type: readGlobalType(r)}
		g.Init = d.expr(r)
		if r.err != nil {
			return
		}
		d.m.Globals = append(d.m.Globals, g)
	}
}

func (d *decoder) exports(r *reader) {
	m := d.m
	memories := len(m.Memories) + m.NumImported(KindMemory)
	for range r.count("exports", MaxFunctions) {
		e := Export{Name: r.name(), Kind: r.byte(), Index: r.u32()}
		switch e.Kind {
		case KindFunc:
			d.index(r, "function", e.Index, m.NumFuncs())
		case KindTable:
			d.index(r, "table", e.Index, m.NumTables())
		case KindMemory:
			d.index(r, "memory", e.Index, memories)
		case KindGlobal:
			d.index(r, "global", e.Index, m.NumGlobals())
		default:
			r.failf("export of kind %d", e.Kind)
		}
		if _, twice := m.exports[e.Name]; twice {
			r.failf("export %q is given twice", e.Name)
		}
		if r.err != nil {
			return
		}
		m.exports[e.Name] = len(m.Exports)
		m.Exports = append(m.Exports, e)
	}
}

// elems reads element segments in their eight forms.
func (d *decoder) elems(r *reader) {
	n := r.count("element segments", MaxFunctions)
	d.m.Elems = make([]Elem, 0, r.room(n, 2))
	for range n {
		e := Elem{Flags: r.u32()}
		if r.err == nil && e.Flags > 7 {
			r.failf("element segment of kind %d", e.Flags)
		}
		active := e.Flags&1 == 0
		if active && e.Flags&2 != 0 {
			e.Table = r.u32()
		}
		if active {
			d.index(r, "table", e.Table, d.m.NumTables())
			e.Offset = d.expr(r)
		}
		if e.Flags&3 != 0 {
			e.Kind = d.elemKind(r, e.Exprs())
		}
		e.Count = r.u32()
		at := r.off
		for i := uint32(0); i < e.Count && r.err == nil; i++ {
			if e.Exprs() {
				d.expr(r)
				continue
			}
			d.index(r, "function", r.u32(), d.m.NumFuncs())
		}
		if r.err != nil {
			return
		}
		e.Items = r.b[at:r.off:r.off]
		d.m.Elems = append(d.m.Elems, e)
	}
}

func (d *decoder) elemKind(r *reader, exprs bool) byte {
	if exprs {
		return r.valueType(true)
	}
	c := r.byte()
	if r.err == nil && c != 0 {
		r.failf("elements of kind %d", c)
	}
	return c
}

func (d *decoder) data(r *reader) {
	n := r.count("data segments", MaxFunctions)
	d.m.Data = make([]Data, 0, r.room(n, 2))
	for range n {
		s := Data{Flags: r.u32()}
		switch {
		case r.err == nil && s.Flags > 2:
			r.failf("data segment of kind %d", s.Flags)
		case s.Flags == 2:
			s.Memory = r.u32()
		}
		if s.Flags != 1 {
			d.index(r, "memory", s.Memory, len(d.m.Memories)+d.m.NumImported(KindMemory))
			s.Offset = d.expr(r)
		}
		s.Init = r.take(r.u32())
		if r.err != nil {
			return
		}
		d.m.Data = append(d.m.Data, s)
	}
}

// expr reads a constant expression (core specification §3.3.10).
func (d *decoder) expr(r *reader) []byte {
	if r.err != nil {
		return nil
	}
	c := &Cursor{r: reader{b: r.b, off: r.off, base: r.base}}
	at := r.off
	for c.Next() {
		switch c.Op {
		case OpEnd:
			r.off = c.r.off
			return r.b[at:r.off:r.off]
		case OpGlobalGet:
			d.index(&c.r, "global", c.X, d.m.NumGlobals())
		case OpRefFunc:
			d.index(&c.r, "function", c.X, d.m.NumFuncs())
		case OpI32Const, OpI64Const, 0x43, 0x44, OpRefNull, 0xfd0c:
		default:
			c.r.failf("instruction 0x%02x in a constant expression", int(c.Op))
		}
	}
	if c.r.err == nil {
		c.r.fail(ErrTruncated)
	}
	r.err = c.r.err
	return nil
}

// code splits the code section. What the bodies hold is checked at the end, when
// everything is known that they may refer to.
func (d *decoder) code(r *reader) {
	n := r.count("functions", MaxFunctions)
	if r.err == nil && n != len(d.m.Funcs) {
		r.failf("%d bodies for %d functions", n, len(d.m.Funcs))
	}
	d.m.Code = make([]Body, 0, r.room(n, 2))
	for range n {
		if r.err != nil {
			return
		}
		size := r.u32()
		d.bodies = append(d.bodies, r.off)
		sub := r.sub(size)
		b := Body{RunCount: uint32(sub.count("kinds of locals", MaxLocals))}
		at := sub.off
		var total uint64
		for range b.RunCount {
			total += uint64(sub.u32())
			sub.valueType(false)
			if sub.err != nil {
				break
			}
		}
		if sub.err == nil {
			b.Runs, b.Code = sub.b[at:sub.off:sub.off], sub.b[sub.off:]
		}
		if total > MaxLocals {
			sub.failf("function with %d locals, at most %d are accepted", total, MaxLocals)
		}
		if r.err == nil {
			r.err = sub.err
		}
		b.NumLocals = uint32(total)
		d.m.Code = append(d.m.Code, b)
	}
}
