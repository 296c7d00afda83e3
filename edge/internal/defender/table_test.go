package defender

import (
	"math/rand/v2"
	"testing"
	"time"
)

// weight is a value whose rank is said outright, until it is over.
type weight struct {
	rank uint8
	over time.Duration
}

func weightRank(w *weight, at time.Duration) uint8 {
	if at >= w.over {
		return gone
	}
	return w.rank
}

// check fails for a table whose lists, index and bound do not agree.
func (t *table[K, V]) check(tb testing.TB) {
	tb.Helper()
	n := 0
	for r, l := range t.lists {
		count, before := 0, none
		for i := l.head; i != none; i = t.slots[i].next {
			s := &t.slots[i]
			if s.prev != before || int(s.rank) != r || t.index[s.key] != i {
				tb.Fatalf("slot %d of rank %d: %+v after %d, indexed as %d", i, r, s, before, t.index[s.key])
			}
			before = i
			count++
		}
		if l.tail != before || l.n != count {
			tb.Fatalf("rank %d: the last is %d and not %d, of %d and not %d", r, l.tail, before, l.n, count)
		}
		n += count
	}
	if n != len(t.index) || n > t.most || len(t.slots) > t.most {
		tb.Fatalf("%d are listed, %d are indexed, %d slots, at most %d", n, len(t.index), len(t.slots), t.most)
	}
}

func TestTable(t *testing.T) {
	const most = 20
	rnd := rand.New(rand.NewPCG(1, 2))
	dropped := map[int]int{}
	tab := newTable[int](most, weightRank)
	tab.dropped = func(k int) { dropped[k]++ }
	for at := range time.Duration(20_000) {
		k := rnd.IntN(60)
		switch rnd.IntN(8) {
		case 0:
			tab.delete(k)
		default:
			lowest := gone
			for r := 1; r < pinned && lowest == gone; r++ {
				if tab.lists[r].n > 0 {
					lowest = r
				}
			}
			full, before := tab.len() == most && tab.find(k) == nil, map[int]bool{}
			tab.each(uint8(lowest+1), func(k int, w *weight) bool {
				before[k] = at < w.over
				return true
			})
			w := tab.hold(k, at)
			if w == nil {
				if tab.lists[pinned].n != most {
					t.Fatalf("no room, but only %d are pinned", tab.lists[pinned].n)
				}
				break
			}
			for k, good := range before {
				if full && good && tab.find(k) == nil {
					t.Fatalf("%d went, though a lower rank was there", k)
				}
			}
			*w = weight{uint8(1 + rnd.IntN(pinned)), at + time.Duration(rnd.IntN(400))}
			tab.settle(k, at)
		}
		tab.check(t)
	}
	if len(dropped) == 0 {
		t.Error("nothing ever went")
	}
}

// Of one rank what was touched longest ago goes first.
func TestTableOldest(t *testing.T) {
	tab := newTable[int](3, weightRank)
	touch := func(k int) {
		*tab.hold(k, 0) = weight{2, 10}
		tab.settle(k, 0)
	}
	for _, k := range []int{1, 2, 3, 1, 4} {
		touch(k)
	}
	for k, there := range map[int]bool{1: true, 2: false, 3: true, 4: true} {
		if (tab.find(k) != nil) != there {
			t.Errorf("%d is there: %v", k, !there)
		}
	}
}

// What has been added counts for the width at least, and an eighth longer at most.
func TestWindow(t *testing.T) {
	const width = 8 * time.Minute
	rnd := rand.New(rand.NewPCG(3, 4))
	type added struct {
		at time.Duration
		n  int
	}
	var w window
	var all []added
	at := epoch
	for range 5000 {
		at += time.Duration(rnd.Int64N(int64(width / 3)))
		n := rnd.IntN(50)
		w.add(at, width, n)
		all = append(all, added{at, n})
		at += time.Duration(rnd.Int64N(int64(width / 5)))
		least, most := 0, 0
		for _, a := range all {
			if at-a.at <= width {
				least += a.n
			}
			if at-a.at < width+width/pieces {
				most += a.n
			}
		}
		if got := w.sum(at, width); got < least || got > most {
			t.Fatalf("the sum is %d, between %d and %d", got, least, most)
		}
	}
	for range 10 {
		w.add(at, width, 60_000)
	}
	if got := w.sum(at, width); got < 60_000 {
		t.Errorf("so many that they wrapped: %d", got)
	}
	if got := w.sum(at-time.Hour, width); got < 60_000 {
		t.Errorf("a clock that goes back forgets: %d", got)
	}
}

// What is pinned never goes for something new, and what time has brought down goes
// before what is young and low.
func TestTablePinned(t *testing.T) {
	tab := newTable[int](3, weightRank)
	put := func(k int, w weight, at time.Duration) bool {
		v := tab.hold(k, at)
		if v != nil {
			*v = w
			tab.settle(k, at)
		}
		tab.check(t)
		return v != nil
	}
	put(1, weight{pinned, 10}, 0)
	put(2, weight{pinned, 10}, 0)
	put(3, weight{4, 5}, 0)
	if !put(4, weight{pinned, 10}, 1) || tab.find(3) != nil {
		t.Error("what is not pinned stays")
	}
	if put(5, weight{1, 10}, 2) || tab.len() != 3 {
		t.Error("there is room among the pinned")
	}
	if !put(5, weight{1, 20}, 10) || tab.find(1) != nil || tab.find(2) == nil {
		t.Error("what is over stays, or the wrong one went")
	}
	if !put(6, weight{1, 20}, 10) || tab.find(2) != nil || tab.find(5) == nil {
		t.Error("what is over outlives what is young")
	}
}

func TestKeys(t *testing.T) {
	for a, want := range map[string][2]string{
		"192.0.2.77":              {"192.0.2.77/32", "192.0.2.0/24"},
		"::ffff:192.0.2.77":       {"192.0.2.77/32", "192.0.2.0/24"},
		"0.0.0.0":                 {"0.0.0.0/32", "0.0.0.0/24"},
		"::1":                     {"::/64", "::/48"},
		"::fffe:c000:24d":         {"::/64", "::/48"},
		"2001:db8:1:2:3:4:5:6":    {"2001:db8:1:2::/64", "2001:db8:1::/48"},
		"fe80::1:2%eth0":          {"fe80::/64", "fe80::/48"},
		"2001:db8::ffff:0102:304": {"2001:db8::/64", "2001:db8::/48"},
	} {
		k, ok := hostOf(addr(a))
		if !ok || k.hostPrefix() != prefixOf(want[0]) || k.network().networkPrefix() != prefixOf(want[1]) {
			t.Errorf("%s: %v in %v", a, k.hostPrefix(), k.network().networkPrefix())
		}
		if again, ok := keyOf(k.hostPrefix()); !ok || again != k {
			t.Errorf("%s: %v is not found again", a, k.hostPrefix())
		}
	}
	for _, wide := range []string{"192.0.2.0/31", "2001:db8::/63", "2001:db8::1/128"} {
		if _, ok := keyOf(prefixOf(wide)); ok {
			t.Errorf("%s is a host", wide)
		}
	}
}

// Of the places where a user has logged in the latest are known.
func TestHomes(t *testing.T) {
	var o owner
	for i := range homes {
		o.enter(home{key{0, uint64(i)}, time.Duration(i)})
	}
	o.enter(home{key{0, 0}, 100}) // the first one again
	o.enter(home{key{0, 50}, 101})
	o.enter(home{key{0, 51}, 102})
	known := map[uint64]bool{}
	for _, h := range o.home[:o.n] {
		known[h.net.lo] = true
	}
	if len(known) != homes || known[1] || known[2] || !known[0] || !known[3] || !known[50] || !known[51] {
		t.Errorf("%v", known)
	}
}
