package wasm

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/examples/wasm/live"
	"github.com/edgeftp/edgeftp/guest-sdk/build"
	"github.com/edgeftp/edgeftp/wasmhost"
)

// TestFolders holds every policy to what a folder is to have: it is built from its
// source, judged and loaded, and answers its tests; what is committed is what was built.
func TestFolders(t *testing.T) {
	for _, dir := range folders(t) {
		t.Run(filepath.ToSlash(dir), func(t *testing.T) {
			for _, file := range []string{"README.md", "manifest.json"} {
				if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
					t.Error(err)
				}
			}
			module := live.Build(t, dir)
			facts := examine(t, module)
			t.Logf("%d bytes, hooks %s", len(module), strings.Join(facts.Hooks, " "))
			if !facts.Tests || !facts.Described {
				t.Errorf("tests %v, manifest %v", facts.Tests, facts.Described)
			}
			committed(t, dir, module)
			file := filepath.Join(t.TempDir(), "policy.wasm")
			if err := os.WriteFile(file, module, 0o600); err != nil {
				t.Fatal(err)
			}
			checks := live.Doctor(t, file).Want(t, 0)
			for line := range strings.Lines(checks.Stdout) {
				if !strings.HasPrefix(line, "ok ") {
					t.Errorf("policy doctor: %s", line)
				}
			}
		})
	}
}

// examine judges a module and loads it with all that it asks for; its own tests are
// asked then.
func examine(t *testing.T, module []byte) *wasmhost.Facts {
	t.Helper()
	h, err := wasmhost.New(t.Context(), generous())
	if err != nil {
		t.Fatal(err)
	}
	facts, err := h.Examine("example", module, wasmhost.LoadOptions{})
	if err != nil {
		t.Fatal(errors.Join(err, h.Close()))
	}
	grant := wasmhost.Grant{KV: func(string, int64) (policy.KV, error) { return new(policy.MemKV), nil }, Metric: nowhere{},
		Random: true, Verify: true, Password: true, Stat: true, Digest: true}
	for _, c := range facts.Manifest.Capabilities {
		if host, ok := strings.CutPrefix(c, "fetch:"); ok {
			grant.Fetch.Allow = append(grant.Fetch.Allow, "https://"+host)
		}
	}
	// The settings are those that the tests bring: what a policy cannot do without is
	// there.
	settings, err := testSettings(module)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Load(t.Context(), "example", module, wasmhost.LoadOptions{Grant: grant, Settings: settings})
	if err != nil {
		t.Error(err)
	} else if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	return facts
}

// testSettings are those in the section edgeftp.tests, which is the module's last one.
func testSettings(module []byte) (json.RawMessage, error) {
	_, section, ok := bytes.Cut(module, []byte("\x0dedgeftp.tests"))
	if !ok {
		return nil, errors.New("the module has no tests")
	}
	var set struct{ Settings json.RawMessage }
	err := json.NewDecoder(bytes.NewReader(section)).Decode(&set)
	return set.Settings, err
}

// nowhere takes metrics.
type nowhere struct{}

func (nowhere) Metric(string, string, int32, int64) {}

// committed compares a module with the one that lies beside its source. Modules of Go
// are too large to lie there.
func committed(t *testing.T, dir string, module []byte) {
	t.Helper()
	lang, err := build.Detect(dir)
	if err != nil || lang == "go" {
		return // Build has found the language
	}
	version, err := build.Toolchain(t.Context(), lang)
	if err != nil {
		t.Fatal(err)
	}
	var pinned map[string]string
	if err := json.Unmarshal(readFile(t, "toolchains.json"), &pinned); err != nil || pinned[lang] == "" {
		t.Fatalf("toolchains.json has no version of %s: %v", lang, err)
	}
	file := filepath.Join(dir, filepath.Base(filepath.Dir(dir))+".wasm")
	there := readFile(t, file)
	switch {
	case bytes.Equal(there, module):
	case version != pinned[lang]:
		t.Logf("%s is built by %s, here is %s: it is judged by its tests", file, pinned[lang], version)
		examine(t, there)
	default:
		t.Errorf("%s is not what %s builds from its source: %d bytes, now %d", file, version, len(there), len(module))
	}
}
