package module

// NameSection is the name of the custom section that holds names (core
// specification §7.4.1).
const NameSection = "name"

// FuncNames returns the names of functions by index, and the module's own name,
// from its name section. What is wrong in the section is left out: names are for
// people, and no reason to refuse a module.
func (m *Module) FuncNames() (module string, funcs map[uint32]string) {
	data, ok := m.Custom(NameSection)
	if !ok {
		return "", nil
	}
	r := &reader{b: data}
	for !r.done() {
		id := r.byte()
		sub := r.sub(r.u32())
		switch {
		case r.err != nil:
		case id == 0:
			module = sub.name()
		case id == 1 && funcs == nil:
			funcs = nameMap(sub, m.NumFuncs())
		}
	}
	return module, funcs
}

// nameMap reads pairs of an index below bound and a name.
func nameMap(r *reader, bound int) map[uint32]string {
	names := map[uint32]string{}
	for range r.count("names", bound) {
		i := r.u32()
		name := r.name()
		if r.err != nil {
			break
		}
		if int64(i) < int64(bound) && name != "" {
			names[i] = name
		}
	}
	return names
}

// NameCustom returns a name section of the module's name, if it has one, and of
// the names of the functions 0 to len(names)-1; "" is no name.
func NameCustom(module string, names []string) Custom {
	e := &encoder{}
	if module != "" {
		e.section(0, func() { e.name(module) })
	}
	count := uint32(0)
	for _, n := range names {
		if n != "" {
			count++
		}
	}
	e.section(1, func() {
		e.u32(count)
		for i, n := range names {
			if n != "" {
				e.u32(uint32(i))
				e.name(n)
			}
		}
	})
	return Custom{Name: NameSection, Data: e.out}
}
