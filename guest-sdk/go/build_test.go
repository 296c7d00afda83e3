package edgeftp_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeftp/edgeftp/guest-sdk/go/manifest"
	"github.com/edgeftp/edgeftp/wasmhost/abi"
)

func build(t *testing.T, dir string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = filepath.Join("testdata", dir)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// section returns the contents of the module's section with that id (core
// specification §5.5.2).
func section(t *testing.T, module []byte, id byte) *bytes.Reader {
	t.Helper()
	for rest := module[8:]; len(rest) > 0; {
		n, k := binary.Uvarint(rest[1:])
		body := rest[1+k : 1+k+int(n)]
		if rest[0] == id {
			return bytes.NewReader(body)
		}
		rest = rest[1+k+int(n):]
	}
	t.Fatalf("no section %d", id)
	return nil
}

func number(t *testing.T, r *bytes.Reader) uint64 {
	t.Helper()
	n, err := binary.ReadUvarint(r)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func word(t *testing.T, r *bytes.Reader) string {
	t.Helper()
	b := make([]byte, number(t, r))
	if _, err := r.Read(b); err != nil && len(b) > 0 {
		t.Fatal(err)
	}
	return string(b)
}

// imports lists what a module of functions alone imports from the host.
func imports(t *testing.T, module []byte) []string {
	r := section(t, module, 2)
	var list []string
	for range number(t, r) {
		from, name := word(t, r), word(t, r)
		if kind := number(t, r); kind != 0 {
			t.Fatalf("%s.%s is no function", from, name)
		}
		number(t, r)
		if from == abi.ImportModule {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func exports(t *testing.T, module []byte) []string {
	r := section(t, module, 7)
	var list []string
	for range number(t, r) {
		name := word(t, r)
		number(t, r)
		number(t, r)
		if strings.HasPrefix(name, abi.ExportPrefix) {
			list = append(list, strings.TrimPrefix(name, abi.ExportPrefix))
		}
	}
	slices.Sort(list)
	return list
}

// TestModules holds that a module imports and exports what its source uses, and
// nothing else.
func TestModules(t *testing.T) {
	var everything []string
	for _, i := range abi.Imports() {
		if i.Name != abi.ImportLog { // the one that it does not use
			everything = append(everything, i.Name)
		}
	}
	slices.Sort(everything)
	tests := []struct {
		dir              string
		imports, exports []string
	}{
		{"plain", nil, []string{"abi_v1", "config", "fs"}},
		{"services", []string{"digest"}, []string{"abi_v1", "config", "fs"}},
		{"all", everything, []string{"abi_v1", "auth", "cert", "cmd", "config", "data", "event", "fs", "list", "site", "throttle"}},
	}
	for _, tt := range tests {
		module := build(t, tt.dir)
		t.Logf("%s: %d bytes", tt.dir, len(module))
		if got := imports(t, module); !slices.Equal(got, tt.imports) {
			t.Errorf("%s imports %q, want %q", tt.dir, got, tt.imports)
		}
		if got := exports(t, module); !slices.Equal(got, tt.exports) {
			t.Errorf("%s exports %q, want %q", tt.dir, got, tt.exports)
		}
		with, err := manifest.Append(module, []byte(`{"name":"x"}`))
		if err != nil || !slices.Equal(exports(t, with), tt.exports) {
			t.Errorf("%s: %v", tt.dir, err)
		}
		if _, err := manifest.Append(with, []byte(`{}`)); err == nil {
			t.Errorf("%s: a second manifest", tt.dir)
		}
	}
}
