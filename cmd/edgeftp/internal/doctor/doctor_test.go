package doctor

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/edgeftp/edgeftp/edge/policy"
	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
	"github.com/edgeftp/edgeftp/wasmhost"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write testdata/*.txt")

// TestExamine holds what authors are told to golden texts.
func TestExamine(t *testing.T) {
	for _, tt := range []struct{ name, module, manifest, tests string }{
		{"bare", "moody", "", ""},
		{"whole", "moody", `{"name":"moody","version":"1.0.0","abi":"1.0","hooks":["fs"]}`, `{"tests":[{"hook":"fs","op":"write","path":"/a/deny","want":{"action":"deny","code":553}}]}`},
		{"wrong-tests", "moody", `{"name":"moody","version":"1.0.0","abi":"1.0"}`, `{"tests":[{"hook":"fs","op":"write","path":"/a/fine","want":{"action":"deny"}}]}`},
		{"unused", "deny", `{"capabilities":["random","log"]}`, ""},
		{"traps", "exit", "", ""},
		{"grows", "leak", "", ""},
		{"sockets", "import-sock", "", ""},
		{"next-version", "abi-v2", "", ""},
		{"command", "command", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			module := whole(t, tt.module, tt.manifest, tt.tests)
			r, err := Examine(t.Context(), module, Options{Grant: func(*wasmhost.Manifest) wasmhost.Grant {
				return wasmhost.Grant{Random: true, KV: func(string, int64) (policy.KV, error) { return new(policy.MemKV), nil }}
			}})
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, c := range r.Checks {
				fmt.Fprintf(&b, "%s %s: %s\n", c.Result, c.Name, c.Found)
				if c.Help != "" {
					fmt.Fprintf(&b, "     %s\n", c.Help)
				}
			}
			fmt.Fprintf(&b, "healthy: %t\n", r.Healthy())
			golden(t, tt.name, b.String())
		})
	}
}

// whole puts what belongs to a module into it.
func whole(t *testing.T, name, about, tests string) []byte {
	t.Helper()
	module, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "wasmhost", "testdata", name+".wasm"))
	if err == nil && about != "" {
		module, err = manifest.Append(module, []byte(about))
	}
	if err == nil && tests != "" {
		module, err = manifest.AppendTests(module, []byte(tests))
	}
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != got {
		t.Errorf("got\n%s\nwant\n%s\n%v", got, want, err)
	}
}
