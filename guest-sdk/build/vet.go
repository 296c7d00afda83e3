package build

import (
	"slices"
	"strings"

	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// isHook reports whether the export is a hook (ABI §1).
func isHook(export string) bool {
	name, ok := strings.CutPrefix(export, "edgeftp_")
	return ok && slices.Contains(hookNames(), name)
}

// hasHook reports whether the module takes part in anything.
func (b *border) hasHook() bool {
	for name := range b.exports {
		if isHook(name) {
			return true
		}
	}
	return false
}

// hookHelp names the hooks.
func hookHelp() string {
	return "there are edgeftp_" + strings.Join(hookNames(), ", edgeftp_") + "; and edgeftp_config, edgeftp_idle"
}

// vetCapabilities wants each import's capability in the manifest (ABI §8). place says
// where the author calls the import, with a colon and a space behind, empty if unknown.
func (j *job) vetCapabilities(b *border, place func(imported string) string) error {
	text, err := j.beside(manifest.File)
	if err != nil {
		return err
	}
	declared, err := capabilities(text)
	if err != nil {
		return nil // describe tells more about a manifest that cannot be read
	}
	for _, imported := range b.imports {
		wants, example := capabilityOf(imported)
		if wants == "" || declares(declared, wants) {
			continue
		}
		return j.fail(place(imported)+imported+" needs the capability \""+wants+"\", which manifest.json does not declare", "",
			`write it into manifest.json beside the source: "capabilities": ["`+example+`"]; the operator grants it`, nil)
	}
	return nil
}

// capabilityOf says which capability an import needs (ABI §7), and how it is written;
// empty for none.
func capabilityOf(imported string) (name, example string) {
	for _, i := range abi.Imports() {
		if i.Name == imported {
			name = i.Capability
		}
	}
	if name == abi.CapFetch {
		return name, name + ":HOST"
	}
	return name, name
}

// declares reports whether one of the capabilities is the one that is needed, whatever
// follows its colon.
func declares(have []string, need string) bool {
	return slices.ContainsFunc(have, func(c string) bool {
		before, _, _ := strings.Cut(c, ":")
		return before == need
	})
}
