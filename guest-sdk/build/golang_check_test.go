package build

import (
	"slices"
	"strings"
	"testing"
)

// imported is a module that imports one function of the host.
const imported = "\x00asm\x01\x00\x00\x00" + "\x01\x04\x01\x60\x00\x00" + "\x02\x12\x01\x07edgeftp\x06kv_get\x00\x00"

func FuzzGoImports(f *testing.F) {
	f.Add([]byte(imported))
	f.Add([]byte(imported[:len(imported)-3]))
	f.Add([]byte("\x00asm"))
	f.Fuzz(func(t *testing.T, module []byte) {
		n := 0
		for _, names := range goImports(module) {
			n += len(names)
		}
		if n > len(module) {
			t.Errorf("%d imports in %d bytes", n, len(module))
		}
	})
}

func TestGoImports(t *testing.T) {
	if got := goImports([]byte(imported)); len(got) != 1 || !slices.Equal(got["edgeftp"], []string{"kv_get"}) {
		t.Errorf("got %q", got)
	}
}

// TestCapabilities holds which manifests fit which imports.
func TestGoCapabilities(t *testing.T) {
	for manifest, says := range map[string]string{
		"":                                  `./main.go:3:8: imports github.com/edgeftp/edgeftp/guest-sdk/go/kv`,
		`{"capabilities": ["fetch:a"]}`:     `add to manifest.json: "capabilities": ["kv"]`,
		`{"capabilities": ["kv"]}`:          "",
		`{"capabilities": ["kv:together"]}`: "",
	} {
		files := map[string]string{"main.go": "package main\n\nimport _ \"github.com/edgeftp/edgeftp/guest-sdk/go/kv\"\n"}
		if manifest != "" {
			files["manifest.json"] = manifest
		}
		err := (&job{dir: write(t, files)}).checkGo([]byte(imported))
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", manifest, err)
		}
	}
}
