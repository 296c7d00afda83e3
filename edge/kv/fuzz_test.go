package kv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/policy"
)

// clock is a time that only the test moves.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ns.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) Now() time.Time       { return time.Unix(0, c.ns.Load()) }
func (c *clock) pass(d time.Duration) { c.ns.Add(int64(d)) }
func (c *clock) options() kv.Options  { return kv.Options{Now: c.Now, FlushEvery: time.Millisecond} }
func value(n, length int) []byte      { return bytes.Repeat([]byte{byte(n)}, length) }
func keyOf(n byte) string             { return fmt.Sprint("key", n%24) }
func ttlOf(n byte) time.Duration      { return time.Duration(n%4) * time.Second }
func oneStep(ops *[]byte) (a, b, c byte) {
	a, b, c = (*ops)[0], (*ops)[1], (*ops)[2]
	*ops = (*ops)[3:]
	return
}

// step does the same to both, and reports whether they answer the same.
func step(t *testing.T, got, want policy.KV, op, k, v byte) {
	t.Helper()
	key, ttl := keyOf(k), ttlOf(v)
	val := value(int(v), int(v)*9)
	switch op % 6 {
	case 0:
		e1, e2 := got.Set(key, val, ttl), want.Set(key, val, ttl)
		same(t, "set", key, e1, e2)
	case 1:
		e1, e2 := got.Set(key, nil, ttl), want.Set(key, nil, ttl)
		same(t, "remove", key, e1, e2)
	case 2:
		n1, e1 := got.Incr(key, int64(int8(v)), ttl)
		n2, e2 := want.Incr(key, int64(int8(v)), ttl)
		same(t, "incr", key, fmt.Sprint(n1, e1), fmt.Sprint(n2, e2))
	case 3, 4:
		old, ok := want.Get(key)
		if !ok || v%7 == 0 {
			old = nil
		}
		if v%5 == 0 {
			val = nil
		}
		s1, e1 := got.CompareAndSwap(key, old, val, ttl)
		s2, e2 := want.CompareAndSwap(key, old, val, ttl)
		same(t, "swap", key, fmt.Sprint(s1, e1), fmt.Sprint(s2, e2))
	}
	compare(t, got, want, key)
}

func same(t *testing.T, what, key string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%s %s: %v, want %v", what, key, got, want)
	}
}

func compare(t *testing.T, got, want policy.KV, key string) {
	t.Helper()
	v1, ok1 := got.Get(key)
	v2, ok2 := want.Get(key)
	if ok1 != ok2 || !bytes.Equal(v1, v2) {
		t.Fatalf("%s: %d bytes %v, want %d bytes %v", key, len(v1), ok1, len(v2), ok2)
	}
}

func compareAll(t *testing.T, got, want policy.KV) {
	t.Helper()
	for k := range byte(24) {
		compare(t, got, want, keyOf(k))
	}
}

// FuzzModel does what the bytes say to a store with a file and to a model, and opens
// it anew now and then.
func FuzzModel(f *testing.F) {
	for _, s := range []string{"000012345678901234567890", "\x02\x01\x7f\x02\x01\x7f\x05\x00\x01\x02\x01\x01", "\x00\x01\x01\x05\x00\x04\x03\x01\x01\x05\x00\x01\x00\x01\xff"} {
		f.Add([]byte(s))
	}
	dir, n := f.TempDir(), 0
	f.Fuzz(func(t *testing.T, ops []byte) {
		n++
		path, now := filepath.Join(dir, fmt.Sprint(n)), newClock()
		defer func() { _ = os.Remove(path) }()
		store, want := reopen(t, nil, path, now), &model{now: now.Now, max: 8 << 10, m: map[string]modelValue{}}
		defer func() { _ = store.Close() }()
		got := space(t, store, "p", 8<<10)
		for ops = ops[:min(len(ops), 600)]; len(ops) >= 3; {
			op, k, v := oneStep(&ops)
			if op%6 != 5 {
				step(t, got, want, op, k, v)
				continue
			}
			switch v % 4 {
			case 0:
				store = reopen(t, store, path, now)
				got = space(t, store, "p", 8<<10)
			case 1:
				if err := store.Sync(context.Background()); err != nil {
					t.Fatal(err)
				}
			default:
				now.pass(time.Duration(v%16) * 250 * time.Millisecond)
			}
		}
		compareAll(t, got, want)
		store.Sweep()
		want.clean()
		st := store.Stats().Spaces[0]
		if st.Bytes != int64(want.bytes()) || st.Keys != int64(len(want.m)) {
			t.Fatalf("%d keys of %d bytes, want %d of %d", st.Keys, st.Bytes, len(want.m), want.bytes())
		}
		store = reopen(t, store, path, now)
		compareAll(t, space(t, store, "p", 8<<10), want)
	})
}

func reopen(t *testing.T, s *kv.Store, path string, now *clock) *kv.Store {
	t.Helper()
	if s != nil {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := kv.Open(path, now.options())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// FuzzOverlay does what the bytes say to an overlay and to a model that began with
// the same keys; the base stays as it was.
func FuzzOverlay(f *testing.F) {
	f.Add([]byte("0000123456789"), []byte("012012012012012"))
	f.Add([]byte("\x00\x01\xff\x00\x02\xff"), []byte("\x01\x01\x00\x00\x01\x07\x05\x00\x0f\x02\x02\x01\x02\x03\x01"))
	f.Fuzz(func(t *testing.T, before, ops []byte) {
		now := newClock()
		store := reopen(t, nil, "", now)
		defer func() { _ = store.Close() }()
		base, origin := space(t, store, "p", 8<<10), &model{now: now.Now, max: 8 << 10, m: map[string]modelValue{}}
		for before = before[:min(len(before), 300)]; len(before) >= 3; {
			op, k, v := oneStep(&before)
			step(t, base, origin, op, k, v)
		}
		got, want := kv.Overlay(base), origin.copy()
		for ops = ops[:min(len(ops), 600)]; len(ops) >= 3; {
			op, k, v := oneStep(&ops)
			if op%6 == 5 {
				now.pass(time.Duration(v%16) * 250 * time.Millisecond)
			} else {
				step(t, got, want, op, k, v)
			}
		}
		compareAll(t, got, want)
		compareAll(t, base, origin)
	})
}

// FuzzDamaged changes bytes of a good file. It opens, or it is refused and stays as
// it is; nothing panics, and what opens can be written.
func FuzzDamaged(f *testing.F) {
	good := goodFile(f)
	for _, at := range []int{0, 16, 24, 32, 40, 48, 64, 4096, 4112, 8192, 8200, 8204, 12288, 16384, 20480} {
		for _, c := range []string{"\x01", "\xff\xff\xff\xff", "\x80\x00\x00\x00\x00\x00\x00\x01"} {
			f.Add(uint32(at), uint32(0), []byte(c))
		}
	}
	f.Add(uint32(0), uint32(5000), []byte("x"))
	f.Add(uint32(8208), uint32(0), []byte("\x01")) // a bucket becomes a value
	dir, n := f.TempDir(), 0
	f.Fuzz(func(t *testing.T, at, cut uint32, change []byte) {
		bad := bytes.Clone(good)
		for i, c := range change {
			bad[(int(at)+i)%len(bad)] ^= c
		}
		if cut != 0 {
			bad = bad[:1+int(cut)%len(bad)]
		}
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		defer func() { _ = os.Remove(path) }()
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := kv.Open(path, kv.Options{})
		if err != nil {
			if after, _ := os.ReadFile(path); !bytes.Equal(after, bad) {
				t.Fatalf("refused (%v), and changed", err)
			}
			if !errors.Is(err, kv.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		p := space(t, s, "one", 1<<20)
		for i := range 40 {
			if err := p.Set(fmt.Sprint("key", i), value(i, 100*i), 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := reopen(t, nil, path, newClock()).Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// goodFile is a file with branches, leaves, buckets in a leaf and pages of their own.
func goodFile(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "good")
	s, err := kv.Open(path, kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// In this order always: each Sync leaves pages behind that are free again.
	for _, sp := range []struct {
		name string
		keys int
	}{{"one", 60}, {"two", 3}, {"three", 0}} {
		p := space(t, s, sp.name, 1<<20)
		for i := range sp.keys {
			if err := p.Set(fmt.Sprint("key", i), value(i, 20*i), 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return good
}
