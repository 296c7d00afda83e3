package build

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// checkZig says with the author's file and line what the server would say of the module:
// that it exports nothing, that its hooks are not those of the manifest, or that it calls
// what the manifest does not declare.
func (j *job) checkZig(module []byte) error {
	b := borderOf(module)
	if _, ok := b.exports["edgeftp_abi_v1"]; !ok {
		return j.fail("policy.zig exports no policy", "", "end it with  comptime { edgeftp.exportPolicy(Guard); }  where Guard is your struct", nil)
	}
	text, err := j.beside("manifest.json")
	if err != nil {
		return err
	}
	var m struct{ Hooks []string }
	declared, err := capabilities(text)
	if err != nil || text != nil && json.Unmarshal(text, &m) != nil {
		return nil // describe tells more about a manifest that cannot be read
	}
	for _, hook := range m.Hooks {
		if _, ok := b.exports["edgeftp_"+hook]; ok {
			continue
		}
		return j.fail("a hook is missing", j.zigPlace(`\bfn\s+`+regexp.QuoteMeta(hook)+`\b`)+": manifest.json names the hook "+hook+", which is not exported",
			"a hook is a pub fn of the struct that exportPolicy is given; take it out of manifest.json if there is none", nil)
	}
	for _, name := range b.imports {
		call := zigCall(name)
		wants, example := capabilityOf(name)
		if wants == "" || declares(declared, wants) {
			continue
		}
		return j.fail("a capability is missing", fmt.Sprintf("%s: %s needs the capability %q, which manifest.json does not declare", j.zigPlace(`\b`+regexp.QuoteMeta(call)+`\b`), call, wants),
			fmt.Sprintf(`write it into manifest.json beside the source: "capabilities": [%q]; the operator grants it`, example), nil)
	}
	return nil
}

// zigCall is the SDK's name for an import.
func zigCall(name string) string {
	switch {
	case name == abi.ImportKVCAS:
		return "edgeftp.kv.swap"
	case strings.HasPrefix(name, "kv_"):
		return "edgeftp." + strings.Replace(name, "_", ".", 1)
	case name == abi.ImportVerify:
		return "edgeftp.verify"
	}
	return "edgeftp." + name
}

// zigPlace is where the policy's own source first matches the pattern, as compilers write
// it; the entry's beginning if nothing does.
func (j *job) zigPlace(pattern string) string {
	place, re := j.language.entry+":1", regexp.MustCompile(pattern)
	_ = filepath.WalkDir(j.dir, func(path string, d fs.DirEntry, err error) error { // a file that cannot be read has no place
		switch {
		case err != nil:
			return nil
		case d.IsDir() && path != j.dir && (d.Name() == "sdk" || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".zig" || strings.HasSuffix(path, "_test.zig"):
			return nil
		}
		text, err := os.ReadFile(path)
		at := re.FindIndex(text)
		if err != nil || at == nil {
			return nil
		}
		name, _ := filepath.Rel(j.dir, path) // path lies below
		place = fmt.Sprintf("%s:%d", filepath.ToSlash(name), 1+bytes.Count(text[:at[0]], []byte("\n")))
		return fs.SkipAll
	})
	return place
}
