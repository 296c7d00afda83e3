package defender

import "time"

// The ranks of what a table keeps. What has no rank is worth nothing any more;
// what is pinned is never given up for something new.
const (
	gone   = 0
	pinned = 6
	ranks  = pinned + 1
)

// none is the end of a list.
const none = ^uint32(0)

// table keeps a bounded number of values. When it is full, what has the lowest
// rank goes first, and of one rank what was touched longest ago. Every operation
// takes the same time, however much it holds. It has no pointers of its own, so
// that the collector has nothing to follow in it.
type table[K comparable, V any] struct {
	most    int
	rank    func(v *V, at time.Duration) uint8
	dropped func(k K) // told of what goes, nil for nobody

	index map[K]uint32
	slots []slot[K, V]
	free  uint32 // first of the unused slots, linked by next
	lists [ranks]ring
}

type slot[K comparable, V any] struct {
	key        K
	value      V
	rank       uint8
	prev, next uint32 // prev leads to what was touched later
}

// ring is an open one: it leads from the slot touched last to that touched first.
type ring struct {
	head, tail uint32
	n          int
}

func newTable[K comparable, V any](most int, rank func(*V, time.Duration) uint8) *table[K, V] {
	t := &table[K, V]{most: most, rank: rank, index: map[K]uint32{}, free: none}
	for i := range t.lists {
		t.lists[i] = ring{head: none, tail: none}
	}
	return t
}

func (t *table[K, V]) len() int { return len(t.index) }

// find returns what is kept under k, or nil. It is valid until the next hold.
func (t *table[K, V]) find(k K) *V {
	if i, ok := t.index[k]; ok {
		return &t.slots[i].value
	}
	return nil
}

// hold returns what is kept under k, and makes it where there is nothing. It
// returns nil where only pinned values are left. The caller must call settle.
func (t *table[K, V]) hold(k K, at time.Duration) *V {
	if v := t.find(k); v != nil {
		return v
	}
	t.tidy(at)
	if len(t.index) >= t.most && !t.evict() {
		return nil
	}
	i := t.free
	if i != none {
		t.free = t.slots[i].next
		t.slots[i] = slot[K, V]{}
	} else {
		i = uint32(len(t.slots))
		t.slots = append(t.slots, slot[K, V]{})
	}
	t.slots[i].key = k
	t.index[k] = i
	t.push(i, 1)
	return &t.slots[i].value
}

// settle puts what is kept under k where its rank belongs, as touched just now, or
// gives it up.
func (t *table[K, V]) settle(k K, at time.Duration) {
	if i, ok := t.index[k]; ok {
		t.place(i, at)
	}
}

func (t *table[K, V]) place(i uint32, at time.Duration) {
	r := t.rank(&t.slots[i].value, at)
	if r == gone {
		t.remove(i)
		return
	}
	t.unlink(i)
	t.push(i, r)
}

// tidy looks at what was touched longest ago in each rank: time may have brought it
// down.
func (t *table[K, V]) tidy(at time.Duration) {
	for r := range t.lists {
		if i := t.lists[r].tail; i != none && t.rank(&t.slots[i].value, at) != uint8(r) {
			t.place(i, at)
		}
	}
}

func (t *table[K, V]) evict() bool {
	for r := range pinned {
		if i := t.lists[r].tail; i != none {
			t.remove(i)
			return true
		}
	}
	return false
}

func (t *table[K, V]) delete(k K) {
	if i, ok := t.index[k]; ok {
		t.remove(i)
	}
}

func (t *table[K, V]) remove(i uint32) {
	t.unlink(i)
	k := t.slots[i].key
	delete(t.index, k)
	t.slots[i] = slot[K, V]{next: t.free}
	t.free = i
	if t.dropped != nil {
		t.dropped(k)
	}
}

func (t *table[K, V]) push(i uint32, rank uint8) {
	l, s := &t.lists[rank], &t.slots[i]
	s.rank, s.prev, s.next = rank, none, l.head
	if l.head != none {
		t.slots[l.head].prev = i
	} else {
		l.tail = i
	}
	l.head = i
	l.n++
}

func (t *table[K, V]) unlink(i uint32) {
	s := &t.slots[i]
	l := &t.lists[s.rank]
	if s.prev != none {
		t.slots[s.prev].next = s.next
	} else {
		l.head = s.next
	}
	if s.next != none {
		t.slots[s.next].prev = s.prev
	} else {
		l.tail = s.prev
	}
	l.n--
}

// each visits what has at least this rank, the highest ranks first and of each what
// was touched last, until visit returns false. The table must not change meanwhile.
func (t *table[K, V]) each(least uint8, visit func(K, *V) bool) {
	for r := pinned; r >= int(least); r-- {
		for i := t.lists[r].head; i != none; i = t.slots[i].next {
			if !visit(t.slots[i].key, &t.slots[i].value) {
				return
			}
		}
	}
}
