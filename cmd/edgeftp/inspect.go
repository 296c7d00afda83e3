package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/edgeftp/edgeftp/cmd/edgeftp/internal/config"
	"github.com/edgeftp/edgeftp/edge"
	"github.com/edgeftp/edgeftp/edge/kv"
	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
	"github.com/edgeftp/edgeftp/wasmhost/trust"
)

// inspection is what policy inspect tells.
type inspection struct {
	Digest       string          `json:"digest"`
	Size         int             `json:"size"`
	Signer       string          `json:"signer,omitempty"`
	Name         string          `json:"name,omitempty"`
	Version      string          `json:"version,omitempty"`
	ABI          string          `json:"abi,omitempty"`
	Description  string          `json:"description,omitempty"`
	License      string          `json:"license,omitempty"`
	Source       string          `json:"source,omitempty"`
	Manifest     bool            `json:"manifest"`
	Tests        bool            `json:"tests"`
	Hooks        []string        `json:"hooks"`
	Site         []string        `json:"site,omitempty"`
	Capabilities []string        `json:"capabilities"`
	Imports      []string        `json:"imports"`
	Isolation    string          `json:"isolation"`
	Schema       json.RawMessage `json:"settings_schema,omitempty"`
	TakesConfig  bool            `json:"takes_settings"`
	FirstMemory  uint64          `json:"memory_first_bytes"`
	MaxMemory    uint64          `json:"memory_max_bytes,omitempty"` // that the module sets itself
	StartFuel    uint64          `json:"start_fuel,omitempty"`       // of one instance
	StartMemory  uint64          `json:"start_memory_bytes,omitempty"`
	Refused      string          `json:"refused,omitempty"` // why it cannot be started
}

func (a *admin) inspectCommand() *cobra.Command {
	var settings, trusted, signature string
	cmd := &cobra.Command{Use: "inspect FILE", Short: "Judge a module as a server would, and tell what it is and wants", Args: cobra.ExactArgs(1),
		Long: "Judges a module (.wasm, or a directory of source) without a server: its form, its manifest, and whether it starts and passes\n" +
			"its own tests, with everything granted that it declares. Nothing is fetched and nothing kept.\n" +
			"It exits with 1 if a server would refuse it."}
	fl := cmd.Flags()
	fl.StringVar(&settings, "settings", "", "file with the settings, a JSON object")
	fl.StringVar(&trusted, "trust", "", "file with public keys of minisign, one of which must have signed the module")
	fl.StringVar(&signature, "signature", "", "signature file (default FILE.minisig)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.form(); err != nil {
			return err
		}
		module, err := readModule(cmd.Context(), args[0], buildCache())
		if err != nil {
			return exitWith(exitFailed, err)
		}
		var rules trust.Rules
		var sealed []byte
		if trusted != "" {
			if rules, sealed, err = inspectTrust(args[0], trusted, signature); err != nil {
				return exitWith(exitFailed, err)
			}
		}
		var with json.RawMessage
		if settings != "" {
			if with, err = readJSON(settings); err != nil {
				return exitWith(exitFailed, fmt.Errorf("--settings: %w", err))
			}
		}
		got, err := inspect(cmd.Context(), module, sealed, rules, with)
		if err != nil {
			return exitWith(exitFailed, err)
		}
		err = a.show(cmd, got, func(w io.Writer) error { got.print(w); return nil })
		if err == nil && got.Refused != "" {
			err = errors.New(got.Refused)
		}
		return exitWith(exitFailed, err)
	}
	return cmd
}

func inspectTrust(module, keys, signature string) (r trust.Rules, sealed []byte, err error) {
	if r, err = readTrust(keys); err != nil {
		return r, nil, err
	}
	file := signature
	if file == "" {
		file = module + trust.SignatureSuffix
	}
	sealed, err = readSignature(file, signature != "")
	return r, sealed, err
}

// readTrust reads the file of --trust: one of its keys must have signed.
func readTrust(keys string) (r trust.Rules, err error) {
	text, err := os.ReadFile(keys)
	if err == nil {
		r.Keys, err = trust.ParseKeys(string(text))
	}
	if err != nil {
		return r, fmt.Errorf("--trust: %w", err)
	}
	r.Required = true
	return r, nil
}

// subject is the policy's name while it is inspected.
const subject = "module"

// inspect judges a module. An error says that it is none; what only its start shows
// is in Refused.
func inspect(ctx context.Context, module, sealed []byte, rules trust.Rules, settings json.RawMessage) (*inspection, error) {
	seal, err := rules.Check(subject, module, sealed)
	if err != nil {
		return nil, err
	}
	h, err := wasmhost.New(ctx, wasmhost.Config{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = h.Close() }() // only waits
	f, err := h.Examine(subject, module, wasmhost.LoadOptions{})
	if err != nil {
		return nil, err
	}
	m := &f.Manifest
	in := &inspection{Digest: f.Digest, Size: f.Size, Signer: seal.Signer, Name: m.Name, Version: m.Version, ABI: m.ABI, Description: m.Description,
		License: m.License, Source: m.Source, Manifest: f.Described, Tests: f.Tests, Hooks: f.Hooks, Capabilities: orNone(m.Capabilities),
		Imports: orNone(f.Imports), Isolation: m.Isolation.String(), Schema: m.Settings, TakesConfig: f.Settings,
		FirstMemory: uint64(f.FirstPages) * pageSize, MaxMemory: uint64(f.MaxPages) * pageSize}
	for _, c := range m.Site {
		in.Site = append(in.Site, "SITE "+c.Verb)
	}
	if err := config.CheckSettings(subject, m.Settings, settings); err != nil {
		in.Refused = err.Error()
		return in, nil
	}
	store, err := kv.Open("", kv.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = store.Close() }() // in memory only
	p, err := h.Load(ctx, subject, module, wasmhost.LoadOptions{Settings: settings, Grant: everything(store, m),
		Verify: edge.VerifyHash, Limits: wasmhost.Limits{Instances: 1}})
	if err != nil {
		in.Refused = err.Error()
		return in, nil
	}
	st := p.Stats()
	in.StartFuel, in.StartMemory = st.Fuel, st.Memory
	return in, p.Close()
}

// everything grants what a manifest declares. A module cannot fetch while it starts.
func everything(store *kv.Store, m *wasmhost.Manifest) wasmhost.Grant {
	g := wasmhost.Grant{Metric: new(numbers), Random: true, Verify: true, Password: true, Stat: true, Digest: true,
		KV: func(space string, size int64) (policy.KV, error) { return store.Space("inspect/"+space, size) }}
	for _, c := range m.Capabilities {
		if host, ok := strings.CutPrefix(c, abi.CapFetch+":"); ok {
			g.Fetch.Allow = append(g.Fetch.Allow, "https://"+host)
		}
	}
	return g
}

func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// visible replaces what could move the cursor or hide text.
func visible(r rune) rune {
	switch {
	case r == '\n', r == '\t':
		return ' '
	case !unicode.IsPrint(r):
		return '?'
	}
	return r
}

func (in *inspection) print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, text string) {
		if text != "" { // much of it is the module's word
			fmt.Fprintf(t, "%s\t%s\n", name, strings.Map(visible, text))
		}
	}
	line("name", strings.TrimSpace(in.Name+" "+in.Version))
	line("about", in.Description)
	line("license", in.License)
	line("source", in.Source)
	line("digest", in.Digest)
	line("size", fmt.Sprintf("%d bytes", in.Size))
	line("signed", in.Signer)
	if !in.Manifest {
		line("manifest", "none: it gets no capability")
	}
	line("hooks", strings.Join(in.Hooks, ", "))
	line("commands", strings.Join(in.Site, ", "))
	line("wants", dash(strings.Join(in.Capabilities, ", ")))
	line("imports", dash(strings.Join(in.Imports, ", ")))
	line("isolation", in.Isolation)
	memory := fmt.Sprintf("%d KiB to start with", in.FirstMemory>>10)
	if in.MaxMemory > 0 {
		memory += fmt.Sprintf(", %d KiB at most", in.MaxMemory>>10)
	}
	line("memory", memory)
	switch {
	case in.Schema != nil:
		line("settings", string(in.Schema))
	case in.TakesConfig:
		line("settings", "any; the manifest says nothing about them")
	}
	if in.Refused == "" {
		line("start", fmt.Sprintf("%d units of work, then %d KiB", in.StartFuel, in.StartMemory>>10))
		if in.Tests {
			line("tests", "passed")
		}
	}
	_ = t.Flush() // to a terminal, which is there or not
}
