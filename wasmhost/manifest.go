package wasmhost

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// Manifest is what a module says about itself in its custom section
// edgeftp.manifest, as JSON with these keys (ABI §8). It is the module's own word
// and grants nothing. The zero value is that of a module without one.
type Manifest struct {
	Name        string `json:"name"`    // for display; the policy's name is the operator's
	Version     string `json:"version"` // for display
	ABI         string `json:"abi"`     // what it needs at least, such as "1.1", or empty
	Description string `json:"description"`
	License     string `json:"license"`
	Source      string `json:"source"`
	// Hooks, if given, must be the hooks that the module exports.
	Hooks []string `json:"hooks"`
	// Capabilities that the module needs. None beyond "log" can be granted yet.
	Capabilities []string `json:"capabilities"`
}

// checkManifest reads the manifest, if there is one. A key that this server
// cannot honour is an error: nothing is accepted and ignored.
func (v *vetted) checkManifest(name string) error {
	if v.module.manifest == nil {
		return nil
	}
	bad := func(err error, help string) error {
		return &LoadError{Code: CodeManifest, Err: err,
			Summary: fmt.Sprintf("policy %q has a manifest that this server cannot honour", name),
			Found:   abi.Clean(err.Error(), 300), Help: help}
	}
	d := json.NewDecoder(bytes.NewReader(v.module.manifest))
	d.DisallowUnknownFields()
	var m Manifest
	if err := d.Decode(&m); err != nil {
		return bad(err, "keys: name, version, abi, description, license, source, hooks, capabilities")
	}
	if _, err := d.Token(); err != io.EOF {
		return bad(fmt.Errorf("bytes after the manifest"), "")
	}
	for _, text := range []*string{&m.Name, &m.Version, &m.Description, &m.License, &m.Source} {
		*text = abi.Clean(*text, 200)
	}
	if m.ABI != "" && !speaks(m.ABI) {
		return bad(fmt.Errorf("abi is %q", m.ABI), fmt.Sprintf("this server speaks %d.0 to %d.%d", abi.Version, abi.Version, abi.Minor))
	}
	if m.Hooks != nil && !sameSet(m.Hooks, v.hookNames()) {
		return bad(fmt.Errorf("hooks says %q, the exports say %q", m.Hooks, v.hookNames()), "")
	}
	for _, c := range m.Capabilities {
		if c != "log" {
			return &LoadError{Code: CodeCapability,
				Summary: fmt.Sprintf("policy %q wants the capability %q, which cannot be granted", name, abi.Clean(c, 100)),
				Needs:   "no capability but log", Help: "upgrade the server, or leave it out"}
		}
	}
	v.manifest = m
	return nil
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
