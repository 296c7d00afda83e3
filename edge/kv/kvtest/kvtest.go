// Package kvtest holds the conformance function of policy.KV: what every
// implementation must do, whatever it is made of.
package kvtest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
)

// MaxBytes is the most that a KV under test may hold: it is filled.
const MaxBytes = 1 << 20

// Test checks an implementation. Each call of open must return a KV that is new and
// empty, holds at least 64 KiB of short keys and at most [MaxBytes], and lasts until
// the test ends. Some checks open theirs in a bubble of testing/synctest: it must
// reckon by time.Now, and what it started must end in a cleanup of its test.
func Test(t *testing.T, open func(t *testing.T) policy.KV) {
	for _, group := range [][]check{valueChecks(), swapChecks(), counterChecks(), fullChecks(), timeChecks(), togetherChecks()} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) { c.run(&bed{T: t, open: open}) })
		}
	}
}

// check is one subtest.
type check struct {
	name string
	run  func(*bed)
}

// bed is a test with short words for what checks do.
type bed struct {
	*testing.T
	open func(t *testing.T) policy.KV
	kv   policy.KV
}

// with runs a check on a new KV.
func with(run func(*bed)) func(*bed) {
	return func(b *bed) {
		b.kv = b.open(b.T)
		run(b)
	}
}

// has fails unless the key has that value; nil is none.
func (b *bed) has(key string, want []byte) {
	b.Helper()
	got, ok := b.kv.Get(key)
	if ok != (want != nil) || !bytes.Equal(got, want) || ok && got == nil {
		b.Errorf("%s is %q, %v; want %q", short(key), short(string(got)), ok, short(string(want)))
	}
}

func short(s string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%s... (%d bytes)", s[:40], len(s))
	}
	return s
}

// must fails unless err is nil.
func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Errorf("error: %v", err)
	}
}

// fails fails unless err is want.
func (b *bed) fails(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Errorf("error %v, want %v", err, want)
	}
}

// set sets a key that never vanishes.
func (b *bed) set(key, value string) {
	b.Helper()
	b.must(b.kv.Set(key, []byte(value), 0))
}

// counts fails unless adding delta makes the counter want.
func (b *bed) counts(key string, delta, want int64) {
	b.Helper()
	if n, err := b.kv.Incr(key, delta, 0); err != nil || n != want {
		b.Errorf("%s and %d is %d, %v; want %d", short(key), delta, n, err, want)
	}
}

// swaps fails unless the swap says want.
func (b *bed) swaps(want bool, key string, old, value []byte) {
	b.Helper()
	if done, err := b.kv.CompareAndSwap(key, old, value, 0); err != nil || done != want {
		b.Errorf("swap of %s from %q to %q: %v, %v; want %v", short(key), short(string(old)), short(string(value)), done, err, want)
	}
}
