package idle

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// model is the table as it would be without a wheel.
type model struct {
	held map[uint64]ticket
	due  map[uint64]uint32
}

// The wheel hands out at each tick what is due, also what was put turns ahead, and the
// table agrees with one that has no wheel.
func TestTable(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 8))
	table, m := newTable(), model{map[uint64]ticket{}, map[uint64]uint32{}}
	var old []ticket
	var now uint32
	token := uint64(0)
	for range 20000 {
		switch rnd.IntN(5) {
		case 0, 1:
			token++
			due := now + 1 + rnd.Uint32N(3*turn)
			if rnd.IntN(4) == 0 {
				due = 0
			}
			m.held[token], m.due[token] = table.put(token, due), due
		case 2:
			for tok, k := range m.held { // any one
				if found, ok := table.find(tok); !ok || found != k {
					t.Fatalf("%d is at %v, not %v", tok, found, k)
				}
				if got, ok := table.take(k); !ok || got != tok {
					t.Fatalf("taking %d brought %d, %v", tok, got, ok)
				}
				old = append(old, k)
				delete(m.held, tok)
				break
			}
		case 3:
			if len(old) > 0 {
				if got, ok := table.take(old[rnd.IntN(len(old))]); ok {
					t.Fatalf("an old ticket brought %d", got)
				}
			}
		case 4:
			now += rnd.Uint32N(9)
			if rnd.IntN(50) == 0 {
				now += 2 * turn // nobody looked for long
			}
			m.expire(t, &table, now)
		}
		m.next(t, &table)
	}
	if left := table.clear(); len(left) != len(m.held) || table.taken != 0 || table.next() != 0 {
		t.Errorf("%d were left of %d; %d are taken, and the next tick is %d", len(left), len(m.held), table.taken, table.next())
	}
}

// expire holds what is due against what the table says.
func (m model) expire(t *testing.T, table *table, now uint32) {
	t.Helper()
	var want []uint64
	for token := range m.held {
		if due := m.due[token]; due > 0 && due <= now {
			want = append(want, token)
			delete(m.held, token)
		}
	}
	got := table.expire(now, nil)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("at %d: %v are due, not %v", now, got, want)
	}
}

// next: no tick is passed over at which something is due, and there is none where nothing
// is on the wheel.
func (m model) next(t *testing.T, table *table) {
	t.Helper()
	first := uint32(0)
	for token := range m.held {
		if due := m.due[token]; due > 0 && (first == 0 || due < first) {
			first = due
		}
	}
	next := table.next()
	if (next == 0) != (first == 0) || next > first || next > 0 && next <= table.now {
		t.Fatalf("the next tick is %d, and %d is due, after %d", next, first, table.now)
	}
	if first > 0 && first <= table.now+turn && next != first {
		for token := range m.held {
			if m.due[token]%turn == next%turn && m.due[token] > 0 {
				return // something of another turn
			}
		}
		t.Fatalf("at %d there is nothing", next)
	}
	if table.taken != len(m.held) {
		t.Fatalf("%d are taken, not %d", table.taken, len(m.held))
	}
}

// A slot that is used again does not heed the tickets of earlier uses.
func TestGenerations(t *testing.T) {
	table := newTable()
	first := table.put(1, 0)
	table.take(first)
	second := table.put(2, 5)
	if second.index != first.index || second == first {
		t.Fatalf("the slots are %v and %v", first, second)
	}
	for _, k := range []ticket{first, {}, {second.index, second.gen + 1}, {99, 1}} {
		if token, ok := table.take(k); ok {
			t.Errorf("%v brought %d", k, token)
		}
	}
	if token, ok := table.take(second); !ok || token != 2 {
		t.Errorf("%d, %v", token, ok)
	}
	if table.next() != 0 {
		t.Error("it is still on the wheel")
	}
}
