package record

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// An exchange is written as: u8 hook, u8 1 if it failed, u8 cause, u64 verdict, i64 fuel,
// i64 nanoseconds, u32 memory, and then byte strings of u32 length and the bytes: record,
// reply, error, stderr; u32 number of calls, each u8 number of the import, i64 result,
// and the byte strings of arguments and output.

// appendExchange writes an exchange. One of a hook that is not known has number 0.
func appendExchange(dst []byte, x *wasmhost.Exchange) []byte {
	le := binary.LittleEndian
	failed, cause, text := byte(0), byte(0), ""
	if x.Err != nil {
		failed, cause, text = 1, byte(causeOf(x.Err)), x.Err.Error()
	}
	dst = append(dst, hookNumber(x.Hook), failed, cause)
	dst = le.AppendUint64(dst, x.Verdict)
	dst = le.AppendUint64(dst, uint64(x.Fuel))
	dst = le.AppendUint64(dst, uint64(x.Took))
	dst = le.AppendUint32(dst, x.Memory)
	for _, s := range [][]byte{x.Record, x.Reply, []byte(text), []byte(x.Stderr)} {
		dst = appendBytes(dst, s)
	}
	dst = le.AppendUint32(dst, uint32(len(x.Host)))
	for i := range x.Host {
		c := &x.Host[i]
		dst = append(dst, importNumber(c.Import))
		dst = le.AppendUint64(dst, uint64(c.Result))
		dst = appendBytes(appendBytes(dst, c.In), c.Out)
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(b))), b...)
}

func hookNumber(name string) byte {
	for h := abi.HookAuth; int(h) < abi.NumHooks; h++ {
		if h.String() == name {
			return byte(h)
		}
	}
	return 0
}

func importNumber(name string) byte {
	for i, imp := range abi.Imports() {
		if imp.Name == name {
			return byte(i)
		}
	}
	return 255
}

// Failure is the error of an exchange of a recording: what it was told.
type Failure struct {
	Cause wasmhost.Cause // 0 if it was another error
	Text  string
}

// Error returns the text.
func (f *Failure) Error() string { return f.Text }

// cursor takes an exchange apart. After a fault it gives nothing more.
type cursor struct {
	b    []byte
	fail bool
}

func (c *cursor) take(n int) []byte {
	if c.fail || n > len(c.b) {
		c.fail = true
		return make([]byte, min(n, 8))
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) u8() byte    { return c.take(1)[0] }
func (c *cursor) u32() uint32 { return binary.LittleEndian.Uint32(c.take(4)) }
func (c *cursor) u64() uint64 { return binary.LittleEndian.Uint64(c.take(8)) }

// bytes returns a part of the frame, nil for none.
func (c *cursor) bytes() []byte {
	n := c.u32()
	if uint64(n) > uint64(len(c.b)) {
		c.fail = true
	}
	if n == 0 || c.fail {
		return nil
	}
	return c.take(int(n))
}

// readExchange reads an exchange, whose parts are parts of b.
func readExchange(b []byte, x *wasmhost.Exchange) error {
	c := &cursor{b: b}
	hook, failed, cause := abi.Hook(c.u8()), c.u8(), wasmhost.Cause(c.u8())
	x.Verdict, x.Fuel, x.Took, x.Memory = c.u64(), int64(c.u64()), time.Duration(c.u64()), c.u32()
	x.Record, x.Reply = c.bytes(), c.bytes()
	text := string(c.bytes())
	x.Stderr = string(c.bytes())
	if failed != 0 {
		x.Err = &Failure{Cause: cause, Text: text}
	}
	imports := abi.Imports()
	n := c.u32()
	if uint64(n) > uint64(len(c.b)) { // each has some bytes
		c.fail = true
	}
	for i := uint32(0); i < n && !c.fail; i++ {
		number := int(c.u8())
		if number >= len(imports) {
			return fmt.Errorf("%w: a call of import %d", ErrFormat, number)
		}
		x.Host = append(x.Host, wasmhost.HostCall{Import: imports[number].Name, Result: int64(c.u64()), In: c.bytes(), Out: c.bytes()})
	}
	switch {
	case c.fail || len(c.b) != 0:
		return fmt.Errorf("%w: an exchange of another length than it says", ErrFormat)
	case hook == 0 || int(hook) >= abi.NumHooks || failed > 1 || failed == 0 && (cause != 0 || text != "") || cause >= wasmhost.NumCauses:
		return fmt.Errorf("%w: an exchange of hook %d", ErrFormat, uint16(hook))
	}
	x.Hook = hook.String()
	return nil
}
