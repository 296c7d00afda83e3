// Package idle keeps control connections on which nothing happens, without a goroutine
// and without a buffer for each: they are parked in a Lot, which says when one has to be
// looked after again, and why. A quiet session costs what its own state takes, and a
// quiet Lot no processor time at all.
//
// A parked connection has a slot in a table, and whoever takes the slot out, under the
// table's lock, owns the connection: the poller to which the kernel has reported bytes,
// the wheel whose second has come, or whoever wants it stopped. A slot that is used again
// has another generation, so that an event that was reported for an earlier use is known
// for what it is: the descriptor alone would not tell them apart. The slot is published
// before the kernel is asked for events, and what parks a connection touches nothing of it
// afterwards: somebody else may own it by then.
//
// There is one level-triggered, one-shot epoll set (epoll(7)), which is itself watched by
// the runtime's poller, so that no thread waits in it. The deadlines are on one wheel with
// ticks of a second, of which only those take place at which something is due.
//
// Outside of Linux nothing can be parked: New returns errors.ErrUnsupported.
package idle

import (
	"errors"
	"time"
)

// Reason says why a parked connection is handed back.
type Reason uint8

// The reasons.
const (
	Readable Reason = iota // there are bytes, or the other side has ended or reset the connection
	Expired                // the second in which its time comes has begun
	Stopped                // Stop or Wake was called
)

// What Park refuses with. The connection is the caller's as before.
var (
	ErrStopped = errors.New("idle: nothing is parked any more")
	ErrNear    = errors.New("idle: its time comes within a second")
)

// tick is the wheel's. A deadline is reported in the tick in which it lies, before it has
// passed: whoever needs it exactly waits for the rest himself.
const tick = time.Second

// Config says what a Lot does with what it has.
type Config struct {
	// Wake hands back what was parked under a token. It may park it again, from any
	// goroutine. It is called in a goroutine of its own for each call, and recovers from
	// its panics. Required.
	Wake func(token uint64, why Reason)
}
