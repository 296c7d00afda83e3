package module

import (
	"fmt"
	"strings"
)

// Bounds of the format, far above what compilers of policies make. What is not
// listed is bounded by the module's size, since each item takes a byte or more.
const (
	MaxFunctions = 100_000 // and types, globals, segments, exports
	MaxImports   = 1_000
	MaxLocals    = 50_000 // in one function, beside its parameters
	MaxValues    = 1_000  // parameters, or results, of one type
	MaxCustoms   = 1_000
	MaxNesting   = 100_000 // blocks in one another
)

// Kind is what an import or an export is (core specification §5.5.5).
type Kind = byte

// The kinds of imports and exports.
const (
	KindFunc Kind = iota
	KindTable
	KindMemory
	KindGlobal
)

// ValueType is a value type as the binary format writes it (core specification
// §5.3).
type ValueType = byte

// The value types. NoType is the empty block type.
const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
	NoType    ValueType = 0x40
)

// TypeName returns the text of a value type, "" if it is none.
func TypeName(t ValueType) string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	}
	return ""
}

// IsRef reports whether t is a reference type.
func IsRef(t ValueType) bool { return t == FuncRef || t == ExternRef }

// FuncType is the type of a function.
type FuncType struct{ Params, Results []ValueType }

// String returns the type as text, as "(i32, i64) -> i64".
func (t FuncType) String() string {
	text := "(" + typeNames(t.Params) + ")"
	if len(t.Results) > 0 {
		text += " -> " + typeNames(t.Results)
	}
	return text
}

func typeNames(types []ValueType) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = TypeName(t)
	}
	return strings.Join(names, ", ")
}

// Limits are the size bounds of a memory, in pages of 64 KiB, or of a table, in
// entries.
type Limits struct {
	Min, Max uint32 // Max only counts if HasMax
	HasMax   bool
}

// Table is a table: its kind of reference and its size.
type Table struct {
	Type   ValueType
	Limits Limits
}

// GlobalType is the type of a global.
type GlobalType struct {
	Type    ValueType
	Mutable bool
}

// Import is one import. Which of the last four fields counts is said by Kind.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         uint32 // of a function: the index of its type
	Table        Table
	Memory       Limits
	Global       GlobalType
}

// Export is one export.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
}

// Global is a global of the module's own.
type Global struct {
	Type GlobalType
	Init []byte // a constant expression, with its end
}

// Elem is an element segment (core specification §5.5.12) as it is written.
type Elem struct {
	Flags  uint32
	Table  uint32
	Offset []byte // a constant expression, of an active segment only
	Kind   byte   // where Flags say that there is one
	Count  uint32
	Items  []byte // Count expressions if Flags have bit 2, else function indices
}

// Exprs reports whether Items are expressions.
func (e Elem) Exprs() bool { return e.Flags&4 != 0 }

// Data is a data segment (core specification §5.5.14) as it is written.
type Data struct {
	Flags  uint32
	Memory uint32
	Offset []byte // a constant expression, of an active segment only
	Init   []byte
}

// Body is the code of a function. Runs are the local variables: pairs of a count
// and a type, RunCount of them.
type Body struct {
	RunCount  uint32
	Runs      []byte
	NumLocals uint32 // without the parameters
	Code      []byte // with its end
}

// Custom is a custom section.
type Custom struct {
	Name string
	Data []byte
}

// Module is a module. Slices hold what the module defines itself; indices count
// imports first.
type Module struct {
	Types     []FuncType
	Imports   []Import
	Funcs     []uint32 // type indices
	Tables    []Table
	Memories  []Limits
	Globals   []Global
	Exports   []Export
	HasStart  bool
	Start     uint32
	Elems     []Elem
	HasCount  bool // there is a data count section
	DataCount uint32
	Code      []Body
	Data      []Data
	Customs   []Custom
	// EmptyCustom is the name of a last section that has a name and nothing else,
	// "" without one. Some readers of the format stumble over it.
	EmptyCustom string

	imported [4][]uint32 // by kind; of functions: types; of others: places in Imports
	exports  map[string]int
}

// NumImported returns how many imports of a kind there are.
func (m *Module) NumImported(k Kind) int { return len(m.imported[k&3]) }

// NumFuncs returns the number of functions, imported ones included.
func (m *Module) NumFuncs() int { return m.NumImported(KindFunc) + len(m.Funcs) }

// NumGlobals returns the number of globals, imported ones included.
func (m *Module) NumGlobals() int { return m.NumImported(KindGlobal) + len(m.Globals) }

// NumTables returns the number of tables, imported ones included.
func (m *Module) NumTables() int { return m.NumImported(KindTable) + len(m.Tables) }

// TypeOf returns the type of a function. ok is false if there is no such one.
func (m *Module) TypeOf(fn uint32) (t FuncType, ok bool) {
	imported := m.imported[KindFunc]
	switch n := uint32(len(imported)); {
	case fn < n:
		fn = imported[fn]
	case fn-n < uint32(len(m.Funcs)):
		fn = m.Funcs[fn-n]
	default:
		return FuncType{}, false
	}
	if fn >= uint32(len(m.Types)) {
		return FuncType{}, false
	}
	return m.Types[fn], true
}

// TableAt returns a table by its index, which must be there.
func (m *Module) TableAt(i uint32) Table {
	imported := m.imported[KindTable]
	if n := uint32(len(imported)); i >= n {
		return m.Tables[i-n]
	}
	return m.Imports[imported[i]].Table
}

// GlobalAt returns the type of a global by its index, which must be there.
func (m *Module) GlobalAt(i uint32) GlobalType {
	imported := m.imported[KindGlobal]
	if n := uint32(len(imported)); i >= n {
		return m.Globals[i-n].Type
	}
	return m.Imports[imported[i]].Global
}

// Memory returns the limits of the memory. ok is false if there is none.
func (m *Module) Memory() (l Limits, ok bool) {
	if at := m.imported[KindMemory]; len(at) > 0 {
		return m.Imports[at[0]].Memory, true
	}
	if len(m.Memories) > 0 {
		return m.Memories[0], true
	}
	return Limits{}, false
}

// Export returns an export by its name.
func (m *Module) Export(name string) (e Export, ok bool) {
	i, ok := m.exports[name]
	if !ok {
		return Export{}, false
	}
	return m.Exports[i], true
}

// Custom returns the bytes of the first custom section of a name.
func (m *Module) Custom(name string) (data []byte, ok bool) {
	for _, c := range m.Customs {
		if c.Name == name {
			return c.Data, true
		}
	}
	return nil, false
}

// LimitTables refuses more than tables tables and any that begins with more than
// entries entries, and gives each of the others a maximum of at most that: without
// one a guest could let a table grow to 32 GiB of the server's memory, which no
// memory limit covers.
func (m *Module) LimitTables(tables int, entries uint32) error {
	if len(m.Tables) > tables {
		return fmt.Errorf("%d tables, at most %d are accepted", len(m.Tables), tables)
	}
	for i := range m.Tables {
		l := &m.Tables[i].Limits
		if l.Min > entries {
			return fmt.Errorf("table of %d entries, at most %d are accepted", l.Min, entries)
		}
		if !l.HasMax || l.Max > entries {
			l.HasMax, l.Max = true, entries
		}
	}
	return nil
}
