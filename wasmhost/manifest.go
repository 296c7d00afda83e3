package wasmhost

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Manifest is what a module says about itself in its custom section
// edgeftp.manifest, as JSON (ABI §8). It is the module's own word and grants
// nothing: see [Grant]. The zero value is that of a module without one, which gets
// no capability.
type Manifest struct {
	Name        string // for display; the policy's name is the operator's
	Version     string // a semantic version, or empty
	ABI         string // what it needs at least, such as "1.1", or empty
	Description string
	License     string
	Source      string
	// Hooks, if given, are the hooks that the module exports.
	Hooks []string
	// Capabilities that the module needs, as it wrote them: "kv", "fetch:HOST".
	Capabilities []string
	// Interest narrows what the module is called for.
	Interest policy.Interest
	// Limits are those that the module sets itself.
	Limits Limits
	// Isolation says what of an instance's memory one question finds of another.
	Isolation Isolation
	// Tap says that the hook data listens and does not filter.
	Tap bool
	// Space names the key-value space, empty for the policy's own; SpaceBytes is how
	// much of it the module wants, 0 for what the server gives.
	Space      string
	SpaceBytes int64
	// Site are the SITE commands that the hook site carries out.
	Site []policy.SiteCommand
	// Settings is a JSON schema of the settings, for the operator's tools. Nil
	// without one.
	Settings json.RawMessage

	fetch []origin // what capabilities says about fetch
}

// Isolation says what an instance keeps between two calls.
type Isolation uint8

// The ways of isolation. The zero value keeps the memory.
const (
	IsolationPooled Isolation = iota // one instance serves one question after another
	IsolationReset                   // the memory is put back after each call
	IsolationFresh                   // each call has an instance of its own
)

// String returns the word of the manifest.
func (i Isolation) String() string {
	names := [...]string{"pooled", "reset", "fresh"}
	if int(i) >= len(names) {
		return "invalid"
	}
	return names[i]
}

// Limits bound what one policy may use. Zero in any field is no limit of its own:
// the server's holds.
type Limits struct {
	MemoryPages uint32        // pages of 64 KiB that an instance may have
	Fuel        uint64        // units of work of a call
	Deadline    time.Duration // wall time of a call of any hook
	Depth       uint32        // calls within calls
	Instances   int           // at one time
}

// Narrow returns the limits that satisfy both l and m.
func (l Limits) Narrow(m Limits) Limits {
	return Limits{
		MemoryPages: narrower(l.MemoryPages, m.MemoryPages),
		Fuel:        narrower(l.Fuel, m.Fuel),
		Deadline:    narrower(l.Deadline, m.Deadline),
		Depth:       narrower(l.Depth, m.Depth),
		Instances:   narrower(l.Instances, m.Instances),
	}
}

// narrower returns the lower of two limits, of which 0 is none.
func narrower[T ~uint32 | ~uint64 | ~int | ~int64](a, b T) T {
	switch {
	case a <= 0:
		return b
	case b <= 0:
		return a
	}
	return min(a, b)
}

// checkManifest reads the manifest, if there is one. A key that this server
// cannot honour is an error: nothing is accepted and ignored.
func (v *vetted) checkManifest(name string) error {
	if v.manifestBytes == nil {
		return nil
	}
	m, fault := parseManifest(v.manifestBytes)
	if fault == nil {
		fault = v.agrees(m)
	}
	if fault != nil {
		return fault.refusal(name)
	}
	v.manifest = *m
	return nil
}

// agrees compares the manifest with what the module exports.
func (v *vetted) agrees(m *Manifest) *manifestFault {
	exports := strings.Join(v.hookNames(), ", ")
	switch {
	case m.Hooks != nil && !sameSet(m.Hooks, v.hookNames()):
		return &manifestFault{key: "hooks", found: fmt.Sprintf("hooks says %s, the exports say %s", strings.Join(m.Hooks, ", "), exports),
			needs: "exactly the hooks that are exported"}
	case m.Site != nil && !v.hooks[abi.HookSite]:
		return &manifestFault{key: "site", found: "site lists commands, and no export carries them out", needs: "export " + abi.HookSite.Export()}
	case m.Site == nil && v.hooks[abi.HookSite]:
		return &manifestFault{key: "site", found: "export " + abi.HookSite.Export() + ", and no command that leads to it",
			needs: `"site": [{"verb": "NAME", "help": "what it does"}]`}
	case m.Isolation == IsolationReset && !v.Resets():
		return &manifestFault{key: "isolation", found: "isolation is reset, and the module changes tables or drops segments, which cannot be put back",
			needs: `"fresh" or "pooled"`}
	case m.Tap && !v.hooks[abi.HookData]:
		return &manifestFault{key: "data", found: "data is tap, and there is no hook data", needs: "export " + abi.HookData.Export()}
	}
	return nil
}

// manifestFault says what is wrong with a manifest.
type manifestFault struct {
	line, column int    // from 1; 0 if it is about no place
	key          string // such as "limits.fuel", or empty
	found, needs string
	help         string
	unknown      bool // a capability that this server does not know
}

// ManifestError says what is wrong with a manifest that is in no module yet.
type ManifestError struct {
	Line, Column int // from 1; 0 if it is about no place
	// Found is what is there, Needs what should be, Help what to do; the last two may be
	// empty.
	Found, Needs, Help string
}

// Error tells the place and what is there.
func (e *ManifestError) Error() string {
	if e.Line == 0 {
		return e.Found
	}
	return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Found)
}

// CheckManifest judges the text of a manifest (ABI §8) as this server does at load, but
// for what it says about its module. It fails with a [*ManifestError], whose lines are
// those of the text: in a module a manifest is one line.
func CheckManifest(text []byte) error {
	if _, f := parseManifest(text); f != nil {
		return &ManifestError{Line: f.line, Column: f.column, Found: f.found, Needs: f.needs, Help: f.help}
	}
	return nil
}

// refusal makes the error of the load.
func (f *manifestFault) refusal(name string) *LoadError {
	e := &LoadError{Code: CodeManifest, Found: f.found, Needs: f.needs, Help: f.help,
		Summary: fmt.Sprintf("policy %q has a manifest that this server cannot honour", name)}
	if f.unknown {
		e.Code = CodeCapability
		e.Summary = fmt.Sprintf("policy %q wants a capability that this server does not have", name)
	}
	if f.line > 0 {
		e.Found = fmt.Sprintf("line %d, column %d: %s", f.line, f.column, f.found)
	}
	return e
}

// speaks reports whether the server has all of the version of the ABI that a
// manifest names. Minors only append, so it also has those before its own.
func speaks(version string) bool {
	for minor := range abi.Minor + 1 {
		if version == fmt.Sprintf("%d.%d", abi.Version, minor) {
			return true
		}
	}
	return false
}

// hookNames lists the subscriptions in the order of the hook numbers.
func (v *vetted) hookNames() []string {
	var names []string
	for h, on := range v.hooks {
		if on {
			names = append(names, abi.Hook(h).String())
		}
	}
	return names
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), b)
}
