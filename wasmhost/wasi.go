package wasmhost

import (
	"encoding/binary"
	"math"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Error numbers of WASI preview 1.
const (
	wasiOK    = 0
	wasiBadf  = 8
	wasiFault = 21
	wasiInval = 28
)

// wasiFunctions is the stub of WASI that a module built for wasip1 can be linked
// against (ABI §7). It gives nothing of the server away: output goes to the log,
// time is the time of the question, random bytes are not random, and there are no
// arguments, no environment, no files and no waiting. Everything else of WASI is
// absent, and a module that imports it is refused at load.
func wasiFunctions() []hostFunction {
	const w = abi.WASIModule
	return []hostFunction{
		{w, "args_get", "(i32, i32) -> i32", "", wasiNothing},
		{w, "args_sizes_get", "(i32, i32) -> i32", "", wasiNone},
		{w, "environ_get", "(i32, i32) -> i32", "", wasiNothing},
		{w, "environ_sizes_get", "(i32, i32) -> i32", "", wasiNone},
		{w, "clock_time_get", "(i32, i64, i32) -> i32", "", wasiClock},
		{w, "fd_close", "(i32) -> i32", "", wasiNoFile},
		{w, "fd_fdstat_get", "(i32, i32) -> i32", "", wasiNoFile},
		{w, "fd_fdstat_set_flags", "(i32, i32) -> i32", "", wasiNoFile},
		{w, "fd_prestat_dir_name", "(i32, i32, i32) -> i32", "", wasiNoFile},
		{w, "fd_prestat_get", "(i32, i32) -> i32", "", wasiNoFile},
		{w, "fd_write", "(i32, i32, i32, i32) -> i32", "", wasiWrite},
		{w, "poll_oneoff", "(i32, i32, i32, i32) -> i32", "", wasiPoll},
		{w, "proc_exit", "(i32)", "", wasiExit},
		{w, "random_get", "(i32, i32) -> i32", "", wasiRandom},
		{w, "sched_yield", "() -> i32", "", wasiNothing},
	}
}

// wasiNothing succeeds without doing anything.
func wasiNothing(_ *instance, _ api.Module, stack []uint64) { stack[0] = wasiOK }

// wasiNoFile answers that there is no such file, nor any directory that was opened
// beforehand. Go's package os, which package fmt brings along, asks when it
// starts; functions that open or read anything are not there.
func wasiNoFile(_ *instance, _ api.Module, stack []uint64) { stack[0] = wasiBadf }

// wasiNone answers that there are no arguments and no environment.
func wasiNone(_ *instance, mod api.Module, stack []uint64) {
	mem := mod.Memory()
	if !mem.WriteUint32Le(uint32(stack[0]), 0) || !mem.WriteUint32Le(uint32(stack[1]), 0) {
		stack[0] = wasiFault
		return
	}
	stack[0] = wasiOK
}

// wasiClock answers with the time of the question for the real-time clock, and
// with a clock that only goes forward for the monotonic one. Each reading moves
// both on by a microsecond, so that code that waits for time to pass ends.
func wasiClock(in *instance, mod api.Module, stack []uint64) {
	in.clock.tick(1000)
	var ns int64
	switch uint32(stack[0]) {
	case 0:
		ns = in.clock.wall
	case 1:
		ns = in.clock.mono
	default:
		stack[0] = wasiInval
		return
	}
	if !mod.Memory().WriteUint64Le(uint32(stack[2]), uint64(ns)) {
		stack[0] = wasiFault
		return
	}
	stack[0] = wasiOK
}

// guestClock is the time that one instance sees, in nanoseconds since 1970.
type guestClock struct{ wall, mono int64 }

// set begins a call at the time of its question. Questions of different sessions
// may come out of order; the monotonic clock does not go back.
func (c *guestClock) set(ns int64) {
	c.wall = ns
	c.mono = max(c.mono, ns)
}

// tick moves both clocks on.
func (c *guestClock) tick(ns int64) {
	if c.mono < math.MaxInt64-ns && c.wall < math.MaxInt64-ns {
		c.wall += ns
		c.mono += ns
	}
}

// wasiWrite takes what the guest writes to standard output and error.
func wasiWrite(in *instance, mod api.Module, stack []uint64) {
	fd, iovs, n, written := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	if fd != 1 && fd != 2 {
		stack[0] = wasiBadf
		return
	}
	if n > 1024 {
		stack[0] = wasiInval
		return
	}
	mem := mod.Memory()
	list, ok := mem.Read(iovs, n*8)
	if !ok {
		stack[0] = wasiFault
		return
	}
	var total uint32
	for ; len(list) > 0; list = list[8:] {
		b, ok := mem.Read(binary.LittleEndian.Uint32(list), binary.LittleEndian.Uint32(list[4:]))
		if !ok {
			stack[0] = wasiFault
			return
		}
		total += uint32(len(b))
		in.stderr = append(in.stderr, b[:min(len(b), maxStderr+1-len(in.stderr))]...)
	}
	if !mem.WriteUint32Le(written, total) {
		stack[0] = wasiFault
		return
	}
	stack[0] = wasiOK
}

// Sizes and fields of a subscription and an event of poll_oneoff.
const (
	subSize, subTag, subClockTimeout, subClockFlags = 48, 8, 24, 40

	eventSize, eventErrno, eventType = 32, 8, 10

	maxSubs = 64
)

// wasiPoll returns at once: a clock is moved on to where the guest wanted to wait
// for, and a file is not there.
func wasiPoll(in *instance, mod api.Module, stack []uint64) {
	from, to, n, count := uint32(stack[0]), uint32(stack[1]), uint32(stack[2]), uint32(stack[3])
	if n == 0 || n > maxSubs {
		stack[0] = wasiInval
		return
	}
	mem := mod.Memory()
	subs, ok := mem.Read(from, n*subSize)
	events, ok2 := mem.Read(to, n*eventSize)
	if !ok || !ok2 || !mem.WriteUint32Le(count, n) {
		stack[0] = wasiFault
		return
	}
	var wait int64
	for i := range int(n) {
		sub, event := subs[i*subSize:][:subSize], events[i*eventSize:][:eventSize]
		var user [8]byte
		copy(user[:], sub) // the two areas may overlap
		tag := sub[subTag]
		timeout := binary.LittleEndian.Uint64(sub[subClockTimeout:])
		absolute := sub[subClockFlags]&1 != 0
		clear(event)
		copy(event, user[:])
		event[eventType] = tag
		if tag != 0 {
			event[eventErrno] = wasiBadf
			continue
		}
		if !absolute {
			wait = max(wait, int64(min(timeout, math.MaxInt64)))
		} else if int64(timeout) > in.clock.mono {
			wait = max(wait, int64(timeout)-in.clock.mono)
		}
	}
	in.clock.tick(wait)
	stack[0] = wasiOK
}

// wasiExit ends the instance. The engine recovers the panic and returns it as the
// call's error.
func wasiExit(in *instance, mod api.Module, stack []uint64) {
	code := uint32(stack[0])
	_ = mod.CloseWithExitCode(in.base, code) // the call's error says it
	panic(sys.NewExitError(code))
}

// wasiRandom gives the next bytes of a fixed sequence that depends on the module
// and the number of the instance alone. Runtimes want them for hash seeds; they
// are no secret and must not be used for one.
func wasiRandom(in *instance, mod api.Module, stack []uint64) {
	b, ok := mod.Memory().Read(uint32(stack[0]), uint32(stack[1]))
	if !ok {
		stack[0] = wasiFault
		return
	}
	_, _ = in.random.Read(b) // cannot fail
	stack[0] = wasiOK
}
