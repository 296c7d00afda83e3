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
	call     callState

	clock  guestClock
	random *rand.ChaCha8
	stderr []byte // output of the running call, at most maxStderr+1 bytes
}

// newInstance makes an instance and runs it up to where it can take questions:
// _initialize, edgeftp_abi_v1, edgeftp_config. All of it shares one deadline,
// because the code that runs is the guest's.
func (p *Policy) newInstance() (*instance, error) {
	number := p.stats.made.Add(1)
	in := &instance{policy: p, random: rand.NewChaCha8(seed(p.digest, number))}
	in.base = context.WithValue(context.Background(), instanceKey{}, in)
	in.clock.set(p.loaded.UnixNano())
	ctx, cancel := context.WithTimeout(in.base, p.limits.Start)
	defer cancel()
	// No name, so that there may be many; no start functions, so that the ones
	// that there are run under the same rules as every other call.
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	mod, err := p.engine.runtime.InstantiateModule(ctx, p.engine.compiled, config)
	if err != nil {
		p.stats.closed.Add(1)
		return nil, &CallError{Cause: CauseTrap, Hook: "start", Err: err}
	}
	in.mod, in.mem = mod, mod.Memory()
	if err := in.start(ctx); err != nil {
		in.close()
		return nil, err
	}
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

func (in *instance) start(ctx context.Context) error {
	limit := in.policy.limits.Start
	if in.policy.module.init {
		if _, err := in.invoke(ctx, "start", in.mod.ExportedFunction(abi.ExportInitialize), limit); err != nil {
			return err
		}
	}
	const features = 0 // there is no optional feature yet
	box, err := in.invoke(ctx, "start", in.mod.ExportedFunction(abi.ExportABI), limit, abi.Minor, features)
	if err != nil {
		return err
	}
	in.ptr, in.len = uint32(box), uint32(box>>32)
	switch {
	case box == 0:
		return in.fault(CauseFailed, "start", fmt.Errorf("%s refused this server (it returned 0)", abi.ExportABI))
	case in.len < abi.MinMailbox || in.len > abi.MaxMailbox:
		return in.fault(CauseBadOutput, "start", fmt.Errorf("a mailbox of %d bytes, want %d to %d", in.len, abi.MinMailbox, abi.MaxMailbox))
	}
	if _, ok := in.mailbox(); !ok {
		return in.fault(CauseBadOutput, "start", errors.New("the mailbox is outside the memory"))
	}
	if in.policy.module.config {
		return in.configure(ctx)
	}
	return nil
}

// configure hands the settings to the guest.
func (in *instance) configure(ctx context.Context) error {
	settings := in.policy.settings
	box, ok := in.mailbox()
	if !ok || len(settings) > len(box) {
		return in.fault(CauseQuestion, "config", fmt.Errorf("settings of %d bytes do not fit a mailbox of %d", len(settings), len(box)))
	}
	copy(box, settings)
	raw, err := in.invoke(ctx, "config", in.mod.ExportedFunction(abi.ExportConfig), in.policy.limits.Start, uint64(len(settings)))
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

// ask calls one hook with the n bytes that lie in the mailbox, under a deadline.
func (in *instance) ask(h abi.Hook, n int, at time.Time, limit time.Duration) (uint64, error) {
	if !at.IsZero() {
		in.clock.set(at.UnixNano())
	}
	ctx, cancel := context.WithTimeout(in.base, limit)
	defer cancel()
	if h == abi.HookIdle {
		return in.invoke(ctx, h.String(), in.fns[h], limit)
	}
	return in.invoke(ctx, h.String(), in.fns[h], limit, uint64(n))
}

// invoke is the one place where guest code runs. It returns the call's result,
// 0 if it has none.
//
// Here the deadline applies: the engine looks at ctx at loop headers and when the
// guest calls the host. The context is never the caller's own: a client that goes
// away must not cost an instance.
func (in *instance) invoke(ctx context.Context, hook string, fn api.Function, limit time.Duration, args ...uint64) (result uint64, err error) {
	in.stderr = in.stderr[:0]
	// The engine recovers what happens in the guest. This is for a fault of the
	// engine itself: it must not take the server down.
	defer func() {
		if r := recover(); r != nil {
			err = in.fault(CauseTrap, hook, fmt.Errorf("fault of the engine: %v\n%s", r, debug.Stack()))
		}
	}()
	var stack [2]uint64
	copy(stack[:], args)
	if err := fn.CallWithStack(ctx, stack[:]); err != nil {
		cause, err := causeOf(err, limit)
		return 0, in.fault(cause, hook, err)
	}
	if len(in.stderr) > 0 {
		in.policy.logOutput(in.stderr)
	}
	return stack[0], nil
}

// fault makes the error of a call, with what the guest wrote.
func (in *instance) fault(c Cause, hook string, err error) *CallError {
	return &CallError{Cause: c, Hook: hook, Stderr: escape(in.stderr, maxStderr), Err: err}
}

// usable reports whether the instance can be called again.
func (in *instance) usable() bool { return !in.mod.IsClosed() }

func (in *instance) close() {
	// The only error is that of closing files, and a guest has none.
	_ = in.mod.Close(context.Background())
	in.policy.stats.closed.Add(1)
}
