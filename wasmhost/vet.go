package wasmhost

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/internal/meter"
	"github.com/edgeftp/edgeftp/wasmhost/internal/module"
)

// pageSize is the size of a page of linear memory in bytes.
const pageSize = 64 << 10

// Bounds of a module beside those of the format.
const (
	maxTables       = 4
	maxTableEntries = 1 << 18 // 2 MiB of pointers
)

// vetted is a module that may be compiled.
type vetted struct {
	*module.Module        // nil once it was compiled
	manifestBytes  []byte // nil without a manifest
	tests          []byte // nil without tests
	manifest       Manifest
	limits         Limits // the host's, the operator's and the manifest's, set by Load
	hooks          [abi.NumHooks]bool
	config         bool     // exports edgeftp_config
	init           bool     // exports _initialize
	traced         bool     // compiled so that calls can be traced
	globals        []string // exports by which its variables are put back, see Isolation
}

// metered returns the bytes to compile: the module with its metering.
func (v *vetted) metered() ([]byte, error) {
	if v.manifest.Isolation == IsolationReset {
		v.globals = v.Module.ExportGlobals("edgeftp.__global")
	}
	r, err := meter.Rewrite(v.Module, meter.Options{Depth: v.limits.Depth, MemoryPages: v.limits.MemoryPages})
	if err != nil {
		return nil, err
	}
	return r.Code, nil
}

// budgets are those of the calls of the policy's hooks.
func (v *vetted) budgets(b Budgets) Budgets {
	if len(v.manifest.fetch) > 0 {
		for _, h := range []abi.Hook{abi.HookAuth, abi.HookCert} {
			b[h].Time = max(b[h].Time, fetchTime)
		}
	}
	return v.limits.within(b)
}

// vet checks everything about a module that can be known without running it.
// name is the policy's, for the words of the error.
func vet(name string, code []byte, maxBytes int, maxPages uint32) (*vetted, error) {
	if len(code) > maxBytes {
		return nil, &LoadError{Code: CodeTooLarge,
			Summary: fmt.Sprintf("policy %q is too large", name),
			Found:   fmt.Sprintf("%d bytes", len(code)),
			Needs:   fmt.Sprintf("at most %d bytes", maxBytes),
			Help:    "strip debug information (Go: -ldflags=\"-s -w\"), and leave out what the policy does not use"}
	}
	if err := checkHeader(name, code); err != nil {
		return nil, err
	}
	m, err := module.Decode(code)
	if err == nil {
		err = m.LimitTables(maxTables, maxTableEntries)
	}
	if err != nil {
		return nil, malformed(name, err)
	}
	v := &vetted{Module: m}
	for _, c := range m.Customs {
		at := map[string]*[]byte{abi.ManifestSection: &v.manifestBytes, abi.TestsSection: &v.tests}[c.Name]
		switch {
		case at == nil:
		case *at != nil:
			return nil, malformed(name, fmt.Errorf("%s is there twice", c.Name))
		default:
			*at = c.Data
		}
	}
	for _, check := range []func(string) error{v.checkVersion, v.checkForm, v.checkExports,
		v.checkImports, v.checkHooks, v.checkManifest, v.checkNeeds} {
		if err := check(name); err != nil {
			return nil, err
		}
	}
	if err := v.checkMemory(name, narrower(maxPages, v.manifest.Limits.MemoryPages)); err != nil {
		return nil, err
	}
	return v, nil
}

func malformed(name string, err error) error {
	return &LoadError{Code: CodeMalformed, Err: err,
		Summary: fmt.Sprintf("policy %q is not a module that can be loaded", name),
		Found:   abi.Clean(firstLine(err.Error()), 500),
		Help:    "the file may be cut off or changed on its way: build it or fetch it again"}
}

// checkHeader tells a core module from what is often saved in its place.
func checkHeader(name string, code []byte) error {
	if !bytes.HasPrefix(code, []byte("\x00asm")) {
		e := &LoadError{Code: CodeNotWasm,
			Summary: fmt.Sprintf("policy %q is not WebAssembly", name),
			Needs:   `a binary module (it begins with "\0asm")`}
		head := code[:min(len(code), 16)]
		lower := bytes.ToLower(bytes.TrimSpace(code[:min(len(code), 512)]))
		switch {
		case len(code) == 0:
			e.Found = "an empty file"
		case bytes.HasPrefix(lower, []byte("<")):
			e.Found = fmt.Sprintf("text that starts with %q", head)
			e.Help = "the download returned a web page, perhaps an error page: fetch the module again"
		case bytes.HasPrefix(lower, []byte("(module")):
			e.Found = "the text form of a module"
			e.Help = "translate it with wat2wasm"
		default:
			e.Found = fmt.Sprintf("a file that starts with %q", head)
		}
		return e
	}
	if len(code) < 8 {
		return malformed(name, errors.New("ends too early"))
	}
	switch {
	case bytes.Equal(code[4:8], []byte{1, 0, 0, 0}):
		return nil
	case code[6] == 1: // layer 1 is the component model
		return &LoadError{Code: CodeComponent,
			Summary: fmt.Sprintf("policy %q is a WebAssembly component, edgeftp loads core modules", name),
			Help:    "build for wasm32-unknown-unknown or wasip1, not for wasip2"}
	}
	return malformed(name, fmt.Errorf("version %x of the binary format", code[4:8]))
}

// checkVersion looks for the export that names the ABI's version.
func (v *vetted) checkVersion(name string) error {
	_, command := v.Export("_start")
	_, reactor := v.Export(abi.ExportInitialize)
	if _, ok := v.Export(abi.ExportABI); ok {
		if !command || reactor {
			return nil
		}
	} else if others := v.exportsWith(abi.ExportABIPrefix); len(others) > 0 {
		return &LoadError{Code: CodeABIVersion,
			Summary: fmt.Sprintf("policy %q speaks ABI %s, this server speaks v%d", name,
				strings.TrimPrefix(others[0], "edgeftp_abi_"), abi.Version),
			Found: "export " + strings.Join(others, ", "),
			Needs: "export " + abi.ExportABI,
			Help:  "rebuild the policy with the guest SDK of this server's version"}
	}
	e := &LoadError{Code: CodeNoPolicy,
		Summary: fmt.Sprintf("%q is not an edgeftp policy: no edgeftp_abi_v* export", name),
		Found:   fmt.Sprintf("%d exports, none of them %s", len(v.Exports), abi.ExportABI),
		Needs:   "export " + abi.ExportABI}
	if command {
		e.Summary = fmt.Sprintf("%q is a command, not an edgeftp policy: it exports _start", name)
		e.Found = "export _start, no " + abi.ExportInitialize
		e.Help = "build a reactor: GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared"
	}
	return e
}

func (v *vetted) exportsWith(prefix string) []string {
	var names []string
	for _, e := range v.Exports {
		if strings.HasPrefix(e.Name, prefix) {
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (v *vetted) checkForm(name string) error {
	if v.HasStart {
		return &LoadError{Code: CodeStart,
			Summary: fmt.Sprintf("policy %q has a start section", name),
			Needs:   "no code that runs before the host is ready",
			Help:    "export _initialize instead; the host calls it once for every instance"}
	}
	if v.EmptyCustom != "" {
		return &LoadError{Code: CodeEmptyCustom,
			Summary: fmt.Sprintf("policy %q ends with an empty custom section", name),
			Found:   fmt.Sprintf("section %q without bytes at the end", v.EmptyCustom),
			Help:    "remove the section, or put at least one byte into it; the compiler cannot read it"}
	}
	return nil
}

// checkExports checks the type of every export that the ABI names.
func (v *vetted) checkExports(name string) error {
	want := map[string]string{
		abi.ExportABI:        "(i32, i64) -> i64",
		abi.ExportConfig:     "(i32) -> i64",
		abi.ExportInitialize: "()",
	}
	for h := abi.HookAuth; int(h) < abi.NumHooks; h++ {
		want[h.Export()] = "(i32) -> i64"
	}
	want[abi.ExportIdle] = "()"
	for _, export := range slices.Sorted(maps.Keys(want)) {
		e, ok := v.Export(export)
		if !ok {
			continue
		}
		found := "not a function"
		if e.Kind == module.KindFunc {
			t, _ := v.TypeOf(e.Index)
			found = t.String()
		}
		if found != want[export] {
			return &LoadError{Code: CodeShape,
				Summary: fmt.Sprintf("policy %q: export %q has the wrong shape", name, export),
				Found:   export + found, Needs: export + want[export],
				Help: "the policy was built with another SDK: rebuild it with the guest SDK of this server's version"}
		}
	}
	_, v.config = v.Export(abi.ExportConfig)
	_, v.init = v.Export(abi.ExportInitialize)
	return nil
}

// checkImports refuses at load what would otherwise fail at a call.
func (v *vetted) checkImports(name string) error {
	known := map[string]string{}
	for _, f := range hostFunctions() {
		known[f.module+"::"+f.name] = f.typ
	}
	for _, i := range v.Imports {
		full := i.Module + "::" + i.Name
		typ, ok := known[full]
		switch {
		case i.Kind != module.KindFunc:
			return &LoadError{Code: CodeImport,
				Summary: fmt.Sprintf("policy %q imports a memory, table or global: %s", name, full),
				Help:    "define it in the module; policies import functions only"}
		case !ok:
			return unknownImport(name, i, full)
		case v.Types[i.Type].String() != typ:
			return &LoadError{Code: CodeImport,
				Summary: fmt.Sprintf("policy %q imports %s with another type", name, full),
				Found:   full + v.Types[i.Type].String(), Needs: full + typ}
		}
	}
	return nil
}

func unknownImport(name string, i module.Import, full string) error {
	e := &LoadError{Code: CodeImport,
		Summary: fmt.Sprintf("policy %q imports %s, which policies never get", name, full),
		Needs:   "nothing but what guest-sdk/ABI.md lists"}
	switch {
	case i.Module == abi.WASIModule:
		e.Help = "policies have no files, sockets, arguments or environment: leave out the code that wants them"
	case i.Module == abi.ImportModule:
		e.Summary = fmt.Sprintf("policy %q imports %s, which this server does not have", name, full)
		e.Help = "build with the guest SDK of this server's version, or upgrade the server"
	case strings.HasPrefix(i.Module, "wasi:"):
		e.Help = "build for wasip1 or wasm32-unknown-unknown, not for wasip2"
	}
	return e
}

// checkHooks reads the subscriptions and refuses what would never be called.
func (v *vetted) checkHooks(name string) error {
	hooks := map[string]abi.Hook{}
	for h := abi.HookAuth; int(h) < abi.NumHooks; h++ {
		hooks[h.Export()] = h
	}
	any := false
	for _, export := range v.exportsWith(abi.ExportPrefix) {
		h, ok := hooks[export]
		switch {
		case ok:
			v.hooks[h] = true
			any = any || h != abi.HookIdle
		case strings.HasPrefix(export, abi.ExportABIPrefix) || export == abi.ExportConfig:
		default:
			return &LoadError{Code: CodeHook,
				Summary: fmt.Sprintf("policy %q has the hook %s, which this server never calls", name, export),
				Needs:   "the names of hooks in guest-sdk/ABI.md, such as edgeftp_auth, edgeftp_fs, edgeftp_event",
				Help:    "leave the export out, or upgrade the server"}
		}
	}
	if !any {
		return &LoadError{Code: CodeNoHook,
			Summary: fmt.Sprintf("policy %q takes part in nothing", name),
			Found:   "no hook among its exports",
			Needs:   "at least one hook beside edgeftp_idle, such as edgeftp_auth, edgeftp_fs, edgeftp_event",
			Help:    "export a hook; with the Go SDK call auth.Export, fs.Export, event.Export and so on"}
	}
	return nil
}

func (v *vetted) checkMemory(name string, maxPages uint32) error {
	e, ok := v.Export(abi.ExportMemory)
	if !ok || e.Kind != module.KindMemory || len(v.Memories) != 1 {
		return &LoadError{Code: CodeMemory,
			Summary: fmt.Sprintf("policy %q exports no memory", name),
			Needs:   `one memory, exported as "memory"`}
	}
	if first := v.Memories[0].Min; first > maxPages {
		return &LoadError{Code: CodeMemory,
			Summary: fmt.Sprintf("policy %q wants more memory than a policy may have", name),
			Found:   fmt.Sprintf("%d KiB to start with", uint64(first)*pageSize>>10),
			Needs:   fmt.Sprintf("at most %d KiB", uint64(maxPages)*pageSize>>10),
			Help:    "link with a smaller stack and initial memory"}
	}
	return nil
}

// firstLine cuts a text of several lines, as wazero's errors are.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
