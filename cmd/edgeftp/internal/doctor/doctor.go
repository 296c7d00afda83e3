// Package doctor tells how far a module keeps the guest ABI: what a server would refuse,
// what it would take and its operators would not like, and what helps.
package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
	"github.com/edgeftp/edgeftp/guest-sdk/vectors"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// Result is what came of one check.
type Result string

// The results. Only Bad is a reason to refuse the module.
const (
	Good    Result = "ok"
	Worth   Result = "note" // worth knowing
	Bad     Result = "bad"
	Skipped Result = "-" // could not be looked at, because of a Bad before
)

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	Found  string `json:"found,omitempty"`
	Help   string `json:"help,omitempty"`
}

// Report is what a module is like.
type Report struct {
	Checks []Check `json:"checks"`
}

// Healthy reports that no check was bad.
func (r *Report) Healthy() bool {
	return !slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Result == Bad })
}

func (r *Report) add(name string, result Result, found, help string) {
	r.Checks = append(r.Checks, Check{name, result, found, help})
}

// Options say how a module is looked at.
type Options struct {
	// Settings are the module's, nil for those of the tests that it brings.
	Settings []byte
	// Grant is what it may have, by what its manifest declares.
	Grant func(*wasmhost.Manifest) wasmhost.Grant
}

// Examine looks at a module. It fails only if that could not be done.
func Examine(ctx context.Context, module []byte, o Options) (*Report, error) {
	h, err := wasmhost.New(ctx, wasmhost.Config{Strict: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = h.Close() }() // only waits
	e := &exam{ctx: ctx, host: h, module: module, o: o, report: new(Report)}
	if e.form() && e.declared() && e.starts() {
		defer func() { _ = e.policy.Close() }()
		return e.report, e.behaves()
	}
	e.report.add("behaviour", Skipped, "", "")
	return e.report, nil
}

// exam is one examination.
type exam struct {
	ctx    context.Context
	host   *wasmhost.Host
	module []byte
	o      Options
	report *Report
	facts  *wasmhost.Facts
	policy *wasmhost.Policy
}

// refused tells why a server refuses the module.
func (e *exam) refused(name string, err error) {
	var l *wasmhost.LoadError
	if !errors.As(err, &l) {
		e.report.add(name, Bad, err.Error(), "")
		return
	}
	found := l.Summary
	if l.Found != "" {
		found += ": " + l.Found
	}
	if l.Needs != "" {
		found += "; needed: " + l.Needs
	}
	e.report.add(name, Bad, string(l.Code)+" "+found, l.Help)
}

// name is that of the module while it is looked at.
const name = "module"

// form is what can be seen without running it.
func (e *exam) form() bool {
	var err error
	if e.facts, err = e.host.Examine(name, e.module, wasmhost.LoadOptions{}); err != nil {
		e.refused("form", err)
		return false
	}
	e.report.add("form", Good, fmt.Sprintf("%d bytes, hooks %s", e.facts.Size, strings.Join(e.facts.Hooks, ", ")), "")
	const large = 4 << 20
	if e.facts.Size > large {
		e.report.add("size", Worth, fmt.Sprintf("%d MiB: a server compiles it for seconds when it sees it first", e.facts.Size>>20), "build without debugging information")
	}
	return true
}

// declared is what the module says about itself.
func (e *exam) declared() bool {
	m := &e.facts.Manifest
	if !e.facts.Described {
		e.report.add("manifest", Worth, "there is none: the module gets no capability, and nobody knows its version",
			"put manifest.json beside the source: edgeftp policy build adds it")
	} else {
		e.report.add("manifest", Good, strings.TrimSpace(m.Name+" "+m.Version), "")
		e.manifest(m)
	}
	var text []byte
	text, err := manifest.Section(e.module, abi.TestsSection)
	if err != nil {
		e.report.add("tests", Bad, err.Error(), "")
		return false
	}
	if text == nil {
		e.report.add("tests", Worth, "the module brings none: nothing holds it to what it is to do", "put tests.json beside the source")
		return true
	}
	set, err := cases.Parse(text)
	if err != nil {
		e.report.add("tests", Bad, err.Error(), "ABI.md, section 8, says what they hold: policy init writes it into the folder")
		return false
	}
	if e.o.Settings == nil {
		e.o.Settings = set.Settings
	}
	e.covered(set)
	return true
}

func (e *exam) manifest(m *wasmhost.Manifest) {
	if m.Version == "" {
		e.report.add("version", Worth, "the manifest has none: an older build may take the place of a newer one", `add "version": "0.1.0"`)
	}
	if m.ABI == "" {
		e.report.add("abi", Worth, "the manifest does not say which version of the ABI it needs", fmt.Sprintf(`add "abi": "1.%d", or what it was written for`, abi.Minor))
	}
	if e.facts.Settings && m.Settings == nil {
		e.report.add("settings", Worth, "the module takes settings, and the manifest has no schema of them: a mistyped key is found when it starts, if at all",
			`add "settings": a JSON schema with additionalProperties false`)
	}
	for _, c := range m.Capabilities {
		if !e.uses(c) {
			e.report.add("capabilities", Worth, fmt.Sprintf("%q is declared, and nothing that needs it is imported", c), "take it out: operators grant what they read there")
		}
	}
}

// uses reports whether the module imports what a capability is for. That which is
// no import is taken for used.
func (e *exam) uses(capability string) bool {
	what, _, _ := strings.Cut(capability, ":")
	known := what == abi.CapLog
	for _, i := range abi.Imports() {
		if i.Capability == what || what == abi.CapLog && i.Name == abi.ImportLog {
			known = true
			if slices.Contains(e.facts.Imports, abi.ImportModule+"::"+i.Name) {
				return true
			}
		}
	}
	return !known
}

// covered tells which hooks the tests do not ask.
func (e *exam) covered(set *cases.Set) {
	var missing []string
	for _, h := range e.facts.Hooks {
		if h != abi.HookIdle.String() && !slices.ContainsFunc(set.Tests, func(c cases.Case) bool { return c.Hook == h }) {
			missing = append(missing, h)
		}
	}
	found := fmt.Sprintf("%d tests", len(set.Tests))
	if len(missing) > 0 {
		e.report.add("tests", Worth, found+"; none asks "+strings.Join(missing, ", "), "add one for each")
		return
	}
	e.report.add("tests", Good, found+", each hook is asked", "")
}

// starts loads the module, which then has passed the tests that it brings.
func (e *exam) starts() bool {
	settings := e.o.Settings
	if settings != nil && !json.Valid(settings) {
		e.report.add("start", Bad, "the settings are no JSON", "")
		return false
	}
	p, err := e.host.Load(e.ctx, name, e.module, wasmhost.LoadOptions{Settings: settings, Grant: e.o.Grant(&e.facts.Manifest),
		Limits: wasmhost.Limits{Instances: 1}, Intercept: nowhere})
	if err != nil {
		e.refused("start", err)
		return false
	}
	e.policy = p
	st := p.Stats()
	e.report.add("start", Good, fmt.Sprintf("%d units of work, then %d KiB", st.Fuel, st.Memory>>10), "")
	return true
}

// nowhere answers what would leave the machine, or read what is not there.
func nowhere(_ context.Context, c *wasmhost.HostCall) bool {
	switch c.Import {
	case abi.ImportFetch:
		c.Result = int64(abi.ErrnoIO)
	case abi.ImportStat, abi.ImportDigest:
		c.Result = int64(abi.ErrnoNotFound)
	case abi.ImportVerify:
		c.Result = 0
	default:
		return false
	}
	return true
}

// behaves asks golden questions.
func (e *exam) behaves() error {
	all, err := vectors.Records()
	if err != nil {
		return err
	}
	bad, err := vectors.Bad()
	if err != nil {
		return err
	}
	for _, h := range e.facts.Hooks {
		if h != abi.HookIdle.String() {
			e.hook(h, all)
		}
	}
	e.memory(all)
	e.robust(bad)
	return nil
}

// listens reports whether the module is asked about a record at all.
func (e *exam) listens(r vectors.Record) bool { return slices.Contains(e.facts.Hooks, r.Hook) }

// kind is the hook of a record, 0 for one that is too short to say.
func kind(name string) abi.Hook {
	for h := abi.HookAuth; int(h) < abi.NumHooks; h++ {
		if h.String() == name {
			return h
		}
	}
	return 0
}

// ask asks one question in a pooled instance.
func (e *exam) ask(r vectors.Record) *wasmhost.Exchange {
	x := new(wasmhost.Exchange)
	_ = e.policy.Ask(e.ctx, kind(r.Hook), r.Bytes, x) // the exchange has the error
	return x
}
