package wasmhost

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Exchange is one question to a guest with everything that crossed the border for it,
// by value. It never holds the password of a login, nor what binds it to its connection:
// ARG and BINDING of its record are empty, and of a policy that is shown the password there
// are no arguments of calls of the host (but in a trial, whose secrets are those of tests);
// where the rest has one of the two in so many words, it is made unreadable.
type Exchange struct {
	Hook    string        // such as "fs"
	Record  []byte        // the question (ABI §3)
	Verdict uint64        // what the hook returned (ABI §6), 0 after a failure
	Reply   []byte        // what it wrote, nil for nothing
	Host    []HostCall    // what it asked the host, in order
	Lost    int           // calls of the host beyond those, which were too much to keep
	Fuel    int64         // units of work
	Took    time.Duration // from the question in the mailbox to the verdict
	Memory  uint32        // bytes of the instance's memory afterwards
	Stderr  string        // what it wrote there, if the call failed
	Trace   *Span         // where the fuel went, nil but with LoadOptions.Traced
	Err     error         // a *CallError if the call failed or the answer breaks the ABI
}

// Watcher is told of calls of one policy's guest.
type Watcher struct {
	// Failed has only failed calls told. Every call pays for every call told, so a
	// server that only wants to know why something failed says so.
	Failed bool
	// Tell takes one call. It runs before the answer is used and must not block; the
	// exchange is its own. It is called by many goroutines at once.
	Tell func(*Exchange)
}

// Watch has w told of all calls that begin from now on, nil none. There is one watcher
// at a time.
func (p *Policy) Watch(w *Watcher) { p.watch.Store(w) }

// tape is what an instance writes down of a running call.
type tape struct {
	watcher *Watcher
	record  []byte // nil if only failures are told
	calls   []HostCall
	arena   []byte // the last of what the calls hold, with room behind it
	room    []byte // what the arena begins with
	bytes   int    // of the calls
	lost    int    // calls that are not there
	trace   *Span
	start   time.Time
}

// maxTape bounds what is kept of the calls of one exchange, whatever they cost the
// guest: its limits are not those of the server's memory.
const maxTape = 2 << 20

// callSize is about what one call takes beside its bytes.
const callSize = 128

// maxRoom is how much room an instance keeps for the next call.
const maxRoom = 64 << 10

// forgotten makes the tape ready for the next call, after one that nobody is told of.
func (t *tape) forgotten() {
	if used := t.bytes - callSize*len(t.calls); used > cap(t.room) && used <= maxRoom {
		t.room = make([]byte, 0, 2*used)
	}
	clear(t.calls)
}

// tapeOn starts the tape of a call if somebody wants it.
func (in *instance) tapeOn(record []byte) {
	w := in.policy.watch.Load()
	if w == nil {
		in.tape = nil
		return
	}
	// The instance's own, with the room of earlier calls: nearly all calls are told to
	// nobody.
	in.own = tape{watcher: w, calls: in.own.calls[:0], arena: in.own.room[:0], room: in.own.room}
	in.tape = &in.own
	if !w.Failed {
		in.own.record, in.own.start = append([]byte(nil), record...), time.Now()
	}
}

// wanted reports whether the running call is to be told. One that is not is over.
func (in *instance) wanted(err error) bool {
	if in.tape.watcher.Failed && err == nil {
		in.tape.forgotten()
		in.tape = nil
		return false
	}
	return true
}

// tapeOff ends it and tells of the call. again writes the record anew, since the guest
// has written over it. shown are the secrets that the guest was shown.
func (in *instance) tapeOff(h abi.Hook, raw uint64, reply []byte, err error, shown secrets, again func() ([]byte, error)) {
	t := in.tape
	in.tape = nil
	x := &Exchange{Hook: h.String(), Record: t.record, Verdict: raw, Reply: append([]byte(nil), reply...), Host: t.calls, Lost: t.lost,
		Fuel: in.used(), Memory: in.mem.Size(), Trace: t.trace, Err: err}
	watcher := t.watcher
	t.room, t.calls = nil, nil // they are the exchange's from here on
	if x.Record == nil {
		x.Record, _ = again() // it could be written before
	} else {
		x.Took = time.Since(t.start)
	}
	if fault := (*CallError)(nil); errors.As(err, &fault) {
		x.Stderr, x.Verdict = fault.Stderr, 0
	}
	if h == abi.HookAuth {
		x.Record = withoutSecrets(x.Record)
	}
	if in.policy.world == nil {
		x.forget(shown)
	}
	watcher.Tell(x)
}

// Ask asks a hook with a record that is there already (ABI §3), as a recording or a
// golden vector has it, and writes what came of it to x, whose buffers it uses again.
// Stat, digests and passwords are those of policy.ServicesOf(ctx). Nothing looks at the
// record but the guest. The error is also the exchange's.
func (p *Policy) Ask(ctx context.Context, h abi.Hook, record []byte, x *Exchange) error {
	*x = Exchange{Hook: h.String(), Record: record, Reply: x.Reply[:0], Host: x.Host[:0]}
	if h == 0 || int(h) >= len(p.module.hooks) || h == abi.HookIdle || !p.module.hooks[h] {
		x.Err = fmt.Errorf("policy %q has no hook %s", p.name, h)
		return x.Err
	}
	in, waited, err := p.begin(ctx, h)
	if err == nil {
		err = in.replay(ctx, h, waited, x)
		p.end(in, err)
	}
	x.Err = err
	if fault := (*CallError)(nil); errors.As(err, &fault) {
		x.Stderr, x.Verdict, x.Reply = fault.Stderr, 0, x.Reply[:0]
	}
	return err
}

// replay is the part of Ask that the instance takes part in.
func (in *instance) replay(ctx context.Context, h abi.Hook, waited time.Duration, x *Exchange) error {
	record := x.Record
	box, ok := in.mailbox()
	if !ok {
		return in.fault(CauseBadOutput, h.String(), errors.New("the mailbox is outside the memory"))
	}
	if len(record) > len(box) {
		return in.fault(CauseQuestion, h.String(), fmt.Errorf("%w: the question has %d bytes, the mailbox %d", errNoRoom, len(record), len(box)))
	}
	copy(box, record)
	word := func(off int) uint64 {
		if len(record) < off+8 {
			return 0
		}
		return binary.LittleEndian.Uint64(record[off:])
	}
	var at time.Time
	if ns := int64(word(abi.OffTime)); ns != 0 {
		at = time.Unix(0, ns)
	}
	in.own = tape{calls: x.Host}
	in.tape = &in.own
	in.enter(ctx, h, h == abi.HookAuth && uint32(word(abi.OffFlags))&abi.FlagEarly != 0, nil)
	start := time.Now()
	raw, err := in.ask(h, len(record), at, waited)
	in.tape = nil
	x.Took, x.Host, x.Lost = time.Since(start), in.own.calls, in.own.lost
	x.Fuel, x.Memory, x.Trace = in.used(), in.mem.Size(), in.own.trace
	if err != nil {
		return err
	}
	x.Verdict = raw
	v, reply, err := in.answer(raw)
	if err == nil {
		err = abi.CheckReply(h, v, reply, int(int64(word(abi.OffA))), in.policy.limits.Strict)
	}
	x.Reply = append(x.Reply, reply...)
	return in.judged(h, err)
}
