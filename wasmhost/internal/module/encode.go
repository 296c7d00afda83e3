package module

// Encode writes a module. Custom sections stand at the end; a table limit that
// [Module.LimitTables] set is written.
func (m *Module) Encode() []byte {
	e := &encoder{out: append(make([]byte, 0, m.size()), header...)}
	e.vector(secType, len(m.Types), func(i int) {
		e.byte(0x60)
		e.bytes(m.Types[i].Params)
		e.bytes(m.Types[i].Results)
	})
	e.vector(secImport, len(m.Imports), func(i int) { e.imported(&m.Imports[i]) })
	e.vector(secFunc, len(m.Funcs), func(i int) { e.u32(m.Funcs[i]) })
	e.vector(secTable, len(m.Tables), func(i int) { e.table(m.Tables[i]) })
	e.vector(secMemory, len(m.Memories), func(i int) { e.limits(m.Memories[i]) })
	e.vector(secGlobal, len(m.Globals), func(i int) {
		e.globalType(m.Globals[i].Type)
		e.raw(m.Globals[i].Init)
	})
	e.vector(secExport, len(m.Exports), func(i int) {
		e.name(m.Exports[i].Name)
		e.byte(m.Exports[i].Kind)
		e.u32(m.Exports[i].Index)
	})
	if m.HasStart {
		e.section(secStart, func() { e.u32(m.Start) })
	}
	e.vector(secElem, len(m.Elems), func(i int) { e.elem(&m.Elems[i]) })
	if m.HasCount {
		e.section(secDataCount, func() { e.u32(m.DataCount) })
	}
	e.vector(secCode, len(m.Code), func(i int) { e.body(&m.Code[i]) })
	e.vector(secData, len(m.Data), func(i int) { e.data(&m.Data[i]) })
	for _, c := range m.Customs {
		e.section(secCustom, func() {
			e.name(c.Name)
			e.raw(c.Data)
		})
	}
	return e.out
}

// size is about how many bytes the module takes, rather too many.
func (m *Module) size() int {
	n := 1024 + 16*(len(m.Types)+len(m.Funcs)+len(m.Exports)+len(m.Globals))
	for i := range m.Code {
		n += len(m.Code[i].Code) + len(m.Code[i].Runs) + 8
	}
	for i := range m.Data {
		n += len(m.Data[i].Init) + 16
	}
	for i := range m.Elems {
		n += len(m.Elems[i].Items) + 16
	}
	for _, c := range m.Customs {
		n += len(c.Data) + len(c.Name) + 16
	}
	return n
}

type encoder struct{ out []byte }

func (e *encoder) byte(c byte)  { e.out = append(e.out, c) }
func (e *encoder) u32(v uint32) { e.out = AppendU32(e.out, v) }
func (e *encoder) raw(b []byte) { e.out = append(e.out, b...) }
func (e *encoder) bytes(b []byte) {
	e.u32(uint32(len(b)))
	e.raw(b)
}

func (e *encoder) name(s string) {
	e.u32(uint32(len(s)))
	e.out = append(e.out, s...)
}

// section writes a section. Its size stands before it in five bytes until it is
// known, and is then written as short as it can be.
func (e *encoder) section(id byte, write func()) {
	e.byte(id)
	at := len(e.out)
	e.raw([]byte{0, 0, 0, 0, 0})
	start := len(e.out)
	write()
	size := AppendU32(nil, uint32(len(e.out)-start))
	n := copy(e.out[at+len(size):], e.out[start:])
	copy(e.out[at:], size)
	e.out = e.out[:at+len(size)+n]
}

// vector writes a section of n items, none if there is no item.
func (e *encoder) vector(id byte, n int, write func(int)) {
	if n == 0 {
		return
	}
	e.section(id, func() {
		e.u32(uint32(n))
		for i := range n {
			write(i)
		}
	})
}

func (e *encoder) imported(i *Import) {
	e.name(i.Module)
	e.name(i.Name)
	e.byte(i.Kind)
	switch i.Kind {
	case KindFunc:
		e.u32(i.Type)
	case KindTable:
		e.table(i.Table)
	case KindMemory:
		e.limits(i.Memory)
	case KindGlobal:
		e.globalType(i.Global)
	}
}

func (e *encoder) table(t Table) {
	e.byte(t.Type)
	e.limits(t.Limits)
}

func (e *encoder) limits(l Limits) {
	if !l.HasMax {
		e.byte(0)
		e.u32(l.Min)
		return
	}
	e.byte(1)
	e.u32(l.Min)
	e.u32(l.Max)
}

func (e *encoder) globalType(t GlobalType) {
	e.byte(t.Type)
	if t.Mutable {
		e.byte(1)
		return
	}
	e.byte(0)
}

func (e *encoder) elem(s *Elem) {
	e.u32(s.Flags)
	if s.Flags&1 == 0 {
		if s.Flags&2 != 0 {
			e.u32(s.Table)
		}
		e.raw(s.Offset)
	}
	if s.Flags&3 != 0 {
		e.byte(s.Kind)
	}
	e.u32(s.Count)
	e.raw(s.Items)
}

func (e *encoder) data(s *Data) {
	e.u32(s.Flags)
	if s.Flags == 2 {
		e.u32(s.Memory)
	}
	if s.Flags != 1 {
		e.raw(s.Offset)
	}
	e.bytes(s.Init)
}

func (e *encoder) body(b *Body) {
	e.u32(uint32(len(AppendU32(nil, b.RunCount)) + len(b.Runs) + len(b.Code)))
	e.u32(b.RunCount)
	e.raw(b.Runs)
	e.raw(b.Code)
}
