package wasmhost

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// forged writes a module of these sections, each an id and its bytes.
func forged(sections ...[]byte) []byte {
	b := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range sections {
		b = append(module.AppendU32(append(b, s[0]), uint32(len(s)-1)), s[1:]...)
	}
	return b
}

// vector is a section with n equal items.
func vector(id byte, n int, item ...byte) []byte {
	return append(module.AppendU32([]byte{id}, uint32(n)), bytes.Repeat(item, n)...)
}

// oneFunction is a module of one function with this body.
func oneFunction(code []byte) []byte {
	return forged(vector(1, 1, 0x60, 0, 0), vector(3, 1, 0), append(module.AppendU32([]byte{10, 1}, uint32(len(code))), code...))
}

// nestedBlocks is the body of a function of n blocks in one another.
func nestedBlocks(n int) []byte {
	return append(append([]byte{0}, bytes.Repeat([]byte{0x02, 0x40}, n)...), bytes.Repeat([]byte{0x0b}, n+1)...)
}

// manyExports exports one function under n names.
func manyExports(n int) []byte {
	list := module.AppendU32([]byte{7}, uint32(n))
	for i := range n {
		list = append(list, 4, byte('a'+i%26), byte('a'+i/26%26), byte('a'+i/676%26), byte('a'+i/17576%26), 0, 0)
	}
	return forged(vector(1, 1, 0x60, 0, 0), vector(3, 1, 0), list, vector(10, 1, 2, 0, 0x0b))
}

// TestBadCandidatesAreCheap offers what is made to be expensive. Each is refused with
// its code within 2 s, and the memory that is taken for that, given back or not, is
// less than 64 MiB; the policy that runs goes on.
func TestBadCandidatesAreCheap(t *testing.T) {
	h := newHost(t, Config{})
	running := load(t, h, "deny").Hooks().Authorizer
	const many = 1_000_000
	types := vector(1, 1, 0x60, 0, 0)
	tests := []struct {
		name   string
		module []byte
		code   Code
	}{
		{"200 MB", append(testModule(t, "pass"), make([]byte, 200_000_000)...), CodeTooLarge},
		{"functions", forged(types, vector(3, many, 0), vector(10, many, 2, 0, 0x0b)), CodeMalformed},
		{"functions without bodies", forged(types, vector(3, many, 0)), CodeMalformed},
		{"types", forged(vector(1, many, 0x60, 0, 0)), CodeMalformed},
		{"exports", manyExports(400_000), CodeMalformed},
		{"memories", forged(vector(5, many, 0, 1)), CodeMalformed},
		{"tables", forged(vector(4, many, 0x70, 0, 0)), CodeMalformed},
		{"globals", forged(vector(6, many, 0x7f, 0, 0x41, 0, 0x0b)), CodeMalformed},
		{"a count without items", forged([]byte{3, 0xff, 0xff, 0xff, 0xff, 0x0f}), CodeMalformed},
		{"a section longer than the file", append([]byte("\x00asm\x01\x00\x00\x00"), 10, 0xff, 0xff, 0xff, 0xff, 0x0f), CodeMalformed},
		{"a name longer than the file", forged([]byte{0, 0xff, 0xff, 0xff, 0xff, 0x0f}), CodeMalformed},
		{"locals", oneFunction([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b}), CodeMalformed},
		{"blocks", oneFunction(nestedBlocks(2_000_000)), CodeMalformed},
		{"one long body", oneFunction(append(vector(0, many, 1)[:1], append(bytes.Repeat([]byte{1}, 8_000_000), 0x0b)...)), CodeNoPolicy},
		{"customs", forged(bytes.Split(bytes.Repeat([]byte("\x00\x01xy|"), 400_000), []byte("|"))[:400_000]...), CodeMalformed},
	}
	limit := 2 * time.Second
	if raceEnabled {
		limit *= 10 // the race detector's own time is not the reader's
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			p, err := h.Load(t.Context(), "guard", tt.module, LoadOptions{})
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			wantRefusal(t, p, err, tt.code, "guard")
			if n := after.TotalAlloc - before.TotalAlloc; took > limit || n > 64<<20 {
				t.Errorf("took %v and %d MiB", took, n>>20)
			} else {
				t.Logf("%v, %d KiB: %v", took, n>>10, firstLine(err.Error()))
			}
			if a, err := running.Authorize(t.Context(), action("/x")); err != nil || a.Verdict != policy.Deny {
				t.Errorf("the policy that runs: %v, %v", a.Verdict, err)
			}
		})
	}
}
