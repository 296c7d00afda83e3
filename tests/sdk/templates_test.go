package sdk

import (
	"path/filepath"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// TestTemplates holds the first policies of all languages to the same: what is given as
// an extension, with its dot or without and in any case, is refused however it is
// written. A template that lets through what its author refuses teaches just that.
func TestTemplates(t *testing.T) {
	for _, lang := range build.Languages() {
		if lang == "wat" {
			continue // it has no settings
		}
		t.Run(lang, func(t *testing.T) {
			module := compile(t, filepath.Join(sdkDir, lang, "template"))
			p, err := load(t, module, wasmhost.LoadOptions{Settings: []byte(`{"deny_extensions":[".EXE","Iso"]}`)})
			if err != nil {
				t.Fatal(err)
			}
			for path, want := range map[string]policy.Verdict{
				"/a/tool.exe": policy.Deny, "/a/TOOL.ExE": policy.Deny, "/a/disk.iso": policy.Deny, "/a/tool.exe.": policy.Deny, "/a/tool.exe. ": policy.Deny,
				"/a/exe": policy.Pass, "/a.exe/b": policy.Pass, "/a/tool.exe.txt": policy.Pass, "/a/scr.scr": policy.Pass,
			} {
				a := &policy.Action{Meta: policy.Meta{Session: &policy.Session{ID: 1, User: "anna", Root: "/"}, Request: 1}, Op: policy.OpWrite, Path: path}
				if got, err := p.Hooks().Authorizer.Authorize(t.Context(), a); err != nil || got.Verdict != want {
					t.Errorf("%s: %v, %v, want %v", path, got.Verdict, err, want)
				}
				a.Op, a.Path, a.Path2 = policy.OpRename, "/a/from", path
				if got, err := p.Hooks().Authorizer.Authorize(t.Context(), a); err != nil || got.Verdict != want {
					t.Errorf("renamed to %s: %v, %v, want %v", path, got.Verdict, err, want)
				}
			}
		})
	}
}
