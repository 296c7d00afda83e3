package module

import "fmt"

// ExportGlobals exports every mutable global that the module defines, under
// prefix and its index, and returns the names: so the host can put them back to
// what they were. A name that is taken is left to its owner, and not returned.
func (m *Module) ExportGlobals(prefix string) (names []string) {
	first := m.NumImported(KindGlobal)
	for i, g := range m.Globals {
		name := fmt.Sprintf("%s%d", prefix, first+i)
		if _, taken := m.exports[name]; taken || !g.Type.Mutable || IsRef(g.Type.Type) || g.Type.Type == V128 {
			continue
		}
		m.exports[name] = len(m.Exports)
		m.Exports = append(m.Exports, Export{Name: name, Kind: KindGlobal, Index: uint32(first + i)})
		names = append(names, name)
	}
	return names
}

// Resets reports whether putting back memory and numeric globals puts the whole
// module back: it changes no table, drops no segment, and has no global of another
// kind that changes.
func (m *Module) Resets() bool {
	for _, g := range m.Globals {
		if g.Type.Mutable && (IsRef(g.Type.Type) || g.Type.Type == V128) {
			return false
		}
	}
	c := &Cursor{}
	for i := range m.Code {
		c.Reset(m.Code[i].Code)
		for c.Next() {
			switch c.Op {
			case opTableSet, OpTableGrow, OpTableFill, OpTableCopy, OpTableInit, OpElemDrop, OpDataDrop:
				return false
			}
		}
	}
	return true
}

// opTableSet is table.set.
const opTableSet Op = 0x26
