package wasmhost

import (
	"github.com/tetratelabs/wazero/api"
)

// image is what an instance looked like when it was ready for its first question.
type image struct {
	memory  []byte
	globals []uint64
}

// keep takes the image of an instance that is to be put back after every call.
func (in *instance) keep() {
	if in.policy.module.manifest.Isolation != IsolationReset {
		return
	}
	all, _ := in.mem.Read(0, in.mem.Size())
	m := &image{memory: append([]byte(nil), all...)}
	for _, g := range in.globals() {
		m.globals = append(m.globals, g.Get())
	}
	in.image = m
}

// reset puts the instance back. It reports whether that is possible: memory that
// has grown cannot shrink, and a guest could tell.
func (in *instance) reset() bool {
	if in.mem.Size() != uint32(len(in.image.memory)) || !in.mem.Write(0, in.image.memory) {
		return false
	}
	for i, g := range in.globals() {
		g.Set(in.image.globals[i])
	}
	return true
}

// globals are the guest's own variables, all of which the metered module exports
// if they are to be put back.
func (in *instance) globals() []api.MutableGlobal {
	var out []api.MutableGlobal
	for _, name := range in.policy.module.globals {
		if g, ok := in.mod.ExportedGlobal(name).(api.MutableGlobal); ok {
			out = append(out, g)
		}
	}
	return out
}
