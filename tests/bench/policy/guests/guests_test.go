package guests

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/wasmhost"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

// TestAlike asks every build of the policy the same questions: what is measured
// against each other must be the same policy.
func TestAlike(t *testing.T) {
	c := wasmhost.Config{Compile: 10 * time.Minute}
	for hook := range c.Budgets {
		c.Budgets[hook].Time = time.Minute
	}
	h, err := wasmhost.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string][]byte{}
	for _, name := range Small() {
		if modules[name], err = Module(name); err != nil {
			t.Fatal(err)
		}
	}
	if modules["go"], err = Go(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, module := range modules {
		t.Run(name, func(t *testing.T) {
			p, err := h.Load(t.Context(), name, module, wasmhost.LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			sameAsNative(t, p.Hooks().Authorizer)
		})
	}
}

func sameAsNative(t *testing.T, fs policy.Authorizer) {
	t.Helper()
	refused := 0
	for op := policy.OpStat; op <= policy.OpSymlink; op++ {
		for _, exists := range []bool{false, true} {
			for _, path := range []string{"/", "/archive", "/archive/a", "/archives/a", "/Archive/a", "/archiv", "/archive/a/b"} {
				q := Question(exists)
				q.Op, q.Path = op, path
				want, _ := Native{}.Authorize(t.Context(), q)
				got, err := fs.Authorize(t.Context(), q)
				if err != nil || got != want {
					t.Errorf("%v of %s, exists %v: got %+v, %v, want %+v", op, path, exists, got, err, want)
				}
				if got.Verdict == policy.Deny {
					refused++
				}
			}
		}
	}
	if refused != 14 {
		t.Errorf("%d questions were refused, want 14", refused)
	}
}

func TestQuestionIsOfTheUsualSize(t *testing.T) {
	b, err := abi.AppendAction(nil, "x", Question(true))
	if err != nil || len(b) < 195 || len(b) > 260 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestVersions(t *testing.T) {
	a, err := Version('A')
	if err != nil {
		t.Fatal(err)
	}
	b, err := Version('B')
	if err != nil || bytes.Equal(a, b) || len(a) != len(b) {
		t.Errorf("A and B: %v", err)
	}
}

// TestTextIsTheModule rebuilds the modules that are written in the text format.
func TestTextIsTheModule(t *testing.T) {
	tool, err := exec.LookPath("wat2wasm")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("wat2wasm is missing: install wabt")
		}
		t.Skip("wat2wasm is missing (Debian package wabt): the modules are not compared with their text")
	}
	texts, err := filepath.Glob("testdata/*.wat")
	if err != nil || len(texts) != 6 {
		t.Fatalf("%d texts: %v", len(texts), err)
	}
	for _, text := range texts {
		out := filepath.Join(t.TempDir(), "out.wasm")
		if b, err := exec.Command(tool, text, "-o", out).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", text, err, b)
			continue
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Module(strings.TrimSuffix(filepath.Base(text), ".wat"))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the committed module is not what the text builds: %v", text, err)
		}
	}
}
