package wasmhost

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/internal/meter"
)

// instance is one copy of a module with its own memory. One call uses it at a
// time; between calls it lies in the pool.
type instance struct {
	policy *Policy
	mod    api.Module
	mem    api.Memory
	// base carries the instance to the host functions, and nothing else.
	base     context.Context
	fns      [abi.NumHooks]api.Function
	ptr, len uint32 // the mailbox
	calls    uint64 // since the last idle call

	fuel  api.MutableGlobal // what is left of the slice
	meter meterage          // of the running call
	call  callState         // of the running call
	trace *tracer           // of the running call, nil but with LoadOptions.Traced
	tape  *tape             // of the running call, nil if nobody wants it
	own   tape              // of a call of Ask
	stack [2]uint64         // its arguments and result
	last  lastAnswer        // of the hook fs
	image *image            // what the instance is put back to after a call; nil without

	clock  guestClock
	random *rand.ChaCha8
	stderr []byte // output of the running call, at most maxStderr+1 bytes
}

// newInstance makes an instance and runs it up to where it can take questions:
// _initialize, edgeftp_abi_v1, edgeftp_config. All of it shares one budget,
// because the code that runs is the guest's.
func (p *Policy) newInstance() (*instance, error) {
	number := p.stats.made.Add(1)
	in := &instance{policy: p, random: rand.NewChaCha8(seed(p.digest, number))}
	in.base = context.WithValue(context.Background(), instanceKey{}, in)
	in.clock.set(p.loaded.UnixNano())
	// No name, so that there may be many; no start functions, so that the ones
	// that there are run under the same rules as every other call.
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	mod, err := p.engine.runtime.InstantiateModule(in.base, p.engine.compiled, config)
	if err != nil {
		p.stats.closed.Add(1)
		return nil, &CallError{Cause: CauseTrap, Hook: "start", Err: err}
	}
	in.mod, in.mem = mod, mod.Memory()
	var ok bool
	if in.fuel, ok = mod.ExportedGlobal(meter.ExportFuel).(api.MutableGlobal); !ok {
		in.close()
		return nil, &CallError{Cause: CauseTrap, Hook: "start", Err: errors.New("the module is not metered")}
	}
	if err := in.start(); err != nil {
		in.close()
		return nil, err
	}
	p.stats.fuel.Add(uint64(in.used()))
	for h, on := range p.module.hooks {
		if on {
			in.fns[h] = mod.ExportedFunction(abi.Hook(h).Export())
		}
	}
	return in, nil
}

// seed is where an instance's sequence of bytes begins.
func seed(digest [sha256.Size]byte, number uint64) [32]byte {
	var b [sha256.Size + 8]byte
	copy(b[:], digest[:])
	binary.LittleEndian.PutUint64(b[sha256.Size:], number)
	return sha256.Sum256(b[:])
}

func (in *instance) start() error {
	in.arm(in.policy.budgets[0])
	if in.policy.module.init {
		if _, err := in.invoke("start", in.mod.ExportedFunction(abi.ExportInitialize)); err != nil {
			return err
		}
	}
	const features = 0 // there is no optional feature yet
	in.stack = [2]uint64{abi.Minor, features}
	box, err := in.invoke("start", in.mod.ExportedFunction(abi.ExportABI))
	if err != nil {
		return err
	}
	in.ptr, in.len = uint32(box), uint32(box>>32)
	least := uint32(abi.MinMailbox)
	if in.policy.module.hooks[abi.HookData] {
		least = abi.MinDataMailbox
	}
	switch {
	case box == 0:
		return in.fault(CauseFailed, "start", fmt.Errorf("%s refused this server (it returned 0)", abi.ExportABI))
	case in.len < least || in.len > abi.MaxMailbox:
		return in.fault(CauseBadOutput, "start", fmt.Errorf("a mailbox of %d bytes, want %d to %d", in.len, least, abi.MaxMailbox))
	}
	if _, ok := in.mailbox(); !ok {
		return in.fault(CauseBadOutput, "start", errors.New("the mailbox is outside the memory"))
	}
	if in.policy.module.config {
		if err := in.configure(); err != nil {
			return err
		}
	}
	in.keep()
	return nil
}

// configure hands the settings to the guest.
func (in *instance) configure() error {
	settings := in.policy.settings
	box, ok := in.mailbox()
	if !ok || len(settings) > len(box) {
		return in.fault(CauseQuestion, "config", fmt.Errorf("settings of %d bytes do not fit a mailbox of %d", len(settings), len(box)))
	}
	copy(box, settings)
	in.stack[0] = uint64(len(settings))
	raw, err := in.invoke("config", in.mod.ExportedFunction(abi.ExportConfig))
	if err != nil {
		return err
	}
	v, reply, err := in.answer(raw)
	if err == nil {
		err = abi.DecodeDone(v, reply, in.policy.limits.Strict)
	}
	if errors.Is(err, abi.ErrFailed) {
		return in.fault(CauseFailed, "config", err)
	}
	if err != nil {
		return in.fault(CauseBadOutput, "config", err)
	}
	return nil
}

// mailbox returns a view of the mailbox. It is asked for anew at each call: the
// memory may have moved when it grew.
func (in *instance) mailbox() ([]byte, bool) { return in.mem.Read(in.ptr, in.len) }

// answer reads what a hook returned. The reply is still in the guest's memory.
func (in *instance) answer(raw uint64) (abi.Verdict, []byte, error) {
	v, err := abi.UnpackVerdict(raw)
	if err != nil {
		return v, nil, err
	}
	if v.Len == 0 {
		return v, nil, nil
	}
	box, ok := in.mailbox()
	if !ok || v.Len > len(box) {
		return v, nil, fmt.Errorf("%w: %d bytes in a mailbox of %d", abi.ErrReply, v.Len, len(box))
	}
	return v, box[:v.Len], nil
}

// ask calls one hook with the n bytes that lie in the mailbox. The time in which
// it has to answer began waited ago.
func (in *instance) ask(h abi.Hook, n int, at time.Time, waited time.Duration) (uint64, error) {
	if !at.IsZero() {
		in.clock.set(at.UnixNano())
	}
	budget := in.policy.budgets[h]
	budget.Time = max(budget.Time-waited, time.Millisecond)
	in.arm(budget)
	in.stack[0] = uint64(n)
	in.traceOn()
	raw, err := in.invoke(h.String(), in.fns[h])
	if t := in.traceOff(h); t != nil && in.tape != nil {
		in.tape.trace = t
	}
	in.leave()
	in.policy.stats.fuel.Add(uint64(in.used()))
	return raw, err
}

// used returns the fuel that the running or last call has used.
func (in *instance) used() int64 { return in.meter.granted - int64(in.fuel.Get()) }

// invoke is the one place where guest code runs. The arguments are in the stack;
// it returns the call's result, or what lies there if it has none.
//
// The guest is never run under the caller's context: a client that goes away must
// not cost an instance. What stops it is its meter, see refuel.
func (in *instance) invoke(hook string, fn api.Function) (result uint64, err error) {
	in.stderr = in.stderr[:0]
	// The engine recovers what happens in the guest. This is for a fault of the
	// engine itself: it must not take the server down.
	defer func() {
		if r := recover(); r != nil {
			err = in.fault(CauseTrap, hook, fmt.Errorf("fault of the engine: %v\n%s", r, debug.Stack()))
		}
	}()
	if err := fn.CallWithStack(in.base, in.stack[:]); err != nil {
		if in.meter.stopped != 0 {
			return 0, in.fault(in.meter.stopped, hook, in.meter.why)
		}
		return 0, in.fault(CauseTrap, hook, exitOf(err))
	}
	if len(in.stderr) > 0 {
		in.logOutput(in.stderr)
	}
	return in.stack[0], nil
}

// fault makes the error of a call, with what the guest wrote.
func (in *instance) fault(c Cause, hook string, err error) *CallError {
	return &CallError{Cause: c, Hook: hook, Stderr: escape(in.stderr, maxStderr), Err: err}
}

func (in *instance) close() {
	// The only error is that of closing files, and a guest has none.
	_ = in.mod.Close(context.Background())
	in.policy.stats.closed.Add(1)
}
