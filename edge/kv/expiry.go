package kv

// expiries is a heap of the entries that vanish, the next one first.
type expiries []*entry

// schedule lets an entry vanish at a time, 0 is never.
func (sh *shard) schedule(e *entry, expires int64) {
	if e.expires == expires {
		return
	}
	e.expires = expires
	switch {
	case expires == 0:
		sh.due.remove(int(e.at))
	case e.at < 0:
		e.at = int32(len(sh.due))
		sh.due = append(sh.due, e)
		sh.due.up(int(e.at))
	default:
		sh.due.down(sh.due.up(int(e.at)))
	}
	next := int64(0)
	if len(sh.due) > 0 {
		next = sh.due[0].expires
	}
	if sh.next.Load() != next {
		sh.next.Store(next)
	}
}

func (h *expiries) remove(i int) {
	old := *h
	last := len(old) - 1
	old[i].at = -1
	if i != last {
		old[i] = old[last]
		old[i].at = int32(i)
	}
	old[last] = nil
	*h = old[:last]
	if i != last {
		h.down(h.up(i))
	}
}

func (h expiries) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = int32(i), int32(j)
}

func (h expiries) up(i int) int {
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].expires <= h[i].expires {
			break
		}
		h.swap(i, parent)
		i = parent
	}
	return i
}

func (h expiries) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].expires < h[child].expires {
			child++
		}
		if h[i].expires <= h[child].expires {
			return
		}
		h.swap(i, child)
		i = child
	}
}

// fifo is a queue of entries from which one may be taken out anywhere.
type fifo struct {
	list []*entry
	head int
}

func (f *fifo) len() int { return len(f.list) - f.head }

func (f *fifo) push(e *entry) {
	e.queued = int32(len(f.list))
	f.list = append(f.list, e)
}

func (f *fifo) pop() *entry {
	e := f.list[f.head]
	f.list[f.head] = nil
	f.head++
	e.queued = -1
	switch {
	case f.head == len(f.list):
		f.list, f.head = f.list[:0], 0
	case f.head > 1024 && f.head > len(f.list)/2:
		f.compact()
	}
	return e
}

// compact moves what is left to the front.
func (f *fifo) compact() {
	n := copy(f.list, f.list[f.head:])
	clear(f.list[n:])
	f.list, f.head = f.list[:n], 0
	for i, e := range f.list {
		e.queued = int32(i)
	}
}

// remove takes an entry out; the last one takes its place, so of the first n none
// is later than it was.
func (f *fifo) remove(e *entry) {
	last := len(f.list) - 1
	if i := int(e.queued); i != last {
		f.list[i] = f.list[last]
		f.list[i].queued = int32(i)
	}
	f.list[last] = nil
	f.list = f.list[:last]
	e.queued = -1
	if f.head == len(f.list) {
		f.list, f.head = f.list[:0], 0
	}
}
