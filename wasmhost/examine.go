package wasmhost

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// Facts are what can be known about a module without running any of it.
type Facts struct {
	Digest   string   // "sha256:" and hex digits
	Size     int      // bytes
	Hooks    []string // that it exports, in the ABI's order
	Imports  []string // "module::name", sorted
	Settings bool     // takes settings
	Tests    bool     // brings tests of its own
	// Section are the bytes of these tests, for cases.Parse.
	Section []byte
	// Described says that there is a manifest. Without one Manifest is zero.
	Described bool
	Manifest  Manifest
	// FirstPages and MaxPages are pages of 64 KiB: the memory of a new instance, and
	// what the module sets itself as the most, 0 for nothing.
	FirstPages, MaxPages uint32
}

// Examine judges a module as Load does, but for what running it would show, and
// tells what it found. Of o it uses the limit of memory. It fails with a
// [*LoadError] if the module is refused.
func (h *Host) Examine(name string, module []byte, o LoadOptions) (*Facts, error) {
	v, err := vet(name, module, h.config.MaxModule, narrower(h.config.Limits.MemoryPages, o.Limits.MemoryPages))
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(module)
	f := &Facts{Digest: "sha256:" + hex.EncodeToString(digest[:]), Size: len(module), Hooks: v.hookNames(), Settings: v.config,
		Tests: v.tests != nil, Section: bytes.Clone(v.tests), Described: v.manifestBytes != nil, Manifest: v.manifest, FirstPages: v.Memories[0].Min}
	if v.Memories[0].HasMax {
		f.MaxPages = v.Memories[0].Max
	}
	for _, i := range v.Imports {
		f.Imports = append(f.Imports, i.Module+"::"+i.Name)
	}
	slices.Sort(f.Imports)
	return f, nil
}
