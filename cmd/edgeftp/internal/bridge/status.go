package bridge

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Status is what a Bridge does at a moment.
type Status struct {
	Connected time.Time  // since when there is a connection; zero: there is none
	Here      netip.Addr // this machine's address on it; zero: not known
	Moved     time.Time  // when that has changed; zero: never
	Wanted    bool       // there is no connection, and one is made
	Next      time.Time  // when that is tried again; not in the future: now
	Failures  int        // attempts in a row that have failed
	Clients   int
	Transfers []TransferStatus // in the order in which they have begun
}

// TransferStatus is a transfer that runs.
type TransferStatus struct {
	ID      uint64 // of no other one
	Session uint64
	Verb    string
	Name    string // as the client has said it, which may be anything
	Up      bool   // from the client
	Waits   bool   // for a connection
	Bytes   int64  // that the client has got, or sent
	Of      int64  // how many there are; 0: not known
	Began   time.Time
}

// Status returns what the Bridge does now. It may be called at any time, and nobody waits
// for it.
func (b *Bridge) Status() Status {
	st := b.trunk.status()
	st.Transfers = b.board.list()
	return st
}

// status is that of the connection.
func (t *trunk) status() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	st := Status{Wanted: t.attempt != nil, Next: t.next, Failures: t.failures, Clients: t.users}
	if t.link != nil {
		st.Connected, st.Here, st.Moved = t.since, t.here, t.moved
	}
	return st
}

// board has the transfers that run.
type board struct {
	mu   sync.Mutex
	last uint64
	runs map[uint64]running
}

type running struct {
	session uint64
	job     *transfer
}

// run runs a transfer, which is on the board meanwhile.
func (b *board) run(session uint64, job *transfer) {
	b.mu.Lock()
	b.last++
	id := b.last
	if b.runs == nil {
		b.runs = map[uint64]running{}
	}
	b.runs[id] = running{session, job}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.runs, id)
	}()
	job.run()
}

// list describes the transfers.
func (b *board) list() []TransferStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []TransferStatus
	for id, r := range maps.All(b.runs) {
		all = append(all, r.job.status(id, r.session))
	}
	slices.SortFunc(all, func(a, b TransferStatus) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// status describes a transfer.
func (t *transfer) status(id, session uint64) TransferStatus {
	st := TransferStatus{ID: id, Session: session, Verb: t.verb, Name: t.name, Up: t.up, Waits: t.waits.Load(), Bytes: t.moved.Load(), Began: t.began}
	if facts := t.facts.Load(); facts != nil && t.binary {
		st.Of = max(sizeFact(*facts)-t.from, 0)
	}
	return st
}

// sizeFact is the size among the facts of a file, 0 if it is not there.
func sizeFact(facts string) int64 {
	for _, fact := range strings.Split(facts, ";") {
		if text, is := strings.CutPrefix(fact, "size="); is {
			n, _ := strconv.ParseInt(text, 10, 63) // 0 is unknown
			return n
		}
	}
	return 0
}
