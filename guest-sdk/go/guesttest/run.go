//go:build !wasip1

package guesttest

import (
	"os"
	"testing"

	"github.com/edgeftp/edgeftp/guest-sdk/go/internal/guest"
	"github.com/edgeftp/edgeftp/wasmhost/abi/cases"
)

// Run asks the vectors of the file, as a rule tests.json, of the stages that the package
// under test exports in init, with the file's own settings. They are asked in a world
// of their own, once in a test binary: a policy takes its settings once.
//
// A vector that fails here fails the module's load; the load also finds what only a
// module can get wrong.
func Run(t *testing.T, file string) {
	t.Helper()
	w := New(t)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set, err := cases.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if err := guest.The.Settings(set.Settings); err != nil {
		t.Fatalf("%s: settings: %v", file, err)
	}
	if err := set.Run(w.Context(""), guest.The.Slot(), guest.The.Hooks()); err != nil {
		t.Errorf("%s: %v", file, err)
	}
}
