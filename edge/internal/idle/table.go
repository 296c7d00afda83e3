package idle

import "math/bits"

// turn is the number of buckets of the wheel. What is due later than a turn away is passed
// over until its turn has come: at five minutes, the usual idle limit, never.
const turn = 512

// ticket is a slot's place in the table and its generation, as the kernel keeps it with a
// descriptor. The zero value is none.
type ticket struct{ index, gen uint32 }

// slot is a parked connection. It holds no pointer, so that the garbage collector does not
// look at the table.
type slot struct {
	token      uint64
	due        uint32 // the tick that it is on the wheel for; 0 is none
	gen        uint32 // odd while the slot is taken
	prev, next uint32 // in the wheel's bucket, 0 ends; next also in the list of free slots
}

// table is the slots and the wheel on which they are. It knows no clock: ticks are numbers
// from 1 on. It is not safe for concurrent use.
type table struct {
	slots   []slot // the first one is nobody's
	free    uint32
	taken   int               // slots
	buckets [turn]uint32      // the first slot of each tick
	filled  [turn / 64]uint64 // which of these there are
	now     uint32            // the last tick that was expired
}

func newTable() table { return table{slots: make([]slot, 1)} }

// put takes a slot for a token, until the tick due, which must be later than now; 0 is
// never.
func (t *table) put(token uint64, due uint32) ticket {
	i := t.free
	if i == 0 {
		t.slots = append(t.slots, slot{})
		i = uint32(len(t.slots) - 1)
	} else {
		t.free = t.slots[i].next
	}
	s := &t.slots[i]
	s.token, s.due, s.prev, s.next = token, due, 0, 0
	s.gen++
	t.taken++
	if due > 0 {
		t.link(i)
	}
	return ticket{i, s.gen}
}

// link puts a slot into the bucket of its tick.
func (t *table) link(i uint32) {
	s, b := &t.slots[i], t.slots[i].due%turn
	if first := t.buckets[b]; first != 0 {
		s.next, t.slots[first].prev = first, i
	}
	t.buckets[b] = i
	t.filled[b/64] |= 1 << (b % 64)
}

func (t *table) unlink(i uint32) {
	s, b := &t.slots[i], t.slots[i].due%turn
	if s.next != 0 {
		t.slots[s.next].prev = s.prev
	}
	if s.prev != 0 {
		t.slots[s.prev].next = s.next
		return
	}
	if t.buckets[b] = s.next; s.next == 0 {
		t.filled[b/64] &^= 1 << (b % 64)
	}
}

// take empties the slot of a ticket, unless that was done already, and returns its token.
func (t *table) take(k ticket) (token uint64, ok bool) {
	if k.index == 0 || int(k.index) >= len(t.slots) {
		return 0, false
	}
	s := &t.slots[k.index]
	if s.gen != k.gen {
		return 0, false
	}
	if s.due > 0 {
		t.unlink(k.index)
	}
	s.gen++
	t.taken--
	s.next, t.free = t.free, k.index
	return s.token, true
}

// find returns the ticket of what is parked under a token. It looks at all of them: it is
// for what happens rarely.
func (t *table) find(token uint64) (ticket, bool) {
	for i, s := range t.slots {
		if s.token == token && s.gen%2 == 1 {
			return ticket{uint32(i), s.gen}, true
		}
	}
	return ticket{}, false
}

// clear takes everything, and returns the tokens.
func (t *table) clear() []uint64 {
	var tokens []uint64
	for i, s := range t.slots {
		if token, ok := t.take(ticket{uint32(i), s.gen | 1}); ok {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// expire takes everything that is due at a tick or before it, and appends the tokens.
func (t *table) expire(now uint32, tokens []uint64) []uint64 {
	for due := max(t.now+1, max(now, turn)-turn+1); due <= now; due++ {
		for i := t.buckets[due%turn]; i != 0; {
			s := &t.slots[i]
			k := ticket{i, s.gen}
			i = s.next
			if s.due > now {
				continue // in another turn
			}
			token, _ := t.take(k)
			tokens = append(tokens, token)
		}
	}
	t.now = max(t.now, now)
	return tokens
}

// next returns the first tick after the last expired one at which something may be due, 0
// if nothing is on the wheel.
func (t *table) next() uint32 {
	const words = turn / 64
	from := t.now + 1
	word := from % turn / 64
	left := t.filled[word] >> (from % 64) << (from % 64)
	for range words + 1 {
		if left != 0 {
			b := word*64 + uint32(bits.TrailingZeros64(left))
			return from + (b-from%turn+turn)%turn
		}
		word = (word + 1) % words
		left = t.filled[word]
	}
	return 0
}
