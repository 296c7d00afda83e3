package wasmhost

import (
	"context"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/internal/meter"
)

// Span is one function of a guest in the tree of a call, with all its calls from the
// same place above it.
type Span struct {
	// Name is that of the module's name section, "$" and the function's index where it
	// has none, or an import such as "edgeftp.kv_get".
	Name  string
	Calls int
	Fuel  int64 // units of work of the function itself
	Total int64 // with all that it called
	Below []*Span
}

// maxSpans bounds one tree: a guest that calls itself may have a very deep one. What is
// beyond it counts as the caller's own.
const maxSpans = 100_000

// tracer notes through which functions the running call of an instance goes.
type tracer struct {
	root  *Span
	stack []*Span // the root first; a function that is not told apart is its caller
	spans int
	last  int64 // fuel that was used when the last function began or ended
}

// begin starts a tree.
func (t *tracer) begin() {
	t.root = new(Span)
	t.stack, t.spans, t.last = append(t.stack[:0], t.root), 0, 0
}

// pay gives the fuel that was used since the last look to whoever is running.
func (t *tracer) pay(used int64) {
	t.stack[len(t.stack)-1].Fuel += used - t.last
	t.last = used
}

// enter notes that a function begins.
func (t *tracer) enter(name string, used int64) {
	t.pay(used)
	above := t.stack[len(t.stack)-1]
	at := slices.IndexFunc(above.Below, func(s *Span) bool { return s.Name == name })
	switch {
	case at >= 0:
	case t.spans >= maxSpans, strings.HasPrefix(name, meter.ImportModule+".__"): // the meter's own
		t.stack = append(t.stack, above)
		return
	default:
		t.spans++
		at = len(above.Below)
		above.Below = append(above.Below, &Span{Name: name})
	}
	s := above.Below[at]
	s.Calls++
	t.stack = append(t.stack, s)
}

// leave notes that the function that runs has ended.
func (t *tracer) leave(used int64) {
	t.pay(used)
	if n := len(t.stack); n > 1 {
		t.stack = t.stack[:n-1]
	}
}

// finish returns the tree. Its root is the hook.
func (t *tracer) finish(used int64) *Span {
	t.pay(used)
	var sum func(s *Span) int64
	sum = func(s *Span) int64 {
		s.Total = s.Fuel
		for _, b := range s.Below {
			s.Total += sum(b)
		}
		return s.Total
	}
	sum(t.root)
	return t.root
}

// listeners make the engine tell where a call is. They are compiled into the code, so
// only a module that is loaded to be traced has them.
type listeners struct{}

var (
	_ experimental.FunctionListenerFactory = listeners{}
	_ experimental.FunctionListener        = listener{}
)

// NewFunctionListener implements experimental.FunctionListenerFactory.
func (listeners) NewFunctionListener(def api.FunctionDefinition) experimental.FunctionListener {
	name := def.Name()
	if module, export, imported := def.Import(); imported {
		name = module + "." + export
	} else if def.GoFunction() != nil {
		name = def.ModuleName() + "." + name
	}
	return listener{name}
}

// listener is told of one function.
type listener struct{ name string }

// Before implements experimental.FunctionListener.
func (l listener) Before(ctx context.Context, _ api.Module, _ api.FunctionDefinition, _ []uint64, _ experimental.StackIterator) {
	if in, ok := ctx.Value(instanceKey{}).(*instance); ok && in.trace != nil {
		in.trace.enter(l.name, in.used())
	}
}

// After implements experimental.FunctionListener.
func (l listener) After(ctx context.Context, _ api.Module, _ api.FunctionDefinition, _ []uint64) {
	if in, ok := ctx.Value(instanceKey{}).(*instance); ok && in.trace != nil {
		in.trace.leave(in.used())
	}
}

// Abort implements experimental.FunctionListener.
func (l listener) Abort(ctx context.Context, mod api.Module, def api.FunctionDefinition, _ error) {
	l.After(ctx, mod, def, nil)
}

// tracing returns the context in which a module is compiled.
func (h *Host) tracing(ctx context.Context, v *vetted) context.Context {
	if !v.traced {
		return ctx
	}
	return experimental.WithFunctionListenerFactory(ctx, listeners{})
}

// traceOn begins the tree of a call, if the module was loaded for that.
func (in *instance) traceOn() {
	if in.policy.module.traced {
		in.trace = new(tracer)
		in.trace.begin()
	}
}

// traceOff ends it. The root is the hook, whose only function is its export.
func (in *instance) traceOff(h abi.Hook) *Span {
	if in.trace == nil {
		return nil
	}
	root := in.trace.finish(in.used())
	root.Name, root.Calls = h.String(), 1
	in.trace = nil
	return root
}
