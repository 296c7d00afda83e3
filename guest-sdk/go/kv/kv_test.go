package kv

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func want(t *testing.T, k policy.KV, key, value string, there bool) {
	t.Helper()
	if got, ok := k.Get(key); string(got) != value || ok != there {
		t.Errorf("%s: got %q, %v, want %q, %v", key, got, ok, value, there)
	}
}

// TestMemory holds the space of tests to what policy.KV promises.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := Open()
		want(t, k, "a", "", false)
		value := []byte("x")
		if err := k.Set("a", value, time.Second); err != nil {
			t.Error(err)
		}
		value[0] = 'y'
		want(t, k, "a", "x", true)
		<-time.After(time.Second)
		want(t, k, "a", "", false)
		for _, step := range []struct{ delta, want int64 }{{5, 5}, {-7, -2}, {math.MaxInt64, math.MaxInt64 - 2},
			{math.MaxInt64, math.MaxInt64}, {math.MinInt64, -1}, {math.MinInt64, math.MinInt64}} {
			if n, err := k.Incr("n", step.delta, time.Minute); n != step.want || err != nil {
				t.Errorf("%d: got %d, %v, want %d", step.delta, n, err, step.want)
			}
			<-time.After(time.Second)
		}
		<-time.After(53 * time.Second)
		want(t, k, "n", "\x00\x00\x00\x00\x00\x00\x00\x80", true)
		<-time.After(time.Second) // a minute after the first
		want(t, k, "n", "", false)
	})
}

func TestMemoryCompares(t *testing.T) {
	k := Open()
	for i, step := range []struct {
		old, value []byte
		swapped    bool
	}{
		{[]byte{}, []byte("x"), false}, {nil, []byte{}, true}, {nil, []byte("x"), false},
		{[]byte{}, []byte("x"), true}, {[]byte("y"), nil, false}, {[]byte("x"), nil, true}, {nil, []byte("z"), true},
	} {
		if ok, err := k.CompareAndSwap("a", step.old, step.value, 0); ok != step.swapped || err != nil {
			t.Errorf("%d: got %v, %v", i, ok, err)
		}
	}
	want(t, k, "a", "z", true)
	if _, err := k.Incr("a", 1, 0); !errors.Is(err, policy.ErrKVType) {
		t.Error(err)
	}
	for _, key := range []string{"", string(make([]byte, policy.MaxKVKey+1))} {
		if err := k.Set(key, []byte("x"), 0); !errors.Is(err, policy.ErrKVSize) {
			t.Error(err)
		}
	}
	if err := k.Set("a", nil, 0); err != nil {
		t.Error(err)
	}
	want(t, k, "a", "", false)
}
