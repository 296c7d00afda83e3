package wasmhost

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Bounds of the format, far above what compilers of policies make. What is not
// listed is bounded by the module's size, since each item takes a byte or more.
const (
	maxFunctions    = 100_000
	maxImports      = 1_000
	maxTables       = 4
	maxTableEntries = 1 << 18 // 2 MiB of pointers
	maxLocals       = 50_000  // in one function
)

// Numbers of sections and of kinds of imports and exports (core specification
// §5.5).
const (
	secCustom = 0
	secType   = 1
	secImport = 2
	secFunc   = 3
	secTable  = 4
	secMemory = 5
	secExport = 7
	secStart  = 8
	secCode   = 10

	kindFunc   = 0
	kindTable  = 1
	kindMemory = 2
	kindGlobal = 3
)

// module is what the host needs to know of a module before it is compiled.
type module struct {
	code     []byte   // the bytes to compile: table limits are made explicit
	types    []string // function types as text: "(i32) -> i64"
	imports  []imported
	funcs    []uint32 // types of all functions, imported ones first
	exports  map[string]exported
	memories []limits
	start    bool
	manifest []byte // nil without one
	// emptyCustom is the name of a last section that has a name and nothing else.
	emptyCustom string
	seen        [256]bool // sections that were there
}

type imported struct {
	module, name string
	kind         byte
	typ          uint32
}

type exported struct {
	kind  byte
	index uint32
}

// typeOf returns the type of a function as text, "" if there is no such
// function.
func (m *module) typeOf(fn uint32) string {
	if int64(fn) >= int64(len(m.funcs)) || int64(m.funcs[fn]) >= int64(len(m.types)) {
		return ""
	}
	return m.types[m.funcs[fn]]
}

// parse reads the sections that matter. The bytes must begin with the header of
// a core module (see [checkHeader]).
func parse(code []byte) (*module, error) {
	m := &module{exports: map[string]exported{}}
	r := &reader{b: code, off: 8}
	out := bytes.NewBuffer(make([]byte, 0, len(code)+64))
	out.Write(code[:8])
	for !r.done() {
		at := r.off
		id := r.byte()
		body := r.take(r.u32())
		if r.err != nil {
			break
		}
		rewritten, err := m.section(id, body)
		if err != nil {
			return nil, fmt.Errorf("section %d %w", id, err)
		}
		if rewritten == nil {
			out.Write(code[at:r.off])
			continue
		}
		out.WriteByte(id)
		out.Write(appendU32(nil, uint32(len(rewritten))))
		out.Write(rewritten)
	}
	if r.err != nil {
		return nil, fmt.Errorf("section %w", r.err)
	}
	m.code = out.Bytes()
	return m, nil
}

// section reads one section; it returns other bytes for it where the host
// narrows what the module declares.
func (m *module) section(id byte, body []byte) ([]byte, error) {
	r := &reader{b: body}
	m.emptyCustom = ""
	var rewritten []byte
	// A second section of one kind must not say something else than the first,
	// which was vetted.
	if id != secCustom && m.seen[id] {
		return nil, errors.New("is there twice")
	}
	m.seen[id] = true
	switch id {
	case secCustom:
		m.custom(r)
		return nil, r.err // the rest of a custom section may be anything
	case secType:
		m.readTypes(r)
	case secImport:
		m.readImports(r)
	case secFunc:
		for range r.count("functions", maxFunctions) {
			m.funcs = append(m.funcs, r.u32())
		}
	case secTable:
		rewritten = m.readTables(r)
	case secMemory:
		for range r.count("memories", 1) {
			m.memories = append(m.memories, r.limits())
		}
	case secExport:
		m.readExports(r)
	case secStart:
		m.start = true
		r.u32()
	case secCode:
		readBodies(r)
	default:
		return nil, nil
	}
	if r.err == nil && r.off != len(body) {
		r.fail(errors.New("bytes left over"))
	}
	return rewritten, r.err
}

func (m *module) custom(r *reader) {
	name := r.name()
	rest := r.b[min(r.off, len(r.b)):]
	if r.err == nil && len(rest) == 0 {
		m.emptyCustom = name
		if name == "" {
			m.emptyCustom = `""`
		}
	}
	if name == abi.ManifestSection {
		if m.manifest != nil {
			r.fail(fmt.Errorf("%s is there twice", name))
		}
		m.manifest = rest
	}
}

func (m *module) readTypes(r *reader) {
	for range r.count("types", maxFunctions) {
		if form := r.byte(); r.err == nil && form != 0x60 {
			r.fail(fmt.Errorf("type of form 0x%02x", form))
		}
		params := valueTypes(r)
		results := valueTypes(r)
		text := "(" + params + ")"
		if results != "" {
			text += " -> " + results
		}
		if r.err != nil {
			return
		}
		m.types = append(m.types, text)
	}
}

// valueTypes reads a vector of value types as text.
func valueTypes(r *reader) string {
	var names []string
	for range r.count("values", 1000) {
		c := r.byte()
		name, ok := map[byte]string{0x7f: "i32", 0x7e: "i64", 0x7d: "f32", 0x7c: "f64",
			0x7b: "v128", 0x70: "funcref", 0x6f: "externref"}[c]
		if !ok {
			r.fail(fmt.Errorf("value type 0x%02x", c))
			return ""
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func (m *module) readImports(r *reader) {
	for range r.count("imports", maxImports) {
		i := imported{module: r.name(), name: r.name(), kind: r.byte()}
		switch i.kind {
		case kindFunc:
			i.typ = r.u32()
			m.funcs = append(m.funcs, i.typ)
		case kindTable:
			r.byte()
			r.limits()
		case kindMemory:
			r.limits()
		case kindGlobal:
			r.byte()
			r.byte()
		default:
			r.fail(fmt.Errorf("import of kind %d", i.kind))
		}
		if r.err != nil {
			return
		}
		m.imports = append(m.imports, i)
	}
}

func (m *module) readExports(r *reader) {
	for range r.count("exports", maxFunctions) {
		name := r.name()
		e := exported{kind: r.byte(), index: r.u32()}
		if _, twice := m.exports[name]; twice {
			r.fail(fmt.Errorf("export %q is given twice", name))
		}
		if r.err != nil {
			return
		}
		m.exports[name] = e
	}
}

// readTables gives every table a maximum: without one a guest could let a table
// grow to 32 GiB of the server's memory, which no memory limit covers.
func (m *module) readTables(r *reader) []byte {
	n := r.count("tables", maxTables)
	out := appendU32(nil, uint32(n))
	for range n {
		elem := r.byte()
		if r.err == nil && elem != 0x70 && elem != 0x6f {
			r.fail(fmt.Errorf("table of kind 0x%02x", elem))
		}
		l := r.limits()
		if r.err == nil && l.min > maxTableEntries {
			r.fail(fmt.Errorf("table of %d entries, at most %d are accepted", l.min, maxTableEntries))
		}
		if !l.hasMax || l.max > maxTableEntries {
			l.max = maxTableEntries
		}
		out = append(out, elem, 1)
		out = appendU32(out, l.min)
		out = appendU32(out, l.max)
	}
	return out
}

// readBodies bounds the locals of each function, which take no bytes of their
// own.
func readBodies(r *reader) {
	for range r.count("functions", maxFunctions) {
		body := &reader{b: r.take(r.u32())}
		var total uint64
		for range body.count("kinds of locals", maxLocals) {
			total += uint64(body.u32())
			body.byte()
			if body.err != nil {
				break
			}
		}
		if body.err != nil {
			r.fail(body.err)
		}
		if total > maxLocals {
			r.fail(fmt.Errorf("function with %d locals, at most %d are accepted", total, maxLocals))
		}
		if r.err != nil {
			return
		}
	}
}
