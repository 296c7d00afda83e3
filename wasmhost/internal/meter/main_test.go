package meter

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

var (
	errDeep    = errors.New("too deep")
	errNoUnits = errors.New("out of fuel")
)

// bench is a runtime with the host's side of the metering.
type bench struct {
	rt      wazero.Runtime
	metered bool
	singly  bool // each instruction pays for itself
	opts    Options
	slice   int64
	budget  int64 // 0 for no end
	granted int64
	slices  int
	polls   int
	stride  int   // 0 for the pass's own
	largest int64 // the most that ran between two calls of __slice
	mods    []api.Module
}

func newBench(t testing.TB, metered bool, slice int64) *bench {
	t.Helper()
	ctx := t.Context()
	b := &bench{metered: metered, slice: slice}
	b.rt = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2))
	t.Cleanup(func() {
		if err := b.rt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	{
		_, err := b.rt.NewHostModuleBuilder(ImportModule).NewFunctionBuilder().
			WithGoFunction(api.GoFunc(b.next), []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).
			Export(ImportSlice).NewFunctionBuilder().WithGoFunction(api.GoFunc(func(context.Context, []uint64) {}),
			[]api.ValueType{api.ValueTypeI32, api.ValueTypeI32, api.ValueTypeI32}, nil).Export("log").Instantiate(ctx)
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// next is __slice.
func (b *bench) next(_ context.Context, stack []uint64) {
	left := int64(stack[0])
	if left == TooDeep {
		panic(errDeep)
	}
	if left >= 0 { // between two strides
		b.polls++
		return
	}
	b.slices++
	b.granted += b.slice - left
	b.largest = max(b.largest, b.slice-left)
	if b.budget > 0 && b.granted > b.budget {
		panic(errNoUnits)
	}
	stack[0] = uint64(b.slice)
}

// add compiles and instantiates a module under a name, which may be "".
func (b *bench) add(ctx context.Context, code []byte, name string) (api.Module, error) {
	if b.metered {
		m, err := module.Decode(code)
		if err != nil {
			return nil, err
		}
		p := newPass(m, b.opts)
		p.singly = b.singly
		if b.stride > 0 {
			p.stride = b.stride
		}
		r, err := p.run()
		if err != nil {
			return nil, err
		}
		code = r.Code
	}
	compiled, err := b.rt.CompileModule(ctx, code)
	if err != nil {
		return nil, err
	}
	mod, err := b.rt.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	if err == nil {
		b.mods = append(b.mods, mod)
	}
	return mod, err
}

// call calls an export as the host would: with all of its depth.
func (b *bench) call(ctx context.Context, mod api.Module, export string, args ...uint64) ([]uint64, error) {
	if b.metered {
		for _, m := range b.mods {
			depth := b.opts.Depth
			if depth == 0 {
				depth = DefaultDepth
			}
			m.ExportedGlobal(ExportDepth).(api.MutableGlobal).Set(uint64(depth))
		}
	}
	return mod.ExportedFunction(export).Call(ctx, args...)
}

// used is the fuel that all modules used so far.
func (b *bench) used() int64 {
	used := b.granted
	for _, m := range b.mods {
		used -= int64(m.ExportedGlobal(ExportFuel).Get())
	}
	return used
}

// wazeroDir is where the sources of wazero lie, with the specification's tests.
func wazeroDir(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Fatalf("wazero's directory: %v", err)
	}
	return filepath.Join(dir, "internal", "integration_test", "spectest", "v2", "testdata")
}

func firstLine(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
