package wasmhost

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/internal/meter"
	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// hostFunction is one function that a module may import.
type hostFunction struct {
	module, name string
	typ          string // as module.types writes it
	capability   string // that a module must have declared, "" for none
	call         func(in *instance, mod api.Module, stack []uint64)
}

// hostFunctions lists all of them. An import that is not here is refused at load.
func hostFunctions() []hostFunction {
	calls := map[string]func(*instance, api.Module, []uint64){
		abi.ImportLog: hostLog, abi.ImportKVGet: hostKVGet, abi.ImportKVSet: hostKVSet, abi.ImportKVIncr: hostKVIncr,
		abi.ImportKVCAS: hostKVCAS, abi.ImportMetric: hostMetric, abi.ImportRandom: hostRandom,
		abi.ImportVerify: hostVerify, abi.ImportStat: hostStat, abi.ImportDigest: hostDigest, abi.ImportFetch: hostFetch,
	}
	all := wasiFunctions()
	for _, i := range abi.Imports() {
		all = append(all, hostFunction{abi.ImportModule, i.Name, i.Type, i.Capability, calls[i.Name]})
	}
	return all
}

// instanceKey is the context key under which a call carries its instance. The
// engine hands a host function only the context and the calling module, so this
// is the way to the instance's own clock and buffers.
type instanceKey struct{}

// linkHost makes the host modules that the module imports from, with nothing in them
// but what it imports.
func linkHost(ctx context.Context, rt wazero.Runtime, imports []module.Import) error {
	wanted := map[string]bool{}
	for _, i := range imports {
		wanted[i.Module], wanted[i.Module+"::"+i.Name] = true, true
	}
	wanted[meter.ImportModule], wanted[meter.ImportModule+"::"+meter.ImportSlice] = true, true
	for _, name := range []string{abi.WASIModule, abi.ImportModule} {
		if !wanted[name] {
			continue
		}
		b := rt.NewHostModuleBuilder(name)
		for _, f := range append(hostFunctions(), sliceFunction()) {
			if f.module != name || !wanted[name+"::"+f.name] {
				continue
			}
			params, results := valueTypesOf(f.typ)
			b.NewFunctionBuilder().WithGoModuleFunction(bind(f), params, results).Export(f.name)
		}
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// bind gives the engine's form of a host function.
func bind(f hostFunction) api.GoModuleFunc {
	crosses := f.module == abi.ImportModule && border(f.name) != "" // not what the metering or a runtime asks
	return func(ctx context.Context, mod api.Module, stack []uint64) {
		in, ok := ctx.Value(instanceKey{}).(*instance)
		if !ok {
			// A panic in a host function is the engine's way to end the guest's
			// call with an error; it is recovered by the engine.
			panic(errors.New("host function called outside a call"))
		}
		if crosses {
			in.cross(&f, mod, stack)
			return
		}
		f.call(in, mod, stack)
	}
}

// valueTypesOf reads a type's text: all parameters and results here are integers.
func valueTypesOf(typ string) (params, results []api.ValueType) {
	left, right, _ := strings.Cut(typ, "->")
	parse := func(s string) (types []api.ValueType) {
		for _, name := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("(), ", r) }) {
			if name == "i64" {
				types = append(types, api.ValueTypeI64)
			} else {
				types = append(types, api.ValueTypeI32)
			}
		}
		return types
	}
	return parse(left), parse(right)
}

// guestBytes returns a view of the guest's memory, or ends the call if the guest
// named bytes that it does not have.
func guestBytes(mod api.Module, what string, ptr, n uint64) []byte {
	b, ok := mod.Memory().Read(uint32(ptr), uint32(n))
	if !ok {
		panic(errors.New(what + ": bytes outside the guest's memory")) // see bind
	}
	return b
}

// hostLog is edgeftp.log (ABI §7): one line of the guest for the server's log.
func hostLog(in *instance, mod api.Module, stack []uint64) {
	level := map[int32]slog.Level{abi.LogDebug: slog.LevelDebug, abi.LogWarn: slog.LevelWarn,
		abi.LogError: slog.LevelError}[int32(uint32(stack[0]))] // the zero value is info
	in.logLine(level, guestBytes(mod, "log", stack[1], stack[2]))
}
