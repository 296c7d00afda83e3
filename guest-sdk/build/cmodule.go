package build

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// border is what a module and its host have in common: the names that it exports and
// imports, with the types of functions.
type border struct {
	exports map[string]string // "" of what is no function
	imports []string          // of the module edgeftp
}

// sections reads a module (core specification §5.5) that the linker has just written; what
// is not one ends it early, and then the host says more.
type sections struct{ rest []byte }

func (s *sections) number() int {
	n, k := binary.Uvarint(s.rest)
	if k <= 0 || n > 1<<30 {
		s.rest = nil
		return 0
	}
	s.rest = s.rest[k:]
	return int(n)
}

func (s *sections) take(n int) []byte {
	n = min(n, len(s.rest))
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

func (s *sections) name() string { return string(s.take(s.number())) }

func (s *sections) types() string {
	names := map[byte]string{0x7f: "i32", 0x7e: "i64", 0x7d: "f32", 0x7c: "f64"}
	var list []string
	for _, t := range s.take(s.number()) {
		list = append(list, names[t])
	}
	return strings.Join(list, ", ")
}

// borderOf reads what checkC looks at.
func borderOf(module []byte) *border {
	b := &border{exports: map[string]string{}}
	var types, functions []string
	for all := (sections{module[min(8, len(module)):]}); len(all.rest) > 0; {
		id := all.take(1)[0]
		s := sections{all.take(all.number())}
		for n := s.number(); n > 0 && len(s.rest) > 0; n-- { // each takes a byte or more
			switch id {
			case 1:
				s.take(1)
				t := "(" + s.types() + ")"
				if results := s.types(); results != "" {
					t += " -> " + results
				}
				types = append(types, t)
			case 2: // functions alone are imported
				module, name := s.name(), s.name()
				s.take(1)
				functions = append(functions, at(types, s.number()))
				if module == "edgeftp" {
					b.imports = append(b.imports, name)
				}
			case 3:
				functions = append(functions, at(types, s.number()))
			case 7:
				name := s.name()
				function := string(s.take(1)) == "\x00"
				if i := s.number(); function {
					b.exports[name] = at(functions, i)
				} else {
					b.exports[name] = ""
				}
			default:
				s.rest = nil
			}
		}
	}
	return b
}

func at(list []string, i int) string {
	if i >= len(list) {
		return "?"
	}
	return list[i]
}

// hookNames are those of the ABI (§1).
func hookNames() (names []string) {
	for h := abi.HookAuth; h < abi.HookIdle; h++ {
		names = append(names, h.String())
	}
	return names
}

// checkC says with the author's file and line, and in the SDK's words, what the server
// would say of the module: that it has no hook, that an export has another type, or that it
// calls what its manifest does not declare.
func (j *job) checkC(module, source, manifest []byte) error {
	b := borderOf(module)
	if _, ok := b.exports["edgeftp_abi_v1"]; !ok {
		return j.fail(cEntry+" does not include edgeftp.h", "",
			`begin it with  #include "edgeftp.h"  and write a hook, such as EDGEFTP_FS(question) { ... }`, nil)
	}
	found := false
	for _, hook := range append(hookNames(), "config") {
		got, ok := b.exports["edgeftp_"+hook]
		found = found || ok && hook != "config"
		if want := "(i32) -> i64"; ok && got != want {
			line, _ := lineOf(source, "edgeftp_"+hook)
			return j.fail("an export has the wrong type", fmt.Sprintf("%s:%d: edgeftp_%s is %s, the server calls %s",
				cEntry, line, hook, got, want),
				fmt.Sprintf("let the SDK export it: EDGEFTP_%s(question) { ... }", strings.ToUpper(hook)), nil)
		}
	}
	if !found {
		return j.fail(cEntry+" has no hook, so it would never be asked", "",
			"write what it decides about: EDGEFTP_FS(question) { ... }, or EDGEFTP_ with "+strings.ToUpper(strings.Join(hookNames(), ", ")), nil)
	}
	return j.checkCapabilities(b.imports, source, manifest)
}

// checkCapabilities wants each import's capability in the manifest (ABI §8).
func (j *job) checkCapabilities(imports []string, source, manifest []byte) error {
	declared, err := capabilities(manifest)
	if err != nil {
		return nil // describe tells more about a manifest that cannot be read
	}
	for _, name := range imports {
		wants, example := capabilityOf(name)
		call := "edgeftp_" + name
		if wants == abi.CapKV {
			call = "edgeftp_kv_" // the SDK has other names for some of them
		}
		if wants != "" && !declares(declared, wants) {
			line, called := lineOf(source, call)
			return j.fail("a capability is missing", fmt.Sprintf("%s:%d: %s needs the capability %q, which manifest.json does not declare",
				cEntry, line, called, wants),
				fmt.Sprintf(`write it into manifest.json beside the source: "capabilities": [%q]; the operator grants it`, example), nil)
		}
	}
	return nil
}
