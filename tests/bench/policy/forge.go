package main

import (
	"bytes"
	"encoding/binary"
)

// What follows writes modules that no compiler would (core specification §5.5).

// header begins every module.
const header = "\x00asm\x01\x00\x00\x00"

// number is n in LEB128.
func number(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

// section is a section with its id and length.
func section(id byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return bytes.Join([][]byte{{id}, number(len(body)), body}, nil)
}

func custom(name, payload string) []byte {
	return section(0, number(len(name)), []byte(name), []byte(payload))
}

// module puts sections together.
func module(sections ...[]byte) []byte {
	return append([]byte(header), bytes.Join(sections, nil)...)
}

// empty is the type section of functions that take and return nothing.
func empty() []byte { return section(1, []byte{1, 0x60, 0, 0}) }

// million has a million functions that do nothing.
func million() []byte {
	const n = 1_000_000
	return module(empty(), section(3, number(n), make([]byte, n)),
		section(10, number(n), bytes.Repeat([]byte{2, 0, 0x0b}, n)))
}

// exports has one function under as many names as 7 MB hold.
func exports() []byte {
	const n = 1_000_000
	var list []byte
	for i := range n {
		list = append(list, 4, byte('a'+i%26), byte('a'+i/26%26), byte('a'+i/676%26), byte('a'+i/17576%57), 0, 0)
	}
	return module(empty(), section(3, []byte{1, 0}), section(7, number(n), list), section(10, []byte{1, 2, 0, 0x0b}))
}

// body has one function of n instructions that do nothing.
func body(n int) []byte {
	code := append(append([]byte{0}, bytes.Repeat([]byte{0x01}, n)...), 0x0b)
	return module(empty(), section(3, []byte{1, 0}), section(10, []byte{1}, number(len(code)), code))
}

// nested has one function of n blocks in one another.
func nested(n int) []byte {
	code := append([]byte{0}, bytes.Repeat([]byte{0x02, 0x40}, n)...)
	code = append(code, bytes.Repeat([]byte{0x0b}, n+1)...)
	return module(empty(), section(3, []byte{1, 0}), section(10, []byte{1}, number(len(code)), code))
}

// started has a function that runs before the host is ready.
func started() []byte {
	abi := "edgeftp_abi_v1"
	return module(empty(), section(3, []byte{1, 0}), section(5, []byte{1, 0, 1}),
		section(7, []byte{1}, number(len(abi)), []byte(abi), []byte{0, 0}), section(8, []byte{0}), section(10, []byte{1, 2, 0, 0x0b}))
}

// heavy is a policy in every respect, of about n bytes of code in functions of 64 KiB, the
// most that its form allows the compiler to be given; it refuses the server when it starts.
func heavy(n int) []byte {
	const each = 64 << 10
	count := n / each
	code := []byte{0}
	for len(code) < each-8 {
		code = append(code, 0x20, 0, 0x20, 0, 0x6a, 0x21, 0) // local.get twice, i32.add, local.set
	}
	code = append(code, 0x42, 0, 0x0b) // i64.const 0
	bodies := number(2 + count)
	for range count {
		bodies = append(append(bodies, number(len(code))...), code...)
	}
	bodies = append(bodies, 4, 0, 0x42, 0, 0x0b, 4, 0, 0x42, 0, 0x0b)
	kinds := append(bytes.Repeat([]byte{0}, count), 1, 0)
	name := func(s string, kind byte, index int) []byte {
		return bytes.Join([][]byte{number(len(s)), []byte(s), {kind}, number(index)}, nil)
	}
	return module(section(1, []byte{2, 0x60, 1, 0x7f, 1, 0x7e, 0x60, 2, 0x7f, 0x7e, 1, 0x7e}),
		section(3, number(2+count), kinds), section(5, []byte{1, 0, 1}),
		section(7, []byte{3}, name("memory", 2, 0), name("edgeftp_abi_v1", 0, count), name("edgeftp_fs", 0, count+1)),
		section(10, bodies))
}
