package kvtest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func fullChecks() []check {
	return []check{
		{"full: nothing is changed", with(fullUnchanged)},
		{"full: what is removed makes room", with(fullRoom)},
		{"full: nothing leaks", with(fullAgain)},
	}
}

func filler(i int) string { return fmt.Sprintf("filler %6d", i) }

// fill writes keys until there is no room for one more with an empty value; it
// returns how many it wrote, and how large the values are of all but the last.
func (b *bed) fill() int {
	b.Helper()
	size := policy.MaxKVValue
	for i := 0; i <= MaxBytes/len(filler(0)); i++ {
		err := b.kv.Set(filler(i), make([]byte, size), 0)
		for errors.Is(err, policy.ErrKVFull) && size > 0 {
			size /= 2
			err = b.kv.Set(filler(i), make([]byte, size), 0)
		}
		if errors.Is(err, policy.ErrKVFull) {
			return i
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Fatalf("more than %d bytes fit into it", MaxBytes)
	return 0
}

func fullUnchanged(b *bed) {
	b.counts("counter", 1, 1)
	b.set("a", "one")
	n := b.fill()
	b.fails(b.kv.Set(filler(n), []byte{}, 0), policy.ErrKVFull)
	b.has(filler(n), nil)
	_, err := b.kv.Incr(filler(n), 1, 0)
	b.fails(err, policy.ErrKVFull)
	b.has(filler(n), nil)
	done, err := b.kv.CompareAndSwap(filler(n), nil, []byte{}, 0)
	b.fails(err, policy.ErrKVFull)
	if done {
		b.Error("swapped, and failed")
	}
	b.has(filler(n), nil)

	large := make([]byte, policy.MaxKVValue)
	b.fails(b.kv.Set("a", large, 0), policy.ErrKVFull)
	b.has("a", []byte("one"))
	_, err = b.kv.CompareAndSwap("a", []byte("one"), large, 0)
	b.fails(err, policy.ErrKVFull)
	b.has("a", []byte("one"))
	// What needs no room is done.
	b.swaps(false, "a", []byte("two"), large)
	b.counts("counter", 1, 2)
	b.set("a", "two")
	b.swaps(true, "a", []byte("two"), []byte("six"))
	b.has("a", []byte("six"))
	b.must(b.kv.Set("a", nil, 0))
	b.has("a", nil)
}

func fullRoom(b *bed) {
	n := b.fill()
	value, _ := b.kv.Get(filler(0))
	for range 3 {
		b.must(b.kv.Set(filler(0), nil, 0))
		b.must(b.kv.Set(filler(n), value, 0))
		b.fails(b.kv.Set(filler(0), value, 0), policy.ErrKVFull)
		b.swaps(true, filler(n), value, nil)
		b.swaps(true, filler(0), nil, value)
		b.fails(b.kv.Set(filler(n), []byte{}, 0), policy.ErrKVFull)
		b.must(b.kv.Set(filler(0), []byte{}, 0)) // a shorter value makes room, too
		b.must(b.kv.Set(filler(0), value, 0))
	}
	b.has(filler(0), value)
	b.has(filler(n), nil)
}

// fullAgain fills, empties and fills again: as much fits in.
func fullAgain(b *bed) {
	first := 0
	for range 3 {
		n := b.fill()
		for i := range n {
			if v, ok := b.kv.Get(filler(i)); !ok || !bytes.Equal(v, make([]byte, len(v))) {
				b.Fatalf("%s is not there", filler(i))
			}
			b.must(b.kv.Set(filler(i), nil, 0))
		}
		if first == 0 {
			first = n
		}
		if n != first || n == 0 {
			b.Errorf("first %d keys, then %d", first, n)
		}
	}
}
