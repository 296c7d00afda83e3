package kvtest

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func valueChecks() []check {
	return []check{
		{"set, get, remove", with(func(b *bed) {
			b.has("a", nil)
			b.set("a", "1")
			b.has("a", []byte("1"))
			b.has("A", nil)
			b.set("a", "22")
			b.has("a", []byte("22"))
			b.must(b.kv.Set("a", nil, 0))
			b.has("a", nil)
			b.must(b.kv.Set("a", nil, 0))
			b.set("a", "again")
			b.has("a", []byte("again"))
		})},
		{"an empty value is one", with(func(b *bed) {
			b.must(b.kv.Set("a", []byte{}, 0))
			b.has("a", []byte{})
			b.set("a", "1")
			b.must(b.kv.Set("a", []byte{}, 0))
			b.has("a", []byte{})
		})},
		{"values are copies", with(func(b *bed) {
			value := []byte("one")
			b.must(b.kv.Set("a", value, 0))
			value[0] = 'x'
			b.has("a", []byte("one"))
			got, _ := b.kv.Get("a")
			got[0] = 'y'
			b.has("a", []byte("one"))
			swapped := []byte("two")
			if _, err := b.kv.CompareAndSwap("a", []byte("one"), swapped, 0); err != nil {
				b.Error(err)
			}
			swapped[0] = 'z'
			b.has("a", []byte("two"))
		})},
		{"any bytes", with(func(b *bed) {
			for _, key := range []string{"\x00", "\xff\xfe", "a\x00b", "a\nb", "ü"} {
				b.set(key, "\x00\xff"+key)
			}
			for _, key := range []string{"\x00", "\xff\xfe", "a\x00b", "a\nb", "ü"} {
				b.has(key, []byte("\x00\xff"+key))
			}
			b.has("a", nil)
		})},
		{"sizes", with(sizes)},
	}
}

func sizes(b *bed) {
	long, value := strings.Repeat("k", policy.MaxKVKey), bytes.Repeat([]byte("v"), policy.MaxKVValue)
	b.must(b.kv.Set(long, value, 0))
	b.has(long, value)
	b.set("a", "1")
	for _, key := range []string{"", long + "k"} {
		b.fails(b.kv.Set(key, []byte("1"), 0), policy.ErrKVSize)
		b.fails(b.kv.Set(key, nil, 0), policy.ErrKVSize)
		_, err := b.kv.Incr(key, 1, 0)
		b.fails(err, policy.ErrKVSize)
		_, err = b.kv.CompareAndSwap(key, nil, []byte("1"), 0)
		b.fails(err, policy.ErrKVSize)
		b.has(key, nil)
	}
	more := append(bytes.Clone(value), 'v')
	b.fails(b.kv.Set("a", more, 0), policy.ErrKVSize)
	for _, old := range [][]byte{nil, []byte("1")} {
		done, err := b.kv.CompareAndSwap("a", old, more, 0)
		b.fails(err, policy.ErrKVSize)
		if done {
			b.Error("swapped, and failed")
		}
	}
	b.has("a", []byte("1"))
	b.swaps(false, "a", more, []byte("2"))
	b.swaps(true, long, value, []byte("short"))
	b.has(long, []byte("short"))
}

func swapChecks() []check {
	one, two, empty := []byte("one"), []byte("two"), []byte{}
	return []check{
		{"swap of a key that is not there", with(func(b *bed) {
			b.swaps(false, "a", one, two)
			b.swaps(false, "a", empty, two)
			b.swaps(false, "a", one, nil)
			b.has("a", nil)
			b.swaps(true, "a", nil, nil)
			b.has("a", nil)
			b.swaps(true, "a", nil, one)
			b.has("a", one)
		})},
		{"swap of a key that is there", with(func(b *bed) {
			b.set("a", "one")
			b.swaps(false, "a", nil, two)
			b.swaps(false, "a", nil, nil)
			b.swaps(false, "a", two, one)
			b.swaps(false, "a", empty, two)
			b.has("a", one)
			b.swaps(true, "a", one, one)
			b.swaps(true, "a", one, two)
			b.swaps(false, "a", one, two)
			b.has("a", two)
			b.swaps(true, "a", two, nil)
			b.has("a", nil)
		})},
		{"swap of an empty value", with(func(b *bed) {
			b.swaps(true, "a", nil, empty)
			b.has("a", empty)
			b.swaps(false, "a", nil, one)
			b.swaps(true, "a", empty, one)
			b.has("a", one)
		})},
		{"swap of a counter", with(func(b *bed) {
			b.counts("a", 3, 3)
			b.swaps(true, "a", counter(3), counter(40))
			b.counts("a", 2, 42)
		})},
	}
}

// counter is the value of a counter.
func counter(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

func counterChecks() []check {
	return []check{
		{"counters", with(func(b *bed) {
			b.counts("a", 5, 5)
			b.counts("a", -7, -2)
			b.counts("a", 0, -2)
			b.has("a", counter(-2))
			b.counts("zero", 0, 0)
			b.has("zero", counter(0))
			b.must(b.kv.Set("a", nil, 0))
			b.counts("a", 1, 1)
			b.must(b.kv.Set("set", counter(41), 0))
			b.counts("set", 1, 42)
		})},
		{"counters have ends", with(func(b *bed) {
			b.counts("up", math.MaxInt64-1, math.MaxInt64-1)
			b.counts("up", 1, math.MaxInt64)
			b.counts("up", 1, math.MaxInt64)
			b.counts("up", math.MaxInt64, math.MaxInt64)
			b.counts("up", math.MinInt64, -1)
			b.counts("down", math.MinInt64, math.MinInt64)
			b.counts("down", -1, math.MinInt64)
			b.counts("down", math.MinInt64, math.MinInt64)
			b.counts("down", math.MaxInt64, -1)
			b.has("up", counter(-1))
		})},
		{"what is no counter", with(func(b *bed) {
			for _, value := range [][]byte{{}, []byte("1"), make([]byte, 7), make([]byte, 9)} {
				b.must(b.kv.Set("a", value, 0))
				n, err := b.kv.Incr("a", 1, 0)
				b.fails(err, policy.ErrKVType)
				if n != 0 {
					b.Errorf("failed, and returned %d", n)
				}
				b.has("a", value)
			}
		})},
	}
}
