package module

import (
	"bytes"
	"errors"
	"fmt"
)

// header is what a core module of version 1 of the format begins with.
const header = "\x00asm\x01\x00\x00\x00"

// Numbers of the sections (core specification §5.5.2).
const (
	secCustom = iota
	secType
	secImport
	secFunc
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElem
	secCode
	secData
	secDataCount
	secTag // of exceptions
)

// order returns the place of a section among the others: the data count stands
// before the code.
func order(id byte) int {
	switch id {
	case secCode, secData:
		return int(id) + 1
	case secDataCount:
		return secCode
	}
	return int(id)
}

// Decode reads a module. Errors name the section and the byte in it, as in
// "section 10 at byte 5: ends too early". The module holds views of code.
func Decode(code []byte) (*Module, error) {
	if !bytes.HasPrefix(code, []byte(header)) {
		return nil, fmt.Errorf("at byte 0: %w", errHeader)
	}
	m := &Module{exports: map[string]int{}}
	d := &decoder{m: m}
	r := &reader{b: code, off: len(header)}
	last := 0
	for !r.done() {
		id := r.byte()
		body := r.take(r.u32())
		if r.err != nil {
			break
		}
		if id > secDataCount {
			return nil, fmt.Errorf("section %d at byte 0: there is no such section%s", id, sectionProposal(id))
		}
		if id != secCustom {
			// A second section of a kind must not say something else than the first.
			switch at := order(id); {
			case at == last:
				return nil, fmt.Errorf("section %d is there twice", id)
			case at < last:
				return nil, fmt.Errorf("section %d is out of order", id)
			default:
				last = at
			}
		}
		if err := d.section(id, body); err != nil {
			return nil, fmt.Errorf("section %d %w", id, err)
		}
	}
	if r.err != nil {
		return nil, fmt.Errorf("section %w", r.err)
	}
	return m, d.finish()
}

var errHeader = errors.New("not the header of a core module of version 1")

func sectionProposal(id byte) string {
	if id == secTag {
		return unsupported("exceptions")
	}
	return ""
}

// decoder is the state of a reading that is no part of the module.
type decoder struct {
	m *Module
	// bodies are where in the code section each function begins, for errors.
	bodies []int
}

// section reads one section.
func (d *decoder) section(id byte, body []byte) error {
	r := &reader{b: body}
	d.m.EmptyCustom = ""
	switch id {
	case secCustom:
		d.custom(r)
		return r.err // the rest of a custom section may be anything
	case secType:
		d.types(r)
	case secImport:
		d.imports(r)
	case secFunc:
		d.m.Funcs = indices(r, "functions", len(d.m.Types), "type")
	case secTable:
		d.tables(r)
	case secMemory:
		d.memories(r)
	case secGlobal:
		d.globals(r)
	case secExport:
		d.exports(r)
	case secStart:
		d.m.HasStart, d.m.Start = true, r.u32()
		d.index(r, "function", d.m.Start, d.m.NumFuncs())
	case secElem:
		d.elems(r)
	case secDataCount:
		d.m.HasCount, d.m.DataCount = true, uint32(r.count("data segments", MaxFunctions))
	case secCode:
		d.bodies = make([]int, 0, r.room(len(d.m.Funcs), 1))
		d.code(r)
	case secData:
		d.data(r)
	}
	if r.err == nil && r.off != len(body) {
		r.fail(errors.New("bytes left over"))
	}
	return r.err
}

// finish checks what only shows when all sections are read.
func (d *decoder) finish() error {
	m := d.m
	switch {
	case len(m.Code) != len(m.Funcs):
		return fmt.Errorf("section 10 at byte 0: %d bodies for %d functions", len(m.Code), len(m.Funcs))
	case m.HasCount && int(m.DataCount) != len(m.Data):
		return fmt.Errorf("section 11 at byte 0: %d data segments, %d announced", len(m.Data), m.DataCount)
	}
	c := &checker{m: m}
	for i := range m.Code {
		if err := c.body(i, d.bodies[i]); err != nil {
			return fmt.Errorf("section 10 %w", err)
		}
	}
	return nil
}

func (d *decoder) custom(r *reader) {
	c := Custom{Name: r.name()}
	if r.err != nil {
		return
	}
	c.Data = r.b[r.off:]
	if len(c.Data) == 0 {
		d.m.EmptyCustom = c.Name
		if c.Name == "" {
			d.m.EmptyCustom = `""`
		}
	}
	if len(d.m.Customs) == MaxCustoms {
		r.failf("more than %d custom sections", MaxCustoms)
	}
	d.m.Customs = append(d.m.Customs, c)
}

func (d *decoder) types(r *reader) {
	n := r.count("types", MaxFunctions)
	d.m.Types = make([]FuncType, 0, r.room(n, 3))
	for range n {
		if form := r.byte(); r.err == nil && form != 0x60 {
			r.failf("type of form 0x%02x%s", form, formProposal(form))
		}
		t := FuncType{Params: valueTypes(r)}
		t.Results = valueTypes(r)
		if r.err != nil {
			return
		}
		d.m.Types = append(d.m.Types, t)
	}
}

func formProposal(form byte) string {
	if form >= 0x4e && form <= 0x5f {
		return unsupported("garbage collection")
	}
	return ""
}

func valueTypes(r *reader) []ValueType {
	n := r.count("values", MaxValues)
	at := r.off
	for range n {
		r.valueType(false)
	}
	if r.err != nil {
		return nil
	}
	return r.b[at:r.off:r.off]
}

// indices reads a vector of indices, all below bound.
func indices(r *reader, what string, bound int, of string) []uint32 {
	n := r.count(what, MaxFunctions)
	list := make([]uint32, 0, r.room(n, 1))
	for range n {
		i := r.u32()
		if r.err == nil && int64(i) >= int64(bound) {
			r.failf("there is no %s %d", of, i)
		}
		if r.err != nil {
			return nil
		}
		list = append(list, i)
	}
	return list
}

// index refuses an index that points outside.
func (d *decoder) index(r *reader, what string, i uint32, bound int) {
	if r.err == nil && int64(i) >= int64(bound) {
		r.failf("there is no %s %d", what, i)
	}
}
