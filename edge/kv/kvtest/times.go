package kvtest

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// timed runs a check where time passes only when everybody waits for it.
func timed(run func(*bed)) func(*bed) {
	return func(b *bed) {
		synctest.Test(b.T, func(t *testing.T) {
			inner := &bed{T: t, kv: b.open(t)}
			run(inner)
		})
	}
}

func pass(d time.Duration) { <-time.After(d) }

func timeChecks() []check {
	one := []byte("one")
	return []check{
		{"time: a key vanishes", timed(func(b *bed) {
			b.must(b.kv.Set("a", one, time.Minute))
			b.set("b", "one")
			b.must(b.kv.Set("c", one, -time.Minute))
			b.must(b.kv.Set("d", one, math.MaxInt64))
			pass(time.Minute - 1)
			b.has("a", one)
			pass(1)
			b.has("a", nil)
			b.swaps(false, "a", one, one)
			b.swaps(true, "a", nil, one)
			pass(10 * time.Hour)
			b.has("a", one)
			b.has("b", one)
			b.has("c", one)
			b.has("d", one)
		})},
		{"time: Set gives a new one", timed(func(b *bed) {
			b.must(b.kv.Set("a", one, time.Minute))
			b.must(b.kv.Set("b", one, time.Minute))
			b.must(b.kv.Set("c", one, time.Hour))
			pass(30 * time.Second)
			b.must(b.kv.Set("a", one, time.Minute))
			b.set("b", "one")
			b.must(b.kv.Set("c", one, time.Second))
			pass(45 * time.Second)
			b.has("a", one)
			b.has("c", nil)
			pass(time.Hour)
			b.has("a", nil)
			b.has("b", one)
		})},
		{"time: a swap gives a new one", timed(func(b *bed) {
			b.must(b.kv.Set("a", one, time.Minute))
			b.must(b.kv.Set("b", one, time.Minute))
			pass(30 * time.Second)
			if done, err := b.kv.CompareAndSwap("a", one, one, time.Minute); !done || err != nil {
				b.Error(done, err)
			}
			b.swaps(false, "b", []byte("two"), one)
			pass(45 * time.Second)
			b.has("a", one)
			b.has("b", nil)
			pass(15 * time.Second)
			b.has("a", nil)
		})},
		{"time: Incr leaves it", timed(func(b *bed) {
			count := func(key string, ttl time.Duration, want int64) {
				b.Helper()
				if n, err := b.kv.Incr(key, 1, ttl); err != nil || n != want {
					b.Errorf("%s: %d, %v; want %d", key, n, err, want)
				}
			}
			count("a", time.Minute, 1)
			count("b", 0, 1)
			pass(30 * time.Second)
			count("a", time.Hour, 2)
			count("b", time.Second, 2)
			pass(30*time.Second - 1)
			count("a", 0, 3)
			pass(1)
			b.has("a", nil)
			count("a", time.Second, 1)
			count("b", 0, 3)
			pass(time.Second)
			count("a", time.Second, 1)
		})},
		{"time: what vanishes makes room", timed(func(b *bed) {
			b.must(b.kv.Set(filler(-1), make([]byte, 1000), time.Minute))
			n := b.fill()
			pass(time.Minute)
			b.must(b.kv.Set(filler(n), make([]byte, 1000), 0))
			b.has(filler(-1), nil)
		})},
	}
}
