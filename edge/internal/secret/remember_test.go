package secret

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stored is a hash whose verification costs little.
func stored(t *testing.T, password string) string {
	t.Helper()
	p := params{memory: 64, time: 1, parallelism: 1, salt: []byte("0123456789abcdef")}
	p.key = p.derive(password, newKey)
	return p.String()
}

// remembered reports whether a verification needs no turn: all are taken.
func remembered(t *testing.T, v *Verifier, hash, password string) bool {
	t.Helper()
	v.gate.free = 0
	defer func() { v.gate.free = v.gate.places }()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("it had to wait"))
	defer cancel()
	ok, err := v.Verify(ctx, hash, password)
	if ok != (err == nil) {
		t.Fatalf("%v, %v", ok, err)
	}
	return ok
}

func TestRemember(t *testing.T) {
	hash, other := stored(t, "right"), stored(t, "other")
	synctest.Test(t, func(t *testing.T) {
		v := NewVerifier(1)
		v.Remember(time.Minute)
		must := func(hash, password string, want bool) {
			t.Helper()
			if ok, err := v.Verify(t.Context(), hash, password); ok != want || err != nil {
				t.Fatalf("%v, %v", ok, err)
			}
		}
		must(hash, "wrong", false)
		if remembered(t, v, hash, "wrong") || remembered(t, v, hash, "right") {
			t.Fatal("something is known before anything has matched")
		}
		must(hash, "right", true)
		if !remembered(t, v, hash, "right") {
			t.Error("what has matched is not known")
		}
		for name, pair := range map[string][2]string{"a wrong password": {hash, "wrong"}, "an empty one": {hash, ""}, "another hash": {other, "right"}} {
			if remembered(t, v, pair[0], pair[1]) {
				t.Errorf("%s is known", name)
			}
		}
		<-time.After(59 * time.Second)
		must(hash, "right", true) // which does not begin anew
		<-time.After(time.Second)
		if remembered(t, v, hash, "right") {
			t.Error("it is known for longer than a minute")
		}
		if v.remembers() != 0 {
			t.Error("what is over is kept")
		}
	})
}

func TestRememberNothing(t *testing.T) {
	hash := stored(t, "right")
	for name, set := range map[string]func(*Verifier){"never asked": func(*Verifier) {}, "zero": func(v *Verifier) { v.Remember(0) },
		"forgotten": func(v *Verifier) { v.Remember(time.Hour); v.Remember(-1) }} {
		v := NewVerifier(1)
		set(v)
		if ok, err := v.Verify(t.Context(), hash, "right"); !ok || err != nil {
			t.Fatalf("%s: %v, %v", name, ok, err)
		}
		if remembered(t, v, hash, "right") {
			t.Errorf("%s: it is known", name)
		}
	}
}

// Of five hundred logins of one user at once the first does the work for those that wait.
func TestRememberedInTurn(t *testing.T) {
	hash := stored(t, "right")
	synctest.Test(t, func(t *testing.T) {
		v := NewVerifier(1)
		v.Remember(time.Minute)
		v.gate.free = 0
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() {
				if ok, err := v.Verify(t.Context(), hash, "right"); !ok || err != nil {
					t.Errorf("%v, %v", ok, err)
				}
			})
		}
		synctest.Wait()
		v.memory.keep(hash, "right") // the one that has the place
		v.memory.within = 0          // whoever does the work now forgets it again
		v.gate.leave()
		all.Wait()
		if v.remembers() != 1 || !v.memory.knows(hash, "right") {
			t.Error("one that waited did the work over")
		}
	})
}

func TestRememberedAreBounded(t *testing.T) {
	m := remembering(time.Hour)
	for i := range mostRemembered + 1000 {
		m.keep("hash", fmt.Sprint(i))
	}
	if len(m.until) != mostRemembered {
		t.Errorf("%d", len(m.until))
	}
	if !m.knows("hash", fmt.Sprint(mostRemembered+999)) {
		t.Error("the last one is not known")
	}
}

func TestMarks(t *testing.T) {
	m := remembering(time.Hour)
	seen := map[mark]string{}
	for _, pair := range [][2]string{{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"", "abc"}} {
		if was, ok := seen[m.mark(pair[0], pair[1])]; ok {
			t.Errorf("%q has the mark of %s", pair, was)
		}
		seen[m.mark(pair[0], pair[1])] = fmt.Sprint(pair)
	}
	first := m.mark("a", "b")
	if again := m.mark("a", "b"); again != first || remembering(time.Hour).mark("a", "b") == first {
		t.Error("a mark is made of the hash, the password and the process's key")
	}
}

// What verifications leave behind is collected, however long the collector would wait.
func TestTidy(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(10_000))
	p := params{memory: newMemory, time: 1, parallelism: 1, salt: make([]byte, 16), key: make([]byte, 16)}
	v := NewVerifier(1)
	cycles := func() uint32 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NumForcedGC
	}
	before := cycles()
	for range 7 {
		if _, err := v.verify(t.Context(), p, "", "x"); err != nil {
			t.Fatal(err)
		}
	}
	if got := cycles() - before; got != 2 || v.garbage.Load() != newMemory<<10 {
		t.Errorf("seven verifications were collected %d times, and left %d bytes", got, v.garbage.Load())
	}
	v.Remember(time.Hour)
	v.memory.keep("hash", "x")
	if ok, err := v.verify(t.Context(), p, "hash", "x"); !ok || err != nil || v.garbage.Load() != newMemory<<10 {
		t.Errorf("what is known leaves nothing: %v, %v, %d", ok, err, v.garbage.Load())
	}
}

// Where much is alive, collections are as rare as what they collect is little beside it.
func TestTidyMuch(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(10_000))
	much := make([]byte, 20*newMemory<<10)
	runtime.GC()
	p := params{memory: newMemory, time: 1, parallelism: 1, salt: make([]byte, 16), key: make([]byte, 16)}
	v := NewVerifier(1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 7 {
		if _, err := v.verify(t.Context(), p, "", "x"); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.NumForcedGC - before.NumForcedGC; n != 0 {
		t.Errorf("seven verifications beside %d MiB were collected %d times", len(much)>>20, n)
	}
	runtime.KeepAlive(much)
}

func BenchmarkRemembered(b *testing.B) {
	hash, err := Hash("right")
	if err != nil {
		b.Fatal(err)
	}
	v := NewVerifier(1)
	v.Remember(time.Hour)
	for b.Loop() {
		if ok, err := v.Verify(b.Context(), hash, "right"); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// A login that was spared the work, and is refused nevertheless, does it then; any other
// has done it already. What is nobody's password is not remembered.
func TestPay(t *testing.T) {
	hash := stored(t, "right")
	v := NewVerifier(1)
	v.Remember(time.Hour)
	if err := v.Like(hash); err != nil {
		t.Fatal(err)
	}
	work := func(do func() error) bool {
		t.Helper()
		v.garbage.Store(0)
		if err := do(); err != nil {
			t.Fatal(err)
		}
		return v.garbage.Load() > 0
	}
	for i, c := range []struct {
		password     string
		worked, paid bool
	}{{"right", true, false}, {"wrong", true, false}, {"right", false, true}, {"wrong", true, false}} {
		its := v.Of(netip.Addr{})
		worked := work(func() error { _, err := its.Verify(t.Context(), hash, c.password); return err })
		paid := work(func() error { return its.Pay(t.Context(), c.password) })
		again := work(func() error { return its.Pay(t.Context(), c.password) })
		if worked != c.worked || paid != c.paid || again {
			t.Errorf("%d: worked %v, paid %v, again %v", i, worked, paid, again)
		}
	}
	for range 2 {
		if !work(func() error { return v.VerifyNobody(t.Context(), "right") }) {
			t.Error("nobody's password is remembered")
		}
	}
	if v.Pay(t.Context(), "right") != nil {
		t.Error("a Verifier of no login owes something")
	}
}
