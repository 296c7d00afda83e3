package meter

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/tetratelabs/wazero/api"
)

// TestRanges fills and copies in strides of 16 bytes and plainly: ranges that overlap
// either way, that end at the memory's end and behind it, and such as wrap around. The
// memory is the same after each, and so are traps.
func TestRanges(t *testing.T) {
	code := readModule(t, "testdata/ranges.wasm")
	var mems [2]api.Memory
	var benches [2]*bench
	var mods [2]api.Module
	for i := range benches {
		benches[i] = newBench(t, i == 1, 100_000)
		benches[i].stride = 16
		mod, err := benches[i].add(t.Context(), code, "")
		if err != nil {
			t.Fatal(err)
		}
		mods[i], mems[i] = mod, mod.Memory()
		for at := range uint32(1 << 16) {
			mems[i].WriteByte(at, byte(at*31+at>>8))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	traps := 0
	for range 3000 {
		args := []uint64{uint64(r.Uint32N(400)), uint64(r.Uint32N(400)), uint64(r.Uint32N(200))}
		switch r.IntN(8) {
		case 0:
			args[0] = 1<<16 - uint64(r.Uint32N(200)) // about the end
		case 1:
			args[1] = 1<<16 - uint64(r.Uint32N(200))
		case 2:
			args[2] = 1<<32 - uint64(r.Uint32N(1000))
		}
		export := []string{"fill", "copy"}[r.IntN(2)]
		_, plain := benches[0].call(t.Context(), mods[0], export, args...)
		_, metered := benches[1].call(t.Context(), mods[1], export, args...)
		if (plain == nil) != (metered == nil) || plain != nil && plain.Error() != metered.Error() {
			t.Fatalf("%s%v: plain %v, metered %v", export, args, plain, metered)
		}
		if plain != nil {
			traps++
		}
		a, _ := mems[0].Read(0, 1<<16)
		b, _ := mems[1].Read(0, 1<<16)
		if !bytes.Equal(a, b) {
			t.Fatalf("%s%v: the memory differs", export, args)
		}
	}
	if traps == 0 || traps > 1500 || benches[1].polls < 1000 {
		t.Errorf("%d traps, %d calls of the host between strides", traps, benches[1].polls)
	}
}
