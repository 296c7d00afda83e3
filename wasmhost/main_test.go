package wasmhost

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newHost returns a host without a cache, closed at the end of the test.
func newHost(t testing.TB, c Config) *Host {
	t.Helper()
	h, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// patient are budgets for a machine that is busy with other tests.
func patient() (b Budgets) {
	for h := range b {
		b[h].Time = time.Minute
	}
	return b
}

// testModule reads a module of testdata.
func testModule(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// load loads a module of testdata; the policy is closed at the end of the test,
// and nothing may be left of it then.
func load(t testing.TB, h *Host, name string) *Policy {
	t.Helper()
	p, err := h.Load(t.Context(), name, testModule(t, name), LoadOptions{})
	if err != nil {
		t.Fatalf("load %s: %v", name, err)
	}
	t.Cleanup(func() { closePolicy(t, p) })
	return p
}

// declaring gives a module a manifest.
func declaring(module []byte, manifest string) []byte {
	return append(bytes.Clone(module), custom("edgeftp.manifest", manifest)...)
}

// loadModule is load for the bytes of a module and what the operator says.
func loadModule(t testing.TB, h *Host, module []byte, o LoadOptions) *Policy {
	t.Helper()
	p, err := h.Load(t.Context(), "guest", module, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePolicy(t, p) })
	return p
}

func closePolicy(t testing.TB, p *Policy) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if n := p.Stats().Instances; n != 0 {
		t.Errorf("%s: %d instances are left after Close", p.Name(), n)
	}
}

var testSession = policy.Session{ID: 7, User: "anna", Root: "/", Listener: "main"}

func action(path string) *policy.Action {
	s := testSession
	return &policy.Action{
		Meta: policy.Meta{Session: &s, Request: 1, Time: time.Unix(1_700_000_000, 0)},
		Op:   policy.OpWrite, Path: path, Exists: true,
	}
}

// TestTextIsTheModule rebuilds every module from its text and compares the bytes.
func TestTextIsTheModule(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("wat2wasm is missing: install wabt")
		}
		t.Skip("wat2wasm is missing (Debian package wabt): the modules are not compared with their text")
	}
	texts, err := filepath.Glob("testdata/*.wat")
	if err != nil || len(texts) == 0 {
		t.Fatalf("no texts: %v", err)
	}
	for _, text := range texts {
		out := filepath.Join(t.TempDir(), "out.wasm")
		if b, err := exec.Command(tool, text, "-o", out).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", text, err, b)
			continue
		}
		built, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(built, testModule(t, strings.TrimSuffix(filepath.Base(text), ".wat"))) {
			t.Errorf("%s: the committed module is not what the text builds", text)
		}
	}
}
