package kv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/policy"
)

func has(t *testing.T, p policy.KV, key, want string) {
	t.Helper()
	if got, ok := p.Get(key); !ok && want != "" || string(got) != want {
		t.Errorf("%s is %q, %v; want %q", key, got, ok, want)
	}
}

func set(t *testing.T, p policy.KV, key, value string, ttl time.Duration) {
	t.Helper()
	if err := p.Set(key, []byte(value), ttl); err != nil {
		t.Fatal(err)
	}
}

func TestSpaces(t *testing.T) {
	s := open(t, "", kv.Options{})
	a, b := space(t, s, "a", 1000), space(t, s, "b", 1000)
	set(t, a, "key", "of a", 0)
	has(t, b, "key", "")
	has(t, space(t, s, "a", 1000), "key", "of a")
	for name, maxBytes := range map[string]int64{"": 1, strings.Repeat("n", 257): 1, "c": -1} {
		if _, err := s.Space(name, maxBytes); err == nil {
			t.Errorf("a space %q of %d bytes", name, maxBytes)
		}
	}
	if _, err := s.Space(strings.Repeat("n", 256), 0); err != nil {
		t.Error(err)
	}
}

// The bound is exact: keys, values and kv.Overhead for each.
func TestBound(t *testing.T) {
	s := open(t, "", kv.Options{})
	p := space(t, s, "p", 2*kv.Overhead+10)
	set(t, p, "abc", "12", 0)
	set(t, p, "abcd", "1", 0)
	if err := p.Set("abcd", []byte("12"), 0); err != policy.ErrKVFull {
		t.Errorf("a byte too many: %v", err)
	}
	if st := s.Stats().Spaces[0]; st.Bytes != 2*kv.Overhead+10 || st.Keys != 2 || st.Refused != 1 || st.MaxBytes != 2*kv.Overhead+10 {
		t.Errorf("%+v", st)
	}
	p = space(t, s, "p", 2*kv.Overhead+11)
	set(t, p, "abcd", "12", 0)
	// A smaller bound takes nothing away.
	space(t, s, "p", 1)
	set(t, p, "abcd", "1", 0)
	if err := p.Set("abcd", []byte("12"), 0); err != policy.ErrKVFull {
		t.Errorf("more than a smaller bound: %v", err)
	}
	has(t, p, "abc", "12")
}

// What has expired frees its bytes though nobody asks, however much it is.
func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "kv")
		s := open(t, path, kv.Options{})
		p := space(t, s, "p", 64<<20)
		for i := range 50000 {
			set(t, p, fmt.Sprint("key", i), "", time.Duration(1+i%2)*time.Hour)
		}
		set(t, p, "forever", "1", 0)
		<-time.After(time.Hour + 3*time.Second)
		if st := s.Stats().Spaces[0]; st.Keys != 25001 || st.Expired != 25000 {
			t.Errorf("after an hour: %+v", st)
		}
		<-time.After(time.Hour)
		if st := s.Stats(); st.Spaces[0].Keys != 1 || st.Spaces[0].Bytes != kv.Overhead+8 || st.Unwritten != 0 || st.Lag != 0 || s.Lost() != 0 {
			t.Errorf("after two: %+v, %d lost", st, s.Lost())
		}
	})
}

// A change is written within half a second, many at once.
func TestWrittenBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, filepath.Join(t.TempDir(), "kv"), kv.Options{FlushAt: 100})
		p := space(t, s, "p", 0)
		synctest.Wait()
		before := s.Stats().Writes
		for i := range 50 {
			set(t, p, "a", fmt.Sprint(i), 0)
			set(t, p, "b", fmt.Sprint(i), 0)
		}
		<-time.After(499 * time.Millisecond)
		if st := s.Stats(); st.Writes != before || st.Unwritten != 2 || st.Lag != 499*time.Millisecond {
			t.Errorf("too early: %+v", st)
		}
		<-time.After(time.Millisecond)
		synctest.Wait()
		if st := s.Stats(); st.Writes != before+1 || st.Unwritten != 0 || st.Lag != 0 {
			t.Errorf("not written once: %+v", st)
		}
		for i := range 100 {
			set(t, p, fmt.Sprint("key", i), "1", 0)
		}
		synctest.Wait()
		if st := s.Stats(); st.Writes != before+2 || st.Unwritten != 0 {
			t.Errorf("a hundred keys are not written at once: %+v", st)
		}
		<-time.After(time.Hour)
		if st := s.Stats(); st.Writes != before+2 {
			t.Errorf("written though nothing was changed: %+v", st)
		}
		// What comes and goes meanwhile is not written at all.
		set(t, p, "short", "1", 0)
		set(t, p, "short", "2", time.Second)
		if err := p.Set("short", nil, 0); err != nil {
			t.Error(err)
		}
		if st := s.Stats(); st.Unwritten != 0 {
			t.Errorf("a key that is not there: %+v", st)
		}
	})
}

// TestReopen: nothing is lost by Close, and nothing comes back.
func TestReopen(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "kv"), newClock()
	s := reopen(t, nil, path, now)
	a, b := space(t, s, "a", 1<<20), space(t, s, "b", 1<<20)
	set(t, a, "stays", "1", 0)
	set(t, a, "goes", "1", 0)
	set(t, a, "minute", "1", time.Minute)
	set(t, a, "hour", "1", time.Hour)
	set(t, b, "stays", "2", 0)
	if _, err := a.Incr("count", 41, time.Hour); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s, path, now)
	a = space(t, s, "a", 1<<20)
	has(t, a, "goes", "1")
	if err := a.Set("goes", nil, 0); err != nil {
		t.Fatal(err)
	}
	before := s.Stats().Spaces
	now.pass(30 * time.Minute)
	s = reopen(t, s, path, now)
	a, b = space(t, s, "a", 1<<20), space(t, s, "b", 1<<20)
	has(t, a, "stays", "1")
	has(t, b, "stays", "2")
	has(t, a, "goes", "")
	has(t, a, "minute", "")
	has(t, a, "hour", "1")
	if n, err := a.Incr("count", 1, 0); n != 42 || err != nil {
		t.Error(n, err)
	}
	if st := s.Stats().Spaces; st[0].Bytes != before[0].Bytes-int64(len("minute")+1+kv.Overhead) || st[1].Bytes != before[1].Bytes {
		t.Errorf("%+v, before %+v", st, before)
	}
	// What had expired does not come back if the clock goes back.
	s = reopen(t, s, path, now)
	now.pass(-30 * time.Minute)
	s = reopen(t, s, path, now)
	has(t, space(t, s, "a", 1<<20), "minute", "")
	now.pass(time.Hour)
	has(t, space(t, s, "a", 1<<20), "count", "")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestSync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	s := open(t, path, kv.Options{FlushEvery: time.Hour})
	p := space(t, s, "p", 0)
	set(t, p, "a", "1", 0)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	twin := filepath.Join(t.TempDir(), "twin")
	if err := os.WriteFile(twin, data, 0o600); err != nil {
		t.Fatal(err)
	}
	has(t, space(t, open(t, twin, kv.Options{}), "p", 0), "a", "1")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // the writer may be ready all the same
		if err := s.Sync(ended); err != nil && err != context.Canceled {
			t.Error(err)
		}
	}
	if err := open(t, "", kv.Options{}).Sync(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	for _, path := range []string{"", filepath.Join(t.TempDir(), "kv")} {
		s := open(t, path, kv.Options{})
		p := space(t, s, "p", 0)
		set(t, p, "a", "1", 0)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		has(t, p, "a", "1")
		_, incr := p.Incr("n", 1, 0)
		_, swap := p.CompareAndSwap("n", nil, []byte("1"), 0)
		_, again := s.Space("p", 0)
		for _, err := range []error{p.Set("a", nil, 0), incr, swap, again, s.Sync(t.Context())} {
			if err != kv.ErrClosed {
				t.Errorf("%q: after Close: %v", path, err)
			}
		}
		has(t, p, "a", "1")
	}
}

// Writes that run into Close are kept, or fail.
func TestCloseKeepsWhatSucceeded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv")
	s := open(t, path, kv.Options{FlushEvery: time.Millisecond})
	p := space(t, s, "p", 0)
	var wg sync.WaitGroup
	done := make([]int64, 8)
	for i := range done {
		wg.Go(func() {
			for {
				n, err := p.Incr(fmt.Sprint("n", i), 1, 0)
				if err != nil {
					return
				}
				done[i] = n
				if i == 0 && n == 5000 {
					go func() { _ = s.Close() }()
				}
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	p = space(t, open(t, path, kv.Options{}), "p", 0)
	for i, want := range done {
		if n, err := p.Incr(fmt.Sprint("n", i), 0, 0); n != want || err != nil {
			t.Errorf("counter %d is %d, %v; want %d", i, n, err, want)
		}
	}
}

// An overlay and its base do not write to each other.
func TestOverlay(t *testing.T) {
	now := newClock()
	s := open(t, "", now.options())
	base := space(t, s, "p", 64<<10)
	set(t, base, "a", "base", 0)
	set(t, base, "hour", "\x01\x00\x00\x00\x00\x00\x00\x00", time.Hour)
	o := kv.Overlay(base)
	has(t, o, "a", "base")
	set(t, base, "a", "later", 0)
	has(t, o, "a", "later") // not written to yet
	set(t, o, "a", "mine", 0)
	set(t, base, "a", "again", 0)
	has(t, o, "a", "mine")
	has(t, base, "a", "again")
	if err := o.Set("a", nil, 0); err != nil {
		t.Error(err)
	}
	has(t, o, "a", "")
	has(t, base, "a", "again")
	if n, err := o.Incr("hour", 1, 24*time.Hour); n != 2 || err != nil {
		t.Error(n, err)
	}
	has(t, base, "hour", "\x01\x00\x00\x00\x00\x00\x00\x00")
	now.pass(time.Hour)
	has(t, o, "hour", "") // as it would have in the base
	if st := s.Stats().Spaces[0]; st.Refused != 0 || !bytes.Equal([]byte(st.Name), []byte("p")) {
		t.Errorf("%+v", st)
	}
}

// What an overlay keeps of keys that come and go in its base is bounded.
func TestOverlayForgets(t *testing.T) {
	s := open(t, "", kv.Options{})
	base := space(t, s, "p", 8<<10)
	o := kv.Overlay(base)
	for i := range 10000 {
		key := fmt.Sprint("key", i)
		set(t, base, key, "1", 0)
		if err := o.Set(key, nil, 0); err != nil {
			t.Fatal(err)
		}
		if err := base.Set(key, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if n := kv.Held(o); n > 200 {
		t.Errorf("%d keys are kept", n)
	}
	for i := range 10000 {
		if err := o.Set(fmt.Sprint("more", i), nil, 0); err != nil {
			t.Fatal(err)
		}
		if err := o.Set(fmt.Sprint("more", i), make([]byte, 100), 0); errors.Is(err, policy.ErrKVFull) {
			if i < 30 || i > 8<<10/(kv.Overhead+105) {
				t.Errorf("full after %d keys", i)
			}
			return
		}
	}
	t.Error("never full")
}
